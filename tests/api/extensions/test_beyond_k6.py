"""What k6's API does not have: tests, scenarios, thresholds, failures, statistics, the page."""

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_k6api.metrics import MetricSnapshot, ThresholdSnapshot
from pytest_k6api.model import Contains, MetricKind, WorkerState, WorkerStatus
from pytest_k6api.vu import Failure, FailureKind
from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.wire import get, served, status_of

pytestmark = pytest.mark.sockets

# What a JSON reader gives.
Json = Any

SLOW = ThresholdSnapshot(
    metric="http_req_duration", source="p(95)<200", ok=False, observed=250.5, samples=90
)
DURATION = MetricSnapshot(
    id="http_req_duration",
    name="http_req_duration",
    kind=MetricKind.TREND,
    contains=Contains.TIME,
    sample={"avg": 2.0, "min": 1.0, "med": 1.5, "max": 9.0, "p(90)": 4.0, "p(95)": 5.0},
    extra={"count": 90.0, "sum": 180.0, "p(50)": 1.5, "p(99)": 8.0},
    samples=90,
    tainted=True,
    thresholds=(SLOW,),
)
WORKER = WorkerStatus(
    number=2,
    share=1,
    place="process 4711",
    state=WorkerState.BLOCKED,
    vus=25,
    rate=None,
    cpu=0.83,
    memory=61_210_624,
    late=2.5,
    clock_offset=-0.25,
    last_heard=0.31,
    lost="",
    limits=("limited by the generator",),
)
FAILURE = Failure(
    kind=FailureKind.ITERATION,
    scenario="default",
    message="AssertionError: assert 500 == 200",
    location="tests/test_shop.py:12",
    count=3,
    share=0.25,
    first_at=0.5,
    last_at=2.25,
    workers=("worker 1",),
    first_traceback=None,
    examples=(),
    hint="use assert",
)


def measured(count: int) -> MetricSnapshot:
    return MetricSnapshot(
        id="http_reqs",
        name="http_reqs",
        kind=MetricKind.COUNTER,
        contains=Contains.DEFAULT,
        sample={"count": float(count), "rate": 12.5},
        extra={},
        samples=count,
    )


class Browser:
    """Asks the API for JSON."""

    def __init__(self, address: str, first: FakeLoadTest, current: FakeLoadTest) -> None:
        self.address = address
        self.first = first
        self.current = current

    def ask(self, path: str, *, method: str = "GET", body: str | None = None) -> tuple[int, Json]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, path, body)
        response = connection.getresponse()
        document = json.load(response)
        connection.close()
        return response.status, document


@pytest.fixture
def browser() -> Iterator[Browser]:
    first = FakeLoadTest("ended-linger", test_id="first")
    current = FakeLoadTest(test_id="second")
    for load_test, count in ((first, 70), (current, 7)):
        load_test.metrics = {"http_reqs": measured(count), "http_req_duration": DURATION}
    current.failures = (FAILURE,)
    with served(FakeSession(first, current)) as address:
        yield Browser(address, first, current)


def test_workers_are_listed_with_what_they_do_and_how_they_are(browser: Browser):
    browser.current.workers = (WORKER,)

    assert browser.ask("/v1/tests/first/workers") == (200, {"data": []})
    status, document = browser.ask("/v1/workers")

    assert status == 200
    assert document["data"] == [
        {
            "type": "workers",
            "id": "2",
            "attributes": {
                "place": "process 4711",
                "state": "blocked",
                "vus": 25,
                "rate": None,
                "cpu": 0.83,
                "memory": 61_210_624,
                "late": 2.5,
                "clock-offset": -0.25,
                "last-heard": 0.31,
                "lost": "",
                "share": 1,
                "lost-at": None,
                "kept-until": None,
                "follows": None,
                "began-at": None,
                "limits": ["limited by the generator"],
            },
        }
    ]


def test_the_sessions_load_tests_are_listed_in_their_order(browser: Browser) -> None:
    status, document = browser.ask("/v1/tests")

    assert status == 200
    assert [item["id"] for item in document["data"]] == ["first", "second"]
    assert document["data"][0]["attributes"] == {
        "name": "tests/test_shop.py::test_browse",
        "outcome": "passed",
        "status": 9,
        "running": False,
        "started-at": 1_800_000_000,
        "ended-at": 1_800_000_060,
        "elapsed": 3.5,
        "current": False,
    }
    assert browser.ask("/v1/tests/second")[1]["data"]["attributes"]["current"] is True


def test_an_ended_load_test_keeps_its_results(browser: Browser) -> None:
    _, ended = browser.ask("/v1/tests/first/metrics/http_reqs")
    _, current = browser.ask("/v1/metrics/http_reqs")

    assert ended["data"]["attributes"]["sample"]["count"] == 70
    assert current["data"]["attributes"]["sample"]["count"] == 7


