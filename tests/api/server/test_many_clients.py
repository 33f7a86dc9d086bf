"""Several clients at once pause, scale, stop and set up in any order; the counts stay right."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pytest_k6api.api import ApiServer, ApiSettings
from pytest_k6api.model import RunStatus
from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.wire import served

CLIENTS = st.sampled_from(range(3))
# What a JSON reader gives.
Json = Any


@pytest.mark.sockets
def test_changes_that_arrive_at_the_same_time_are_all_made() -> None:
    load_test = FakeLoadTest(vus=0, vus_max=500)

    def scale(address: str, first: int) -> set[int]:
        client = http.client.HTTPConnection(address, timeout=10)
        statuses = set()
        for vus in range(first, first + 20):
            body = json.dumps({"data": {"attributes": {"vus": vus}}})
            client.request("PATCH", "/v1/status", body)
            response = client.getresponse()
            assert json.load(response)["data"]["attributes"]["vus-max"] == 500
            statuses.add(response.status)
        client.close()
        return statuses

    with served(FakeSession(load_test)) as address, ThreadPoolExecutor(8) as pool:
        statuses = pool.map(partial(scale, address), range(0, 160, 20))

    assert set().union(*statuses) == {200}
    assert load_test.vus in {last - 1 for last in range(20, 180, 20)}


class ControlledLoadTest(RuleBasedStateMachine):
    """A model of one load test beside the real API in front of a fake one."""

    def __init__(self) -> None:
        super().__init__()
        self.load_test = FakeLoadTest("paused-before-run")
        self.server = ApiServer(FakeSession(self.load_test), ApiSettings(address="127.0.0.1:0"))
        address = self.server.start().removeprefix("http://")
        self.clients = [http.client.HTTPConnection(address, timeout=5) for _ in range(3)]
        self.phase = RunStatus.PAUSED_BEFORE_RUN
        self.paused, self.stopped = True, False
        self.vus, self.vus_max = 2, 5
        self.setup_data: Json = None

    def teardown(self) -> None:
        for client in self.clients:
            client.close()
        self.server.stop()

    def ask(self, client: int, method: str, path: str, body: Json = None) -> tuple[int, Json]:
        connection = self.clients[client]
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
        assert response.status < 500 or b'"title":"Pause error"' in text
        return response.status, json.loads(text or "null")

    def patch(self, client: int, **attributes: Json) -> int:
        body = {"data": {"attributes": {k.replace("_", "-"): v for k, v in attributes.items()}}}
        return self.ask(client, "PATCH", "/v1/status", body)[0]

    @property
    def is_over(self) -> bool:
        return self.phase in (RunStatus.ENDED, RunStatus.INTERRUPTED)

    @rule(client=CLIENTS, wanted=st.booleans())
    def pause_or_resume(self, client: int, wanted: bool) -> None:
        makes_sense = wanted != self.paused and (self.paused or not self.is_over)

        assert self.patch(client, paused=wanted) == (200 if makes_sense else 500)
        if makes_sense:
            self.paused = wanted

    @rule(client=CLIENTS, vus=st.integers(-1, 12), vus_max=st.none() | st.integers(4, 10))
    def scale(self, client: int, vus: int, vus_max: int | None) -> None:
        most = self.vus_max if vus_max is None else vus_max
        makes_sense = 0 <= vus <= most and most >= 5 and not self.is_over

        asked = {"vus": vus} if vus_max is None else {"vus": vus, "vus_max": vus_max}
        assert self.patch(client, **asked) == (200 if makes_sense else 400)
        if makes_sense:
            self.vus, self.vus_max = vus, most

    @rule(client=CLIENTS, vus=st.integers(20, 30))
    def ask_for_something_and_something_impossible(self, client: int, vus: int) -> None:
        assert self.patch(client, paused=not self.paused, vus=vus) in (400, 500)

    @rule(client=CLIENTS)
    def stop(self, client: int) -> None:
        assert self.patch(client, stopped=True, vus=-5) == 200
        self.stopped = True

    @rule(client=CLIENTS, data=st.none() | st.integers() | st.text(max_size=5))
    def replace_setup_data(self, client: int, data: Json) -> None:
        status, document = self.ask(client, "PUT", "/v1/setup", {"user": data})

        assert status == 200
        self.setup_data = {"user": data}
        assert document["data"]["attributes"]["data"] == self.setup_data

    @rule(client=CLIENTS)
    def send_nonsense(self, client: int) -> None:
        assert self.ask(client, "PATCH", "/v1/status", [])[0] == 400
        assert self.ask(client, "PUT", "/v1/scenarios/default", {})[1] is None

    @precondition(lambda self: self.phase == RunStatus.PAUSED_BEFORE_RUN and not self.paused)
    @rule()
    def the_run_starts(self) -> None:
        self.load_test.enter("running")
        self.phase = RunStatus.RUNNING

    @precondition(lambda self: self.phase == RunStatus.RUNNING)
    @rule()
    def the_run_ends(self) -> None:
        self.load_test.enter("interrupted-linger" if self.stopped else "ended-linger")
        self.phase = self.load_test.phase

    @invariant()
    def every_client_sees_the_same(self) -> None:
        active = self.phase == RunStatus.RUNNING and not self.paused
        for client in range(3):
            seen = self.ask(client, "GET", "/v1/status")[1]["data"]["attributes"]
            assert (seen["status"], seen["paused"]) == (self.phase, self.paused)
            assert (seen["stopped"], seen["vus"]) == (self.stopped, self.vus if active else 0)
            setup = self.ask(client, "GET", "/v1/setup")[1]["data"]["attributes"]
            assert setup == ({} if self.setup_data is None else {"data": self.setup_data})


ControlledLoadTest.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestManyClients = pytest.mark.sockets(pytest.mark.slow(ControlledLoadTest.TestCase))
