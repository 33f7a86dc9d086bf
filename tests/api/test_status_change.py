import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api import StatusChange
from pytest_k6api.api.status_change import decode_status_change
from pytest_k6api.model import ControlError

MEMBER = "json: cannot unmarshal {} into Go struct field Status.data.attributes.{} of type {}"

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["data", "attributes", "vus", "vus-max", "paused", "stopped", "type"]),
            inner,
            max_size=3,
        )
    ),
)


def attributes(text: str) -> bytes:
    return f'{{"data":{{"attributes":{text}}}}}'.encode()


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b'{"data":null}', attributes("null"), attributes("{}")]
)
def test_a_body_without_attributes_changes_nothing(body: bytes) -> None:
    assert decode_status_change(body) == StatusChange()


def test_all_that_can_be_asked_for() -> None:
    body = attributes('{"paused":true,"vus":3,"vus-max":9,"stopped":true,"scope":"session"}')

    assert decode_status_change(body) == StatusChange(
        paused=True, vus=3, vus_max=9, stopped=True, whole_session=True
    )


@pytest.mark.parametrize(
    ("text", "vus"),
    [
        ("null", None),
        ('""', None),
        ("3", 3),
        ("-1", -1),
        ('"3"', 3),
        ('"+03"', 3),
        ('"-9223372036854775808"', -(2**63)),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_vus_may_be_a_number_or_text_or_not_given(text: str, vus: int | None) -> None:
    assert decode_status_change(attributes(f'{{"vus":{text}}}')).vus == vus


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('{"vus":2.0}', MEMBER.format("number 2.0", "vus", "int64")),
        ('{"vus":2e0}', MEMBER.format("number 2e0", "vus", "int64")),
        (
            '{"vus":9223372036854775808}',
            MEMBER.format("number 9223372036854775808", "vus", "int64"),
        ),
        ('{"vus":1e400}', MEMBER.format("number 1e400", "vus", "float64")),
        ('{"vus":true}', "json: cannot unmarshal bool into Go value of type null.Int"),
        ('{"vus":[1]}', "json: cannot unmarshal  into Go value of type null.Int"),
        ('{"vus":{}}', "json: cannot unmarshal object into Go value of type null.Int"),
        ('{"vus":"x"}', 'strconv.ParseInt: parsing "x": invalid syntax'),
        ('{"vus":" 1"}', 'strconv.ParseInt: parsing " 1": invalid syntax'),
        (
            '{"vus":"9223372036854775808"}',
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        ('{"paused":"yes"}', "json: cannot unmarshal string into Go value of type null.Bool"),
        ('{"paused":1}', "json: cannot unmarshal float64 into Go value of type null.Bool"),
        ('{"stopped":1}', MEMBER.format("number", "stopped", "bool")),
        ('{"status":"Running"}', MEMBER.format("string", "status", "lib.ExecutionStatus")),
        (
            '{"status":4294967296}',
            MEMBER.format("number 4294967296", "status", "lib.ExecutionStatus"),
        ),
        ('{"scope":"world"}', 'the scope of a stop is "test" or "session", got a JSON string'),
        # Go remembers the first mismatch, but a value that k6 itself reads ends it all.
        ('{"stopped":1,"running":2}', MEMBER.format("number", "stopped", "bool")),
        ('{"stopped":1,"vus":"x"}', 'strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_a_value_of_another_type_is_refused_in_k6s_words(text: str, detail: str) -> None:
    with pytest.raises(ControlError) as caught:
        decode_status_change(attributes(text))

    assert (caught.value.status, caught.value.title) == (400, "Invalid data")
    assert caught.value.detail == detail


def test_keys_match_in_any_case_and_the_last_of_two_wins() -> None:
    body = b'{"DATA":{"Attributes":{"VUs":3,"vus":2,"pau\xc5\xbfed":true}},"data":{}}'

    assert decode_status_change(body) == StatusChange(vus=2, paused=True)


def test_null_takes_back_what_came_before_it_only_where_null_is_a_value() -> None:
    body = attributes('{"vus":3,"vus":null,"stopped":true,"stopped":null}')

    assert decode_status_change(body) == StatusChange(stopped=True)


@given(JSON_VALUES)
def test_any_document_is_a_change_or_invalid_data(document: object) -> None:
    outcome = decoded(json.dumps(document).encode())

    assert isinstance(outcome, StatusChange) or outcome.title == "Invalid data"


def decoded(body: bytes) -> StatusChange | ControlError:
    try:
        return decode_status_change(body)
    except ControlError as error:
        return error
