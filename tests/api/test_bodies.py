"""The bodies of PUT /v1/setup and PATCH /v1/scenarios/{name}."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api import ScenarioChange
from pytest_k6api.api.go_scanner import GoSyntaxError
from pytest_k6api.api.scenario_change import decode_scenario_change
from pytest_k6api.api.setup_body import setup_text
from pytest_k6api.model import ControlError


def envelope(text: str) -> bytes:
    return f'{{"data":{{"type":"setupData","id":"default","attributes":{text}}}}}'.encode()


def test_an_empty_body_removes_the_setup_data() -> None:
    assert setup_text(b"") is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b' {"a": 1.50, "a": [1, 2]} ', '{"a":1.50,"a":[1,2]}'),
        (b"null", "null"),
        (b'"<"', '"\\u003c"'),
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
    assert setup_text(envelope(f'{{"data":{text}}}')) == text.replace("<", "\\u003c")


def test_an_envelope_without_data_removes_the_setup_data() -> None:
    assert setup_text(envelope("{}")) is None


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_what_get_answers_can_be_put_back(data: object) -> None:
    text = setup_text(envelope(json.dumps({"data": data})))

    assert text is not None
    assert json.loads(text) == json.loads(json.dumps(data))


def test_a_body_that_is_no_json_is_an_error() -> None:
    with pytest.raises(GoSyntaxError):
        setup_text(b"  ")


def scenario(text: str) -> bytes:
    return f'{{"data":{{"attributes":{text}}}}}'.encode()


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("{}", ScenarioChange()),
        ('{"paused":true}', ScenarioChange(paused=True)),
        ('{"vus":5,"rate":2.5}', ScenarioChange(vus=5, rate=2.5)),
        ('{"vus":5.0}', ScenarioChange(vus=5)),
        ('{"vus":null,"rate":null}', ScenarioChange(give_back=frozenset({"vus", "rate"}))),
    ],
)
def test_a_scenario_can_be_paused_overridden_and_given_back(
    text: str, change: ScenarioChange
) -> None:
    assert decode_scenario_change(scenario(text)) == change


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "unexpected end of JSON input"),
        (b"[]", "the body must be an object"),
        (b"{}", "data must be an object"),
        (b'{"data":{}}', "data.attributes must be an object"),
        (b'{"dat":{}}', "the body does not take 'dat'; it takes data"),
        (b'{"data":{"type":"x","attributes":{}}}', "data.type is 'scenarios' or left out"),
        (b'{"data":{"id":1,"attributes":{}}}', "data.id is a string or left out"),
        (
            scenario('{"vuss":1}'),
            "data.attributes does not take 'vuss'; it takes paused, rate, vus",
        ),
        (scenario('{"paused":null}'), "paused must be true or false"),
        (scenario('{"vus":1.5}'), "vus must be a whole number, got 1.5"),
        (scenario('{"vus":-1}'), "vus must be null or a number from 0 to 1000000"),
        (scenario('{"vus":"1"}'), "vus must be null or a number from 0 to 1000000"),
        (scenario('{"rate":1e400}'), "rate must be null or a number from 0 to 1000000000"),
    ],
)
def test_anything_else_about_a_scenario_is_refused_with_a_remedy(body: bytes, detail: str) -> None:
    with pytest.raises(ControlError) as caught:
        decode_scenario_change(body)

    assert (caught.value.status, caught.value.detail) == (400, detail)
