"""The control API over real load tests: commands in every phase, between tests, under load."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import trio

from pytest_k6api.metrics import parse_thresholds
from pytest_k6api.model import ExecutorKind, ScenarioOptions
from pytest_k6api.model.metrics import BUILT_IN
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode
from pytest_k6api.vu import VU, UserFunction
from tests.run.live import Client, Json, Live, live, wait_until
from tests.run.twins import Gate

pytestmark = pytest.mark.sockets

PAUSED = RunSettings(paused=True)
KIND = ExecutorKind


@pytest.fixture
def stage() -> Iterator[Live]:
    with live() as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API wait 0.3 s for loops, not 2 s."""
    monkeypatch.setattr("pytest_k6api.run.session.PATIENCE", 0.3)


async def nap(vu: VU) -> None:
    await vu.sleep(0.01)


def planned(
    function: Callable[..., Any] = nap,
    *,
    name: str = "test_it",
    setup: Callable[..., Any] | None = None,
    teardown: Callable[..., Any] | None = None,
    thresholds: dict[str, object] | None = None,
    **options: Any,
) -> tuple[LoadTestPlan, UserCode]:
    given: dict[str, Any] = {
        "executor": KIND.CONSTANT_VUS,
        "vus": 2,
        "duration": 60.0,
        "graceful_stop": 0.0,
    }
    scenario = ScenarioOptions(name="it", **{**given, **options})
    plan = LoadTestPlan(
        name=name,
        scenarios=[scenario],
        thresholds=parse_thresholds(thresholds or {}, {each.name: each for each in BUILT_IN}),
    )
    code = UserCode(
        scenarios={"it": UserFunction(function=function)},
        setup=UserFunction(function=setup) if setup else None,
        teardown=UserFunction(function=teardown) if teardown else None,
    )
    return plan, code


def make_data() -> dict[str, int]:
    return {"b": 2}


def is_at(client: Client, status: int) -> bool:
    return wait_until(lambda: client.status()["status"] == status)


def error(reply: Any) -> tuple[int, str, str]:
    (item,) = reply.document["errors"]
    return reply.status, item["title"], item["detail"]


def later(seconds: float, fn: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, fn)
    timer.start()
    return timer


# Before the start


def test_a_command_waits_for_a_loop_that_is_about_to_start(stage: Live) -> None:
    load_test = stage.session.prepare(*planned(), PAUSED)
    thread = threading.Thread(target=load_test.run)
    later(0.2, thread.start).join()

    assert stage.client.patch(paused=False).status == 200
    assert is_at(stage.client, 7)
    stage.client.patch(stopped=True)
    thread.join(5)
    assert load_test.outcome == "interrupted"


def test_a_stop_is_not_lost_while_the_loop_is_about_to_start(stage: Live) -> None:
    load_test = stage.session.prepare(*planned(), RunSettings())
    thread = threading.Thread(target=load_test.run)
    starting = later(0.2, thread.start)

    assert stage.client.patch(stopped=True).attributes["stopped"] is True
    starting.join()
    thread.join(5)
    assert load_test.outcome == "interrupted"


def test_a_rate_for_an_executor_without_one_is_refused(stage: Live) -> None:
    running = stage.start(*planned())
    assert is_at(stage.client, 7)

    refused = stage.client.patch("/v1/scenarios/it", rate=5)

    assert error(refused) == (
        400,
        "Config update error",
        "constant-vus executor 'it' has no iteration rate; set its vus",
    )
    stage.client.patch(stopped=True)
    running.wait()


@pytest.mark.usefixtures("impatient")
def test_a_load_test_that_does_not_start_says_that_it_has_not_started(stage: Live) -> None:
    stage.session.prepare(*planned(), RunSettings())
    ask, detail = stage.client, "the load test has not started yet"

    assert error(ask.patch(paused=True)) == (409, "Pause error", detail)
    assert error(ask.patch(vus=1)) == (409, "Execution config error", detail)
    assert error(ask.patch(stopped=True)) == (409, "Execution config error", detail)
    assert error(ask.patch("/v1/scenarios/it", vus=1)) == (409, "Execution config error", detail)
    assert error(ask.send("POST", "/v1/setup")) == (409, "Error executing setup", detail)
    assert error(ask.send("POST", "/v1/teardown")) == (409, "Error executing teardown", detail)
    assert ask.patch().status == 200
    assert ask.status()["status"] == 0
    assert ask.send("PUT", "/v1/setup", b"[1]").attributes == {"data": [1]}
    assert ask.get("/v1/setup").attributes == {"data": [1]}


