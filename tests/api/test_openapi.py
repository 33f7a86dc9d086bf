"""The OpenAPI document, and what schemathesis makes of it against a served API."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pytest_k6api.api import ApiLimits
from pytest_k6api.api.extensions.openapi import describe
from pytest_k6api.api.server.service import ENDPOINTS
from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.recorded import load_exchanges
from tests.api.wire import served

# Any stands for schemathesis' own types, which the type checker need not have installed.
schemathesis: Any = pytest.importorskip("schemathesis")

# An event stream has no end. k6 answers commands that make no sense now with 500, and
# numbers that contradict each other, which no schema can know, with 400. To JSON Schema
# 1e20 is an integer, to k6 and to us a number that no count of VUs can be; and what a
# metric's name or a statistic may be is a grammar.
DOCUMENT = describe(ENDPOINTS, asks_token=False)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/v1/events")
CHECKS = {check.__name__: check for check in schemathesis.checks.CHECKS.get_all()}
REFUSALS = {
    "Pause error": ["not_a_server_error"],
    "Error executing setup": ["not_a_server_error"],
    "Error executing teardown": ["not_a_server_error"],
    "Config update error": ["positive_data_acceptance"],
    "Invalid data": ["positive_data_acceptance"],
    "Invalid metric query": ["positive_data_acceptance"],
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    recorded = {exchange.name: exchange for exchange in load_exchanges()}
    load_test = recorded["mall_metrics_mid"].load_test()
    load_test.root = recorded["mall_groups_end"].load_test().root
    load_test.setup = lambda: '{"user":"anna"}'
    session = FakeSession(FakeLoadTest("ended-linger", test_id="t0"), load_test)
    # A busy machine may take its time.
    patient = ApiLimits(idle_time=60, body_time=60, send_time=60)
    with served(session, limits=patient) as address:
        yield f"http://{address}"


@pytest.mark.slow
@pytest.mark.sockets
@SCHEMA.parametrize()
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_schemathesis_finds_nothing(case: Any, url: str) -> None:
    response = case.call(base_url=url, timeout=60)

    refusal = _refusal(response)
    excluded = [
        CHECKS[name] for text, names in REFUSALS.items() if text in refusal for name in names
    ]
    case.validate_response(response, excluded_checks=excluded)


def _refusal(response: Any) -> str:
    if response.status_code not in (400, 500):
        return ""
    error = response.json()["errors"][0]
    return f"{error['title']}: {error.get('detail', '')}"


def test_every_route_is_described() -> None:
    paths = DOCUMENT["paths"]
    assert isinstance(paths, dict)
    described = {(method.upper(), path) for path, item in paths.items() for method in item}

    assert described == {(r.method, r.path.replace("...", "")) for r in ENDPOINTS}


def test_operations_have_names_of_their_own_and_say_what_they_do() -> None:
    paths = DOCUMENT["paths"]
    assert isinstance(paths, dict)
    operations = [operation for item in paths.values() for operation in item.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") for operation in operations)


def test_a_token_is_described_where_one_is_asked_for() -> None:
    document = describe(ENDPOINTS, asks_token=True)

    assert document["security"] == [{"token": []}]
    assert "securitySchemes" in str(document["components"])
    assert "'401'" in str(document["paths"])
