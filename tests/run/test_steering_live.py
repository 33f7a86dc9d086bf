"""Several clients command one real load test at random: none hangs, and the numbers add up.

A state machine sends commands to clients, each a thread with its own order of
commands; all of them race. Every request has a deadline. What the API answers
is a success, or one of the refusals that it is known to give.
"""

import queue
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pytest_k6api.model import ExecutorKind, ScenarioOptions
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode
from pytest_k6api.vu import VU, UserFunction
from tests.run.live import Answer, live

CLIENTS = 3
DEADLINE = 10.0
PLANS: dict[ExecutorKind, dict[str, Any]] = {
    ExecutorKind.EXTERNALLY_CONTROLLED: {"vus": 2, "max_vus": 4},
    ExecutorKind.CONSTANT_VUS: {"vus": 2, "duration": 60.0},
    ExecutorKind.CONSTANT_ARRIVAL_RATE: {
        "rate": 40.0,
        "duration": 60.0,
        "pre_allocated_vus": 2,
        "max_vus": 4,
    },
    ExecutorKind.SHARED_ITERATIONS: {"vus": 2, "iterations": 100_000},
}

# Titles of refusals, by status; everything else is a mistake.
REFUSALS = {
    (500, "Pause error"),
    (500, "Execution config error"),
    (400, "Config update error"),
    (500, "Error executing setup"),
}

numbers = st.one_of(st.none(), st.integers(-1, 6))
clients = st.integers(0, CLIENTS - 1)


class Clients(RuleBasedStateMachine):
    """A load test that is paused before its start, and clients that command it."""

    @initialize(kind=st.sampled_from(sorted(PLANS, key=lambda kind: kind.value)))
    def begin(self, kind: ExecutorKind) -> None:
        self._begun = 0
        self._answers: list[Answer] = []
        self._errors: list[Exception] = []
        self._stage = live()
        self._live = self._stage.__enter__()
        options = ScenarioOptions(name="it", executor=kind, graceful_stop=0.0, **PLANS[kind])
        plan = LoadTestPlan(name="test_it", scenarios=[options])
        code = UserCode(
            scenarios={"it": UserFunction(function=self._iterate)},
            setup=UserFunction(function=self._set_up),
        )
        self._running = self._live.start(plan, code, RunSettings(paused=True))
        self._queues: list[queue.Queue[tuple[Any, ...] | None]] = [
            queue.Queue() for _ in range(CLIENTS)
        ]
        self._threads = [threading.Thread(target=self._work, args=(each,)) for each in self._queues]
        for thread in self._threads:
            thread.start()

    async def _iterate(self, vu: VU) -> None:
        self._begun += 1
        await vu.sleep(0.005)

    async def _set_up(self) -> dict[str, int]:
        return {"a": 1}

    def _work(self, commands: "queue.Queue[tuple[Any, ...] | None]") -> None:
        while (command := commands.get()) is not None:
            try:
                self._answers.append(self._live.client.send(*command, timeout=DEADLINE))
            except Exception as error:  # noqa: BLE001 - told at the end, in the test's thread
                self._errors.append(error)

    def _send(self, client: int, method: str, path: str, body: str | None = None) -> None:
        self._queues[client].put((method, path, None if body is None else body.encode()))

    @rule(client=clients, paused=st.booleans())
    def pause_or_resume(self, client: int, paused: bool) -> None:
        body = f'{{"data":{{"attributes":{{"paused":{str(paused).lower()}}}}}}}'
        self._send(client, "PATCH", "/v1/status", body)

    @rule(client=clients, vus=numbers, vus_max=numbers)
    def scale(self, client: int, vus: int | None, vus_max: int | None) -> None:
        wanted = f'"vus":{_json(vus)},"vus-max":{_json(vus_max)}'
        self._send(client, "PATCH", "/v1/status", f'{{"data":{{"attributes":{{{wanted}}}}}}}')

    @rule(client=clients, vus=st.one_of(st.none(), st.integers(0, 6)), paused=st.booleans())
    def change_scenario(self, client: int, vus: int | None, paused: bool) -> None:
        wanted = f'"vus":{_json(vus)},"paused":{str(paused).lower()}'
        body = f'{{"data":{{"attributes":{{{wanted}}}}}}}'
        self._send(client, "PATCH", "/v1/scenarios/it", body)

    @rule(client=clients, method=st.sampled_from(["POST", "PUT", "GET"]))
    def set_up(self, client: int, method: str) -> None:
        self._send(client, method, "/v1/setup", '{"b":2}' if method == "PUT" else None)

    @rule(client=clients, path=st.sampled_from(["status", "metrics", "scenarios", "groups"]))
    def read(self, client: int, path: str) -> None:
        self._send(client, "GET", f"/v1/{path}")

    @rule(client=clients)
    def stop(self, client: int) -> None:
        self._send(client, "PATCH", "/v1/status", '{"data":{"attributes":{"stopped":true}}}')

    def teardown(self) -> None:
        for commands in self._queues:
            self._send(self._queues.index(commands), "PATCH", "/v1/status", RESUME)
            commands.put(None)
        for thread in self._threads:
            thread.join(12 * DEADLINE)
        client = self._live.client
        client.patch(stopped=True)
        self._running.wait(DEADLINE)
        (scenario,) = client.get("/v1/scenarios").document["data"]
        counted = client.metric("iterations").get("count", 0)
        status = client.status()
        self._stage.__exit__(None, None, None)
        self._judge(scenario["attributes"], counted, status)

    def _judge(self, scenario: Any, counted: int, status: Any) -> None:
        assert self._errors == []
        for answer in self._answers:
            assert answer.status == 200 or _refusal(answer) in REFUSALS, answer
        assert scenario["iterations"] == counted
        assert scenario["iterations"] + scenario["interrupted"] == self._begun
        assert (status["status"], status["running"], status["vus"]) == (10, False, 0)


RESUME = '{"data":{"attributes":{"paused":false}}}'


def _json(number: int | None) -> str:
    return "null" if number is None else str(number)


def _refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.document["errors"][0]["title"]


TestClients = pytest.mark.slow(pytest.mark.sockets(Clients.TestCase))
TestClients.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