@pytest.mark.parametrize(
    "plan",
    [
        {"executor": KIND.EXTERNALLY_CONTROLLED, "vus": 1, "max_vus": 4, "duration": 0.0},
        {"executor": KIND.CONSTANT_VUS, "vus": 1},
        {"executor": KIND.SHARED_ITERATIONS, "vus": 1, "iterations": 100_000},
        {"executor": KIND.PER_VU_ITERATIONS, "vus": 1, "iterations": 100_000},
    ],
    ids=lambda plan: str(plan["executor"].value),
)
def test_vus_set_before_the_start_are_those_it_starts_with(
    stage: Live, plan: dict[str, Any]
) -> None:
    running = stage.start(*planned(**plan), PAUSED)
    assert is_at(stage.client, 4)
    before = stage.client.status()

    reply = stage.client.patch(vus=3, vus_max=5).attributes

    assert (reply["vus"], reply["vus-max"]) == (0, before["vus-max"])
    stage.client.patch(paused=False)
    assert wait_until(lambda: stage.client.status()["vus"] == 3)
    assert stage.client.status()["vus-max"] == 5
    stage.client.patch(stopped=True)
    running.wait()


def test_the_vus_of_an_arrival_rate_set_before_the_start_are_there(stage: Live) -> None:
    kind = KIND.CONSTANT_ARRIVAL_RATE
    plan = planned(executor=kind, vus=1, rate=50.0, pre_allocated_vus=1, max_vus=1)
    running = stage.start(*plan, PAUSED)
    assert is_at(stage.client, 4)

    stage.client.patch(vus=4, vus_max=5)
    stage.client.patch(paused=False)

    assert wait_until(lambda: stage.client.status()["vus-max"] >= 4)
    stage.client.patch(stopped=True)
    running.wait()


# Setup and teardown on request


def test_setup_and_teardown_run_on_request_in_every_phase(stage: Live) -> None:
    setup_gate, teardown_gate, ran = Gate(), Gate(), []

    async def setup() -> int:
        ran.append("setup")
        if len(ran) == 3:  # the load test's own
            await setup_gate.wait()
        return len(ran)

    async def teardown() -> None:
        ran.append("teardown")
        if len(ran) == 10:  # the load test's own
            await teardown_gate.wait()

    def ask_both(has_run: int) -> None:
        assert wait_until(lambda: len(ran) == has_run)
        number = has_run + 1
        assert stage.client.send("POST", "/v1/setup").attributes == {"data": number}
        reply = stage.client.send("POST", "/v1/teardown")
        assert (reply.status, reply.body) == (200, "")

    running = stage.start(*planned(setup=setup, teardown=teardown), PAUSED)
    client = stage.client
    for enter, status, has_run in (
        (list, 4, 0),
        (lambda: client.patch(paused=False), 6, 3),
        (setup_gate.open, 7, 5),
        (lambda: client.patch(paused=True), 7, 7),
        (lambda: client.patch(stopped=True), 8, 10),
    ):
        enter()
        assert is_at(client, status)
        ask_both(has_run)
    teardown_gate.open()
    running.wait()

    assert ran == [
        *("setup", "teardown"),  # paused before the start
        "setup",  # its own
        *("setup", "teardown") * 3,  # in setup, running, paused
        "teardown",  # its own
        *("setup", "teardown"),  # in teardown
    ]


def test_after_the_end_setup_and_teardown_are_refused_and_setup_data_can_be_put(
    stage: Live,
) -> None:
    stage.start(*planned(duration=0.1, setup=make_data)).wait()

    ended = "the load test has ended"
    post = stage.client.send("POST", "/v1/setup")
    assert error(post) == (500, "Error executing setup", ended)
    post = stage.client.send("POST", "/v1/teardown")
    assert error(post) == (500, "Error executing teardown", ended)
    assert error(stage.client.patch(vus=1)) == (500, "Execution config error", ended)
    assert error(stage.client.patch(paused=False)) == (500, "Pause error", ended)
    assert stage.client.patch(stopped=True).attributes["status"] == 9
    assert stage.client.send("PUT", "/v1/setup", b'{"a":1}').status == 200
    assert stage.client.get("/v1/setup").attributes == {"data": {"a": 1}}


