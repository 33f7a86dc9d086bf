"""The body of PATCH /v1/status."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api.k6.status_change import decode_status_change
from pytest_k6api.model import Command, ControlError

EXAMPLE = '; write {"data":{"attributes":{"paused":true}}}'

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
    "body",
    [
        b"{}",
        b"null",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":{"type":"status","id":"default"}}',
        attributes("null"),
        attributes("{}"),
        attributes('{"unknown":1}'),
    ],
)
def test_a_body_without_attributes_changes_nothing(body: bytes) -> None:
    assert decode_status_change(body) == Command()


def test_all_that_can_be_asked_for() -> None:
    body = attributes('{"paused":true,"vus":3,"vus-max":9,"stopped":true,"scope":"session"}')

    assert decode_status_change(body) == Command(
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
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_vus_may_be_a_number_or_text_or_not_given(text: str, vus: int | None) -> None:
    assert decode_status_change(attributes(f'{{"vus":{text}}}')).vus == vus


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is empty"),
        (b"  ", "the body is empty"),
        (b"[]", "the body: expected 'object | null', got 'array'"),
        (b'{"data":', "the body is not JSON: it ends too early"),
        (b"{not json", "the body is not JSON: object keys must be strings (byte 1)"),
        (b"{} x", "the body is not JSON: trailing characters (byte 4)"),
        (b'{"x":' * 5000, "the body is nested too deeply"),
        (
            attributes('{"vus":2.0}'),
            "data.attributes.vus: expected 'int | str | null', got 'float'",
        ),
        (attributes('{"vus":1e400}'), "data.attributes.vus: number out of range"),
        (attributes(f'{{"vus":{"9" * 5000}}}'), "data.attributes.vus: integer value out of range"),
        (
            attributes('{"vus":true}'),
            "data.attributes.vus: expected 'int | str | null', got 'bool'",
        ),
        (
            attributes('{"paused":"yes"}'),
            "data.attributes.paused: expected 'bool | null', got 'str'",
        ),
        (attributes('{"scope":"world"}'), "data.attributes.scope: invalid enum value 'world'"),
        (b'{"data":{"id":1}}', "data.id: expected 'str | null', got 'int'"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_its_place_and_an_example(
    body: bytes, problem: str
) -> None:
    with pytest.raises(ControlError) as caught:
        decode_status_change(body)

    assert (caught.value.status, caught.value.title) == (400, "Invalid data")
    assert caught.value.detail == problem + EXAMPLE


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"paused":true}', "the body: object contains unknown field 'paused'"),
        (
            b'{"DATA":{"attributes":{"vus":1}}}',
            "the body: object contains unknown field 'DATA'",
        ),
        (b'{"data":{"vus":1}}', "data: object contains unknown field 'vus'"),
    ],
)
def test_attributes_without_their_envelope_are_refused_because_nothing_would_change(
    body: bytes, problem: str
) -> None:
    with pytest.raises(ControlError) as caught:
        decode_status_change(body)

    assert caught.value.status == 400
    assert caught.value.detail == problem + EXAMPLE


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 2_000_000,
        b'"' * 4_000_000,
        b'{"' * 2_000_000,
        b'{"a":"' * 600_000,
        b'{"data":"' + b"\\\\" * 2_000_000,
        b"[" * 4_000_000,
        b"[{}," * 1_000_000,
        b"-" * 4_000_000,
        b"1" * 4_000_000,
        b'"\\ud83d' * 500_000,
        b" " * 4_000_000,
        b'{"' + b"k" * 4_000_000 + b'":1}',
        b"{" + b",".join(b'"%d":0' % number for number in range(400_000)) + b"}",
    ],
    ids=range(13),
)
def test_four_megabytes_of_anything_are_refused_in_no_time(body: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(ControlError) as caught:
        decode_status_change(body)

    assert len(caught.value.detail) < 300
    # Linear: some 10 ms. The quadratic time of a back-tracking reader would be hours.
    assert time.thread_time() - began < 2


@given(JSON_VALUES)
def test_any_document_is_a_change_or_invalid_data(document: object) -> None:
    outcome = decoded(json.dumps(document).encode())

    assert isinstance(outcome, Command) or outcome.title == "Invalid data"


@given(st.binary(max_size=40))
def test_any_bytes_are_a_change_or_invalid_data(body: bytes) -> None:
    outcome = decoded(body)

    assert isinstance(outcome, Command) or outcome.status == 400


def decoded(body: bytes) -> Command | ControlError:
    try:
        return decode_status_change(body)
    except ControlError as error:
        return error
