import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_k6api.api.go_scanner import MAX_DEPTH, GoSyntaxError, JsonNumber, parse_json

# From Go 1.24: the error of json.Unmarshal into an empty interface.
GO_ERRORS = {
    b"": "unexpected end of JSON input",
    b" \t\r\n": "unexpected end of JSON input",
    b"[1": "unexpected end of JSON input",
    b'"abc': "unexpected end of JSON input",
    b"tru": "unexpected end of JSON input",
    b"1e+": "unexpected end of JSON input",
    b"{not json": "invalid character 'n' looking for beginning of object key string",
    b"{'a':1}": "invalid character '\\'' looking for beginning of object key string",
    b'{"a":1,}': "invalid character '}' looking for beginning of object key string",
    b'{"a" 1}': "invalid character '1' after object key",
    b'{"a":1 2}': "invalid character '2' after object key:value pair",
    b"[1 2]": "invalid character '2' after array element",
    b"[1,]": "invalid character ']' looking for beginning of value",
    b"NaN": "invalid character 'N' looking for beginning of value",
    b"-Infinity": "invalid character 'I' in numeric literal",
    b"01": "invalid character '1' after top-level value",
    b"1.x": "invalid character 'x' after decimal point in numeric literal",
    b"1ex": "invalid character 'x' in exponent of numeric literal",
    b"{} x": "invalid character 'x' after top-level value",
    b"trxe": "invalid character 'x' in literal true (expecting 'u')",
    b"falsy": "invalid character 'y' in literal false (expecting 'e')",
    b'"\x01"': "invalid character '\\x01' in string literal",
    b'"\n"': "invalid character '\\n' in string literal",
    b'"\\x"': "invalid character 'x' in string escape code",
    b'"\\u12g4"': "invalid character 'g' in \\u hexadecimal character escape",
    b"\\": "invalid character '\\\\' looking for beginning of value",
    b"\x7f": "invalid character '\\x7f' looking for beginning of value",
    b"\xef\xbb\xbf{}": "invalid character 'ï' looking for beginning of value",
    b"\x80": "invalid character '\\u0080' looking for beginning of value",
    b"[" * 101 + b"]" * 101: "exceeded max depth",
}


@pytest.mark.parametrize(("body", "message"), GO_ERRORS.items())
def test_errors_are_gos(body: bytes, message: str) -> None:
    with pytest.raises(GoSyntaxError) as caught:
        parse_json(body)

    assert str(caught.value) == message


def test_numbers_keep_their_digits_and_objects_their_duplicates() -> None:
    document = parse_json(b'{"a":1.50,"a":[-0,1e400]}')

    assert document == [("a", "1.50"), ("a", ["-0", "1e400"])]
    assert isinstance(document, list)
    assert isinstance(document[0][1], JsonNumber)


def test_bytes_that_are_no_utf_8_are_replaced_inside_strings() -> None:
    assert parse_json(b'"\xff"') == "\ufffd"


def test_brackets_in_strings_are_not_depth() -> None:
    assert parse_json(b'"' + b"[" * 200 + b'"') == "[" * 200


def test_as_deep_as_allowed_is_fine() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@given(
    st.binary(max_size=30) | st.text('{}[]",:0123.eE+-truefalsn\\u ', max_size=30).map(str.encode)
)
@example(b"-")
@example(b'{"a":')
def test_any_bytes_are_json_exactly_if_they_are_for_python(body: bytes) -> None:
    assert is_json(body) == is_json_for_python(body)


def is_json(body: bytes) -> bool:
    try:
        parse_json(body)
    except GoSyntaxError:
        return False
    return True


def is_json_for_python(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8", "replace"), parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(name)