def test_a_client_that_goes_away_cancels_the_setup_it_asked_for(stage: Live) -> None:
    seen = []

    async def setup() -> str:
        seen.append("began")
        try:
            await trio.sleep(30)
        except trio.Cancelled:
            seen.append("cancelled")
            raise
        return "never"

    running = stage.start(*planned(setup=setup), PAUSED)
    assert is_at(stage.client, 4)
    with pytest.raises(TimeoutError):
        stage.client.send("POST", "/v1/setup", timeout=0.3)

    assert wait_until(lambda: seen == ["began", "cancelled"])
    assert stage.client.get("/v1/setup").attributes == {}
    stage.client.patch(stopped=True)
    running.wait()


# A loop that does not move


@pytest.mark.usefixtures("impatient")
def test_a_blocked_loop_is_answered_for_and_takes_what_was_left_for_it(stage: Live) -> None:
    blocking = threading.Event()
    blocked = 2.5

    async def block() -> None:
        blocking.set()
        time.sleep(blocked)  # noqa: ASYNC251 - what is tested

    running = stage.start(*planned(block, vus=1))
    assert blocking.wait(5)
    time.sleep(0.6)

    began = time.monotonic()
    seen = stage.client.get("/v1/status")
    scaled = stage.client.patch("/v1/scenarios/it", vus=3)
    metrics = stage.client.get("/v1/metrics")
    stop = stage.client.patch(stopped=True)
    took = time.monotonic() - began

    assert took < 2
    assert seen.document["data"]["attributes"]["status"] == 7
    assert 0.5 <= seen.document["meta"]["unresponsive"] < blocked
    assert metrics.status == 200
    assert [(each.status, each.document["meta"]["delivery"]) for each in (scaled, stop)] == [
        (202, "later")
    ] * 2
    running.wait(2 * blocked)
    assert stage.client.status()["status"] == 10


# Under load


def test_two_hundred_clients_are_answered_while_a_load_runs(stage: Live) -> None:
    running = stage.start(*planned())
    assert is_at(stage.client, 7)
    with ExitStack() as connected:
        clients = [
            connected.enter_context(
                closing(http.client.HTTPConnection(stage.client.address, timeout=10))
            )
            for _ in range(200)
        ]
        seen = []
        for _ in range(2):
            for client in clients:
                client.request("GET", "/v1/status")
            seen += [json.loads(client.getresponse().read()) for client in clients]
        before = stage.client.metric("iterations")["count"]
        assert wait_until(lambda: stage.client.metric("iterations")["count"] > before)

    assert {each["data"]["attributes"]["status"] for each in seen} == {7}
    assert len(seen) == 400
    stage.client.patch(stopped=True)
    running.wait()