@pytest.mark.parametrize(
    "what",
    ["status", "metrics", "groups", "setup", "scenarios", "thresholds", "failures", "timeline"],
)
def test_each_load_test_answers_for_itself(browser: Browser, what: str) -> None:
    assert browser.ask(f"/v1/tests/first/{what}")[0] == 200
    assert browser.ask(f"/v1/tests/nope/{what}") == (
        404,
        {
            "errors": [
                {
                    "status": "404",
                    "title": "Not Found",
                    "detail": "No load test with that ID was found",
                }
            ]
        },
    )


def test_between_load_tests_the_last_one_answers(browser: Browser) -> None:
    browser.current.enter("interrupted-linger")

    _, document = browser.ask("/v1/status")

    assert document["data"]["attributes"]["status"] == 10
    assert document["data"]["attributes"]["running"] is False


def test_stopping_the_session_reaches_the_load_test(browser: Browser) -> None:
    body = '{"data":{"attributes":{"stopped":true,"scope":"session"}}}'

    status, document = browser.ask("/v1/status", method="PATCH", body=body)

    assert (status, document["data"]["attributes"]["stopped"]) == (200, True)
    assert browser.current.session_ended


def test_a_blocked_loop_is_told_and_a_stop_is_left_for_it(browser: Browser) -> None:
    browser.current.blocked = 3.25

    _, seen = browser.ask("/v1/status")
    status, document = browser.ask(
        "/v1/status", method="PATCH", body='{"data":{"attributes":{"stopped":true}}}'
    )

    still = "event loop blocked for 3.2 s by a scenario"
    assert seen["meta"] == {"unresponsive": 3.25, "detail": still}
    assert status == 202
    assert document["data"]["attributes"]["stopped"] is False
    assert document["meta"] == {
        "delivery": "later",
        "detail": f"{still}; the change is made when it goes on",
    }
    browser.current.unblock()
    assert browser.ask("/v1/status")[1]["data"]["attributes"]["stopped"] is True


def test_a_blocked_loop_has_no_timeline(browser: Browser) -> None:
    browser.current.blocked = 3.25

    status, document = browser.ask("/v1/timeline")

    assert status == 503
    assert document["errors"][0]["detail"] == "the event loop is blocked; try again"


@pytest.mark.parametrize("points", ["0", "3601", "many", "9" * 5_000])
def test_a_timeline_has_1_to_3600_points(browser: Browser, points: str) -> None:
    status, document = browser.ask(f"/v1/timeline?points={points}")

    assert status == 400
    assert "points is a number from 1 to 3600" in document["errors"][0]["detail"]


def test_a_change_of_a_scenario_is_left_for_a_blocked_loop(browser: Browser) -> None:
    browser.current.blocked = 3.25

    status, document = browser.ask(
        "/v1/scenarios/default", method="PATCH", body='{"data":{"attributes":{"vus":1}}}'
    )

    assert (status, document["meta"]["delivery"]) == (202, "later")
    assert document["data"]["attributes"]["overrides"] == {}


def test_a_change_is_made_whole_or_not_at_all(browser: Browser) -> None:
    body = '{"data":{"attributes":{"paused":true,"vus":99}}}'

    assert browser.ask("/v1/status", method="PATCH", body=body)[0] == 400
    assert browser.ask("/v1/status")[1]["data"]["attributes"]["paused"] is False


def test_scenarios_show_what_was_overridden_and_give_it_back(browser: Browser) -> None:
    path = "/v1/scenarios/default"
    patch = '{"data":{"attributes":{"vus":%s}}}'

    status, document = browser.ask(path, method="PATCH", body=patch % 7)
    assert (status, document["data"]["attributes"]["overrides"]) == (200, {"vus": 7})
    assert browser.ask("/v1/scenarios")[1]["data"] == [document["data"]]

    browser.ask(path, method="PATCH", body=patch % "null")
    assert browser.ask(path)[1]["data"]["attributes"]["overrides"] == {}


def test_a_scenario_that_is_not_there_is_not_found(browser: Browser) -> None:
    rate = '{"data":{"attributes":{"rate":5}}}'

    assert browser.ask("/v1/scenarios/nope")[0] == 404
    assert browser.ask("/v1/scenarios/nope", method="PATCH", body=rate)[0] == 404


def test_thresholds_tell_by_what_they_were_judged(browser: Browser) -> None:
    _, document = browser.ask("/v1/thresholds")

    assert document["data"] == [
        {
            "type": "thresholds",
            "id": "http_req_duration: p(95)<200",
            "attributes": {
                "metric": "http_req_duration",
                "expression": "p(95)<200",
                "window": "",
                "ok": False,
                "observed": 250.5,
                "samples": 90,
                "abort-on-fail": False,
                "crossed-at": None,
            },
        }
    ]


