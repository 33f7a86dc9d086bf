"""JSON with and without orjson: the same values, the same refusals."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.protocols.http.message import json_codec
from pytest_k6api.protocols.http.message.json_codec import decode_json, encode_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=15,
)


@pytest.fixture(params=["orjson", "standard library"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(json_codec, "_orjson", None)
    return str(request.param)


@given(VALUES)
def test_what_is_written_is_what_the_standard_library_reads(value: Any) -> None:
    assert json.loads(encode_json(value)) == value


@given(VALUES, st.booleans())
def test_what_the_standard_library_writes_is_read_as_it_would(value: Any, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()

    found = decode_json(data)

    assert found == value
    assert repr(found) == repr(json.loads(data))


def test_bodies_are_compact_and_in_utf_8(codec: str) -> None:
    assert encode_json({"name": "Käse", "ok": [1, 2.5, None]}) == (
        '{"name":"Käse","ok":[1,2.5,null]}'.encode()
    )


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}, "\ud800"])
def test_what_json_has_not_is_refused(codec: str, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in the words of whoever refuses
        encode_json(value)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes"])
def test_objects_are_refused(codec: str, value: object) -> None:
    with pytest.raises(TypeError, match="is not JSON serializable"):
        encode_json(value)


def test_keys_that_are_no_text_become_text(codec: str) -> None:
    assert encode_json({1: "a", False: "b", None: "c"}) == b'{"1":"a","false":"b","null":"c"}'


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        ("[1]".encode("utf-16"), [1]),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'"\\ud800"', "\ud800"),
        (b"[" * 900 + b"]" * 900, json.loads("[" * 900 + "]" * 900)),
    ],
)
def test_whatever_the_standard_library_reads_is_read(codec: str, data: bytes, value: Any) -> None:
    assert decode_json(data) == value


def test_nan_is_read_and_options_are_passed_on(codec: str) -> None:
    assert math.isnan(decode_json(b"NaN"))
    assert decode_json(b"[1.5]", parse_float=str) == ["1.5"]


def test_what_is_no_json_is_refused_in_the_usual_words(codec: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=r"Expecting value: line 1 column 1"):
        decode_json(b"<html>")