def test_prometheus_scrapes_while_a_load_runs(stage: Live) -> None:
    running = stage.start(*planned())
    assert wait_until(lambda: stage.client.metric("iterations"))

    reply = stage.client.get("/metrics")
    counted = [line for line in reply.body.splitlines() if line.startswith("k6_iterations")]
    assert (reply.status, reply.type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert float(counted[0].rpartition(" ")[2]) > 0
    stage.client.patch(stopped=True)
    running.wait()


# A whole life, and several


def test_a_load_test_goes_through_k6s_states(stage: Live) -> None:
    gates = [Gate(), Gate()]
    seen: list[tuple[int, bool, bool, bool]] = []

    def note(status: int) -> None:
        assert is_at(stage.client, status)
        attributes = stage.client.status()
        seen.append((status, attributes["running"], attributes["paused"], attributes["stopped"]))

    plan = planned(setup=gates[0].wait, teardown=gates[1].wait, duration=0.3)
    running = stage.start(*plan, PAUSED)
    note(4)
    stage.client.patch(paused=False)
    note(6)
    gates[0].open()
    note(7)
    note(8)
    gates[1].open()
    note(9)
    running.wait()

    assert seen == [
        (4, False, True, False),
        (6, True, False, False),
        (7, True, False, False),
        (8, True, False, False),
        (9, False, False, False),
    ]


def test_after_a_stop_it_does_not_run_and_its_clock_stands(stage: Live) -> None:
    running = stage.start(*planned())
    assert wait_until(lambda: stage.client.metric("iterations"))
    stage.client.patch(stopped=True)
    running.wait()

    status = stage.client.status()
    rates = []
    for _ in range(2):
        rates.append(stage.client.metric("iterations")["rate"])
        time.sleep(0.1)

    assert (status["status"], status["running"], status["stopped"]) == (10, False, True)
    assert rates[0] == rates[1] > 0


def test_whoever_asks_while_it_ends_is_shown_the_end(stage: Live) -> None:
    load_test = stage.session.prepare(*planned(duration=0.1), RunSettings())
    end, has_left = load_test._end, threading.Event()

    def end_slowly(*arguments: Any) -> None:
        has_left.set()
        time.sleep(0.4)
        end(*arguments)

    load_test._end = end_slowly  # type: ignore[method-assign, assignment]
    thread = threading.Thread(target=load_test.run)
    thread.start()
    assert has_left.wait(5)

    status = stage.client.status()
    count = stage.client.metric("iterations")["count"]
    thread.join(5)

    assert (status["status"], status["running"]) == (9, False)
    assert count == load_test.results.snapshot.metrics["iterations"].sample["count"]


def test_between_load_tests_the_last_one_is_shown_and_each_by_its_number(stage: Live) -> None:
    counted: dict[str, Any] = {"executor": KIND.PER_VU_ITERATIONS, "vus": 1}
    stage.start(*planned(name="first", **counted, iterations=3)).wait()
    assert stage.client.metric("iterations")["count"] == 3
    assert stage.client.status()["status"] == 9

    fails: dict[str, object] = {"iterations": ["count<1"]}
    stage.start(*planned(name="second", **counted, iterations=5, thresholds=fails)).wait()

    ask = stage.client.get
    assert stage.client.metric("iterations")["count"] == 5
    assert [
        (each["id"], each["attributes"]["name"], each["attributes"]["outcome"])
        for each in ask("/v1/tests").document["data"]
    ] == [("1", "first", "passed"), ("2", "second", "failed")]
    assert ask("/v1/tests/1/metrics/iterations").attributes["sample"]["count"] == 3
    assert ask("/v1/tests/2/metrics/iterations").attributes["sample"]["count"] == 5
    assert len(ask("/v1/tests/1/groups").document["data"]) == 1
    assert ask("/v1/tests/1/thresholds").document["data"] == []
    (crossed,) = ask("/v1/tests/2/thresholds").document["data"]
    assert crossed["attributes"]["ok"] is False


class Listener:
    """Reads server-sent events in a thread of its own."""

    def __init__(self, client: Client) -> None:
        self.events: list[tuple[str, Json]] = []
        self._connection = http.client.HTTPConnection(client.address, timeout=20)
        self._connection.request("GET", "/v1/events")
        self._reply = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        for line in self._reply:
            if line.startswith(b"event: "):
                name = line[7:-1].decode()
            elif line.startswith(b"data: "):
                self.events.append((name, json.loads(line[6:])["data"]))

    def tests(self) -> list[tuple[str, str | None]]:
        return [
            (data["id"], data["attributes"]["outcome"])
            for name, data in self.events
            if name == "test"
        ]

    def names(self) -> set[str]:
        return {name for name, _ in self.events}

    def wait(self) -> None:
        self._thread.join(5)
        self._connection.close()


def test_events_tell_of_two_load_tests_that_follow_at_once() -> None:
    with live() as stage:
        first = stage.start(*planned())
        assert is_at(stage.client, 7)
        listener = Listener(stage.client)
        assert wait_until(lambda: "metrics" in listener.names())
        stage.client.patch(stopped=True)
        first.wait()
        second = stage.start(*planned())
        assert wait_until(lambda: ("2", None) in listener.tests()), listener.tests()
        stage.client.patch(stopped=True)
        second.wait()
        assert wait_until(lambda: len(listener.tests()) == 4), listener.tests()

    listener.wait()
    ended = "interrupted"
    assert listener.tests() == [("1", None), ("1", ended), ("2", None), ("2", ended)]
    assert listener.names() >= {"test", "status", "metrics", "scenarios"}
    states = [data["attributes"]["status"] for name, data in listener.events if name == "status"]
    assert 7 in states
    assert states[-1] == 10


def test_events_tell_of_the_first_load_test_to_who_listened_before_it() -> None:
    with live() as stage:
        listener = Listener(stage.client)
        stage.start(*planned(duration=0.3)).wait()
        stage.start(*planned(duration=0.1)).wait()
        assert wait_until(lambda: ("2", "passed") in listener.tests()), listener.tests()

    listener.wait()
    assert {test_id for test_id, _ in listener.tests()} == {"1", "2"}
    assert ("1", "passed") in listener.tests()
