"""JSON bodies: the standard library's values, bytes and refusals."""

import enum
import json
import math
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.protocols.http.message import decode_json, encode_json

KEYS = st.text(max_size=5) | st.integers() | st.floats() | st.booleans() | st.none()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text()
    | st.sampled_from([1e16, 1e-5, 1e22, 0.0001, -0.0, "5e0-", "0.00001", "null", "nan"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner, max_size=4) | st.tuples(inner, inner)
    ),
    max_leaves=15,
)


def by_the_standard_library(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def outcome(function: Any, *arguments: object) -> object:
    """Return what the function returns, by its text, or its error."""
    try:
        return repr(function(*arguments))
    except Exception as error:  # noqa: BLE001 - it is compared
        return type(error), str(error)


@given(VALUES)
def test_values_are_written_as_the_standard_library_writes_them(value: Any) -> None:
    assert outcome(encode_json, value) == outcome(by_the_standard_library, value)


@given(VALUES, st.booleans())
def test_what_the_standard_library_writes_is_read_as_it_would(value: Any, ascii_only: bool) -> None:
    try:
        data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    except UnicodeEncodeError:
        return

    assert repr(decode_json(data)) == repr(json.loads(data))


@given(
    st.lists(
        st.sampled_from(
            ["{", "}", "[", "]", ",", ":", '"', "\\u", "d83d", "de00", "\\", "1", "0", "-", ".", "e",
             "+", "true", "null", "NaN", "Infinity", " ", "\n", "\x00", "\x1f", "a", '"a":', "é"]
        ),
        max_size=12,
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]),
)  # fmt: skip
def test_any_bytes_are_read_or_refused_as_the_standard_library_does(
    tokens: list[str], encoding: str
) -> None:
    data = "".join(tokens).encode(encoding)

    assert outcome(decode_json, data) == outcome(json.loads, data)


def test_bodies_are_compact_and_in_utf_8() -> None:
    assert encode_json({"name": "Käse", "ok": [1, 2.5, None], "p": (1e16, 1e-05)}) == (
        '{"name":"Käse","ok":[1,2.5,null],"p":[1e+16,1e-05]}'.encode()
    )


@pytest.mark.parametrize(
    "value", [math.nan, [math.inf], {"a": -math.inf, "b": None}, {math.nan: 1}, "\ud800"]
)
def test_what_json_has_not_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's words
        encode_json(value)


@dataclass
class Point:
    x: int = 1


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        {1, 2}, frozenset({1}), object(), b"bytes", bytearray(b"b"), memoryview(b"m"), Decimal("1.5"),
        uuid.UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC), Point(), Colour.RED, {"a": [Decimal(1)]},
        {b"key": 1}, {(1, 2): 3}, 1j,
    ],
)  # fmt: skip
def test_objects_are_refused_in_the_standard_librarys_words(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        encode_json(value)

    assert (TypeError, str(caught.value)) == outcome(by_the_standard_library, value)


def test_what_contains_itself_is_refused() -> None:
    value: list[object] = [1.5]
    value.append(value)

    with pytest.raises(ValueError, match="Circular reference detected"):
        encode_json(value)


def test_kinds_of_built_in_types_are_written_as_those() -> None:
    class Text(str):
        __slots__ = ()

    value = OrderedDict(a=Level.LOW, b=Text("c"), d=[True, False])

    assert encode_json(value) == b'{"a":1,"b":"c","d":[true,false]}'


def test_keys_that_are_no_text_become_text() -> None:
    assert encode_json({1: "a", False: "b", None: "c", 1e16: "d"}) == (
        b'{"1":"a","false":"b","null":"c","1e+16":"d"}'
    )


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        ("[1]".encode("utf-16"), [1]),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'"\\ud800"', "\ud800"),
        (b"[" * 900 + b"]" * 900, json.loads("[" * 900 + "]" * 900)),
        (b'{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        (b"1e400", math.inf),
    ],
)
def test_whatever_the_standard_library_reads_is_read(data: bytes, value: Any) -> None:
    assert decode_json(data) == value


def test_nan_is_read_and_options_are_passed_on() -> None:
    assert math.isnan(decode_json(b"NaN"))
    assert decode_json(b"[1.5]", parse_float=str) == ["1.5"]


def test_what_is_no_json_is_refused_in_the_usual_words() -> None:
    with pytest.raises(json.JSONDecodeError, match=r"Expecting value: line 1 column 1"):
        decode_json(b"<html>")