def test_failures_come_grouped(browser: Browser) -> None:
    _, document = browser.ask("/v1/failures")

    (failure,) = document["data"]
    assert failure["attributes"] == {
        "kind": "iteration",
        "scenario": "default",
        "message": "AssertionError: assert 500 == 200",
        "place": "tests/test_shop.py:12",
        "count": 3,
        "share": 0.25,
        "first-at": 0.5,
        "last-at": 2.25,
        "workers": ["worker 1"],
        "details": "on worker 1\nuse assert",
    }


def test_any_statistics_of_a_metric_can_be_asked_for(browser: Browser) -> None:
    _, document = browser.ask("/v1/metrics/http_req_duration?stats=p(99.9),count,%20max,max")

    assert document["data"]["attributes"]["sample"] == {"count": 90, "max": 9, "p(99.9)": 7.5}


def test_a_statistic_or_filter_that_cannot_be_read_is_told(browser: Browser) -> None:
    status, document = browser.ask("/v1/metrics/http_req_duration?stats=mode")
    assert (status, document["errors"][0]["title"]) == (400, "Invalid metric query")

    assert browser.ask("/v1/metrics/http_reqs%7Bname")[0] == 400
    assert browser.ask("/v1/metrics/nope?stats=max")[0] == 404


def test_a_number_that_is_not_finite_breaks_no_list(browser: Browser) -> None:
    broken = replace(measured(1), sample={"count": float("inf"), "rate": float("nan")})
    browser.current.metrics["http_reqs"] = broken

    _, document = browser.ask("/v1/metrics")

    assert document["data"][0]["attributes"]["sample"] == {"count": None, "rate": None}
    assert len(document["data"]) == 2


def test_half_an_emoji_in_a_name_breaks_no_reply(browser: Browser) -> None:
    metric_id = "http_reqs{name:\ud83d}"
    browser.current.metrics = {
        metric_id: replace(measured(1), id=metric_id, sample={"count": 1.0, "rate": float("inf")})
    }
    browser.current.failures = (replace(FAILURE, message="'\ud83d' != 'x'"),)

    status, document = browser.ask("/v1/metrics")

    assert status == 200
    assert document["data"][0]["attributes"]["sample"] == {"count": 1, "rate": None}
    assert browser.ask("/v1/failures")[0] == 200
    assert status_of(get(browser.address, "/metrics")) == 200


def test_a_metric_id_that_no_metric_can_have_is_not_found(browser: Browser) -> None:
    assert browser.ask("/v1/metrics/no%20name")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/metrics/http_reqs", None, 404),
        ("GET", "/v1/scenarios", None, 200),
        ("GET", "/v1/workers", None, 200),
        ("GET", "/v1/tests", None, 200),
        ("PATCH", "/v1/status", "{}", 200),
        ("PATCH", "/v1/status", '{"data":{"attributes":{"stopped":true}}}', 409),
        ("PATCH", "/v1/scenarios/a", '{"data":{"attributes":{"vus":1}}}', 404),
        ("POST", "/v1/setup", None, 409),
        ("PUT", "/v1/setup", "1", 409),
        ("POST", "/v1/teardown", None, 409),
    ],
)
def test_before_the_first_load_test_everything_is_empty_and_commands_are_refused(
    method: str, path: str, body: str | None, status: int
) -> None:
    nobody = FakeLoadTest()
    with served(FakeSession()) as address:
        assert Browser(address, nobody, nobody).ask(path, method=method, body=body)[0] == status


def test_the_index_lists_what_there_is_and_loads_nothing_from_elsewhere(browser: Browser) -> None:
    reply = get(browser.address, "/v1/").decode()

    assert status_of(reply.encode()) == 200
    assert "curl -X PATCH http://localhost:6565/v1/status" in reply
    assert "/v1/scenarios/{name}" in reply
    assert re.findall(r"(?:src|href)\s*=\s*\"([^\"]*)\"", reply) == ["/v1/openapi.json"]
    assert "default-src 'none'" in reply


def test_a_token_is_asked_for_everywhere_and_never_told() -> None:
    with served(FakeSession(FakeLoadTest()), token="s3cret") as address:
        for path in ("/v1/status", "/v1/", "/ping", "/metrics", "/v1/openapi.json", "/nope"):
            refused = get(address, path)
            assert status_of(refused) == 401
            assert b"www-authenticate: Bearer" in refused
            allowed = get(address, path, "Authorization: Bearer s3cret")
            assert status_of(allowed) == 200
            assert b"s3cret" not in refused + allowed
