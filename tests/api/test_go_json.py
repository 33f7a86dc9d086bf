import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api.go_json import RawJson, compact, format_float, to_json

JSON_VALUES = st.recursive(
    # A surrogate on its own is no text: Go replaces it, and so do we.
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('abc<&"\\é'), inner, max_size=3)
    ),
    max_leaves=8,
)

# From Go 1.24: json.Marshal of each number.
GO_FLOATS = {
    0.0: "0",
    20.0: "20",
    -1.5: "-1.5",
    0.1: "0.1",
    335.7430366881543: "335.7430366881543",
    1e20: "100000000000000000000",
    123456789012345680000.0: "123456789012345680000",
    1e21: "1e+21",
    1.5e300: "1.5e+300",
    1e-6: "0.000001",
    1.25e-6: "0.00000125",
    1e-7: "1e-7",
    5e-324: "5e-324",
}


@given(JSON_VALUES)
def test_a_reader_gets_back_what_was_written(value: object) -> None:
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize(("number", "written"), GO_FLOATS.items())
def test_floats_are_written_as_go_writes_them(number: float, written: str) -> None:
    assert format_float(number) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_float_is_lost_or_superfluous(number: float) -> None:
    written = format_float(number)

    assert float(written) == number
    assert not written.endswith(".0")


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_null(number: float) -> None:
    assert to_json([1, number]) == b"[1,null]"


def test_text_is_escaped_for_html_and_else_left_as_it_is() -> None:
    assert (
        to_json("<b>&\u2028é\ud800\n") == b'"\\u003cb\\u003e\\u0026\\u2028\xc3\xa9\xef\xbf\xbd\\n"'
    )


def test_documents_are_compact_and_keep_the_order_of_their_keys() -> None:
    assert to_json({"b": [1, True, None], "a": {}}) == b'{"b":[1,true,null],"a":{}}'


def test_json_that_is_ready_goes_in_as_it_is() -> None:
    assert to_json({"data": RawJson("1.50")}) == b'{"data":1.50}'


def test_what_json_does_not_know_is_an_error() -> None:
    with pytest.raises(TypeError, match="cannot write set as JSON"):
        to_json({"a": {1}})


@given(JSON_VALUES)
def test_compacting_changes_no_value(value: object) -> None:
    short = compact(json.dumps(value, indent=3))

    assert json.loads(short) == value
    assert compact(short) == short


def test_compacting_keeps_digits_duplicate_keys_and_spaces_in_strings() -> None:
    text = ' { "a b" : 12345678901234567890.50 ,\n "a b" : "< \\" > " } '

    assert compact(text) == '{"a b":12345678901234567890.50,"a b":"\\u003c \\" \\u003e "}'
