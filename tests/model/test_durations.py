"""Durations as people write them and as k6 prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import OptionError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (0.25, 0.25),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1d2h", 93_600.0),
        ("500ms", 0.5),
        ("1.5h", 5_400.0),
        (".5s", 0.5),
        (" 10s ", 10.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
    ],
)
def test_numbers_are_seconds_and_text_has_units(written, seconds):
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["30", "1.5"])
def test_text_without_a_unit_is_refused_with_both_readings(written):
    with pytest.raises(OptionError, match=f"'{written}' has no unit; write '{written}s' for"):
        parse_duration(written)


@pytest.mark.parametrize(
    "written", ["", "s", "5 s", "10x", "1e3", "nan", "1m-30s", None, True, [1], b"1s"]
)
def test_what_is_no_duration_is_refused_with_an_example(written):
    with pytest.raises(OptionError, match="cannot read the duration .* '1m30s'"):
        parse_duration(written)


def test_text_is_never_advised_to_be_a_bare_number():
    with pytest.raises(OptionError) as caught:
        parse_duration("10x")

    assert str(caught.value) == (
        "cannot read the duration '10x'; write numbers with units, such as '30s' or '1m30s'"
    )


@pytest.mark.parametrize("written", [float("nan"), float("inf")])
def test_a_duration_is_finite(written):
    with pytest.raises(OptionError, match="finite"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (90, "1m30s"),
        (3600, "1h0m0s"),
        (0.5, "500ms"),
        (0.0015, "1.5ms"),
        (2.5e-7, "250ns"),
        (1.25, "1.25s"),
        (-90, "-1m30s"),
    ],
)
def test_durations_are_printed_as_go_does(seconds, text):
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_what_is_printed_reads_back(nanoseconds):
    seconds = nanoseconds / 1e9

    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)
