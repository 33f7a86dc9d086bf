"""The bodies of PUT /v1/setup and PATCH /v1/scenarios/{name}."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api.documents import Document, encode, setup_data
from pytest_k6api.api.extensions.scenario_change import decode_scenario_change
from pytest_k6api.api.k6.setup_data import setup_text
from pytest_k6api.model import Command, ControlError

REMEDY = '; write {"data":{"attributes":{"vus":5}}}, with any of paused, vus and rate'


def envelope(text: str) -> bytes:
    return f'{{"data":{{"type":"setupData","id":"default","attributes":{text}}}}}'.encode()


def test_an_empty_body_removes_the_setup_data() -> None:
    assert setup_text(b"") is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b' {"a": 1.50, "a": [1, 2]} ', '{"a":1.50,"a":[1,2]}'),
        (b"null", "null"),
        (b'"<"', '"<"'),
        (b"12345678901234567890.50", "12345678901234567890.50"),
        (b"1e400", "1e400"),
        (b'"\xff"', '"\ufffd"'),
        (b'"' + b"9" * 5000 + b'"', '"' + "9" * 5000 + '"'),
        (b'{"data":{"attributes":{"data":1}}}', '{"data":{"attributes":{"data":1}}}'),
        (b'{"data":{"type":"setupData"}}', '{"data":{"type":"setupData"}}'),
        (
            b'{"data":{"type":"setupData","attributes":{"data":1,"x":2}}}',
            '{"data":{"type":"setupData","attributes":{"data":1,"x":2}}}',
        ),
        (
            b'{"data":{"type":"setupData","attributes":{"data":1}},"more":1}',
            '{"data":{"type":"setupData","attributes":{"data":1}},"more":1}',
        ),
    ],
)
def test_any_json_is_the_setup_data_as_it_is(body: bytes, text: str) -> None:
    assert setup_text(body) == text


@pytest.mark.parametrize("text", ['{"a":1.50,"a":[1,{"b":null}]}', "null", "true", '"x<y"', "-0"])
def test_the_envelope_of_the_documentation_is_unwrapped(text: str) -> None:
    assert setup_text(envelope(f'{{"data":{text}}}')) == text


def test_an_envelope_without_data_removes_the_setup_data() -> None:
    assert setup_text(envelope("{}")) is None


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_what_get_answers_can_be_put_back(data: object) -> None:
    text = setup_text(envelope(json.dumps({"data": data})))

    assert text is not None
    assert json.loads(text) == json.loads(json.dumps(data))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"  ", 'the body is empty; write any JSON, such as {"user":"anna"}'),
        (b"{bad", "the body is not JSON: expected '\"' (byte 1)"),
        (b"NaN", "the body is not JSON: invalid character (byte 0)"),
        (b"[" * 5000 + b"]" * 5000, "the body is nested too deeply"),
        (b"[" * 501 + b"]" * 501, "the body may be nested 500 deep; write flatter data"),
        (b"9" * 5000, "the body: a number has more than 4,300 digits; write it as a string"),
        (
            envelope(f'{{"data":[{"9" * 5000}]}}'),
            "the body: a number has more than 4,300 digits; write it as a string",
        ),
    ],
)
def test_what_no_virtual_user_could_read_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(ControlError) as caught:
        setup_text(body)

    assert (caught.value.status, caught.value.title) == (400, "Error parsing request body")
    assert caught.value.detail.startswith(problem)


@pytest.mark.parametrize("text", ['"\ud83d"', '{"half an emoji \ud83d":"\ud83d"}'])
def test_setup_data_with_half_an_emoji_can_be_shown(text: str) -> None:
    reply = encode(Document(setup_data(text)))

    assert json.loads(reply)["data"]["attributes"]["data"] == json.loads(text)


def scenario(text: str) -> bytes:
    return f'{{"data":{{"attributes":{text}}}}}'.encode()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("{}", Command(scenario="test_buy")),
        ('{"paused":true}', Command(scenario="test_buy", paused=True)),
        ('{"vus":5.0}', Command(scenario="test_buy", vus=5)),
        ('{"vus":5,"rate":2.5}', Command(scenario="test_buy", vus=5, rate=2.5)),
        (
            '{"vus":null,"rate":null}',
            Command(scenario="test_buy", give_back=frozenset({"vus", "rate"})),
        ),
    ],
)
def test_a_scenario_can_be_paused_overridden_and_given_back(text: str, command: Command) -> None:
    assert decode_scenario_change("test_buy", scenario(text)) == command


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the body is empty"),
        (b"[]", "the body: expected 'object', got 'array'"),
        (b"{}", "the body: object missing required field 'data'"),
        (b'{"data":{}}', "data: object missing required field 'attributes'"),
        (b'{"dat":{}}', "the body: object contains unknown field 'dat'"),
        (b'{"data":{"type":"x","attributes":{}}}', "data.type: invalid enum value 'x'"),
        (b'{"data":{"id":1,"attributes":{}}}', "data.id: expected 'str', got 'int'"),
        (scenario('{"vuss":1}'), "data.attributes: object contains unknown field 'vuss'"),
        (scenario('{"paused":null}'), "data.attributes.paused: expected 'bool', got 'null'"),
        (scenario('{"vus":1.5}'), "data.attributes.vus: expected 'float' that's a multiple of 1.0"),
        (scenario('{"vus":-1}'), "data.attributes.vus: expected 'float' >= 0.0"),
        (scenario('{"vus":"1"}'), "data.attributes.vus: expected 'float | null', got 'str'"),
        (scenario('{"rate":1e400}'), "data.attributes.rate: number out of range"),
    ],
)
def test_anything_else_about_a_scenario_is_refused_with_a_remedy(body: bytes, detail: str) -> None:
    with pytest.raises(ControlError) as caught:
        decode_scenario_change("test_buy", body)

    assert (caught.value.status, caught.value.detail) == (400, detail + REMEDY)
