"""Text from elsewhere, made safe to keep and safe to show."""

import json
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import printable, storable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("search €", "search €"),
        ("\ud83d", "�"),
        ("a\0b", "a�b"),
        ("\ud83d\ude00", "��"),  # two halves that nobody joined
        ("\x1b[31m\r\n", "\x1b[31m\r\n"),
    ],
)
def test_what_no_file_can_carry_is_replaced(text, kept):
    assert storable(text) == kept


def test_of_a_long_text_the_beginning_is_kept_and_its_length_told():
    kept = storable("9" * 5000)

    assert len(kept) == 1000
    assert kept.startswith("9999")
    assert kept.endswith("9… (5,000 characters)")


@given(ANY_TEXT, st.integers(40, 300))
def test_what_is_kept_can_be_written_and_is_kept_as_it_is(text, longest):
    kept = storable(text, longest)

    assert len(kept) <= longest
    assert storable(kept, longest) == kept
    assert json.loads(json.dumps(kept, ensure_ascii=False).encode()) == kept


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("naïve 日本 👩‍👩‍👧 a\u00a0b", "naïve 日本 👩‍👩‍👧 a\u00a0b"),
        ("\x1b]52;c;cHduZWQ=\x07", r"\x1b]52;c;cHduZWQ=\x07"),
        ("line\nFAILED test_forged.py", r"line\nFAILED test_forged.py"),
        ("50 %\r100 %", r"50 %\r100 %"),
        ("a\tb", r"a\tb"),
        ("\x9b2J", r"\x9b2J"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        ("\ud83d\0\x7f\uffff", r"\ud83d\x00\x7f\uffff"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_would_be_obeyed_is_shown(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\n\tthree", "one\ntwo\n\tthree"),
        ("one\r\ntwo", "one\ntwo"),
        ("one\rtwo\n\x1b[2J", "one\\rtwo\n\\x1b[2J"),
        ("a\x0bb\x0c\x85\u2029", r"a\x0bb\x0c\x85\u2029"),
    ],
)
def test_text_of_several_lines_keeps_them(text, shown):
    assert printable(text, lines=True) == shown


@given(ANY_TEXT, st.booleans())
def test_no_character_that_steers_is_left(text, lines):
    shown = printable(text, lines=lines)

    obeyed = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    kept = set("\u200c\u200d\n\t") if lines else set("\u200c\u200d")
    assert not [char for char in shown if unicodedata.category(char) in obeyed and char not in kept]
    assert printable(shown, lines=lines) == shown
    ET.fromstring(
        f"<a>{shown.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</a>".encode()
    )
