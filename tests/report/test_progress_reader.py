"""What the live view shows, read off an engine a few times."""

from dataclasses import replace

import pytest

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import (
    Batch,
    ExecutorKind,
    RunStatus,
    ScenarioOptions,
    ScenarioSnapshot,
    ScenarioState,
    Stage,
    StatusSnapshot,
    TagTable,
)
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow
from pytest_k6api.report import ProgressReader


def scenario(name: str) -> ScenarioSnapshot:
    return ScenarioSnapshot(
        name=name,
        executor="constant-vus",
        state=ScenarioState.RUNNING,
        progress=0.25,
        vus=3,
        vus_max=5,
        iterations=7,
        interrupted=0,
        dropped=0,
        rate=None,
        overrides={},
    )


def at(elapsed: float) -> StatusSnapshot:
    return StatusSnapshot(
        status=RunStatus.RUNNING,
        paused=False,
        vus=3,
        vus_max=5,
        stopped=False,
        running=True,
        tainted=False,
        elapsed=elapsed,
    )


class Measured:
    """An engine that is told of requests of scenarios."""

    def __init__(self) -> None:
        self._tags = TagTable()
        self.engine = MetricsEngine(self._tags, [], [])

    def request(
        self, scenario: str, *durations_us: int, failed: int = 0, until: float = 1.0
    ) -> None:
        tags = self._tags.intern({"scenario": scenario})
        rows: list[HttpRow] = [
            (tags, failed, duration, 0, 0, 0, 0, duration, 0, 0) for duration in durations_us
        ]
        self.engine.ingest(Batch({HTTP_ROWS: rows}), until)

    def check(self, scenario: str, value: int) -> None:
        tags = self._tags.intern({"scenario": scenario, "check": "is 200", "group": ""})
        self.engine.ingest(Batch(samples=[(built_in.CHECKS, tags, value)]))


def test_before_anything_is_measured_there_is_nothing_to_show_but_the_plan():
    [line] = ProgressReader(Measured().engine, []).read(at(0.0), [scenario("test_browse")])

    assert (line.name, line.state, line.share) == ("test_browse", "running", 0.25)
    assert (line.vus, line.vus_max, line.iterations) == (3, 5, 7)
    assert (line.requests_per_second, line.p95, line.failures) == (None, None, None)
    assert (line.elapsed, line.planned) == (0.0, None)


def test_requests_per_second_are_those_since_the_last_look():
    measured = Measured()
    reader = ProgressReader(measured.engine, [])

    measured.request("test_browse", *[1000] * 10, until=2.0)
    [first] = reader.read(at(2.0), [scenario("test_browse")])
    measured.request("test_browse", *[3000] * 10, until=2.5)
    [second] = reader.read(at(2.5), [scenario("test_browse")])
    measured.engine.advance(3.0)
    [third] = reader.read(at(3.0), [scenario("test_browse")])

    assert [line.requests_per_second for line in (first, second, third)] == [5, 20, 0]
    assert (first.p95, second.p95) == (1, 3)


def test_requests_per_second_are_those_of_the_time_that_is_known():
    measured = Measured()
    reader = ProgressReader(measured.engine, [])

    measured.request("test_browse", *[1000] * 10, until=2.0)
    [known] = reader.read(at(3.5), [scenario("test_browse")])
    [nothing_new] = reader.read(at(4.0), [scenario("test_browse")])
    [paused] = reader.read(replace(at(4.0), paused=True), [scenario("test_browse")])

    assert [line.requests_per_second for line in (known, nothing_new, paused)] == [5, 5, 0]


def test_failed_requests_and_checks_are_added_up():
    measured = Measured()
    measured.request("test_browse", 1000, 1000, failed=1)
    measured.check("test_browse", 1)
    measured.check("test_browse", 0)

    [line] = ProgressReader(measured.engine, []).read(at(1.0), [scenario("test_browse")])

    assert line.failures == 3


def test_each_of_several_scenarios_has_its_own_numbers():
    measured = Measured()
    measured.request("test_a", 1000, 1000)
    measured.request("test_b", 5000, failed=1)

    a, b = ProgressReader(measured.engine, []).read(
        at(1.0), [scenario("test_a"), scenario("test_b")]
    )

    assert (a.requests_per_second, a.p95, a.failures) == (2, 1, 0)
    assert (b.requests_per_second, b.p95, b.failures) == (1, pytest.approx(5), 1)


@pytest.mark.parametrize(
    ("plan", "times"),
    [
        (
            ScenarioOptions(name="test_browse", executor=ExecutorKind.CONSTANT_VUS, duration=20.0),
            (5.0, 20.0),
        ),
        (
            ScenarioOptions(
                name="test_browse", executor=ExecutorKind.RAMPING_VUS, stages=(Stage(8.0, 3),)
            ),
            (2.0, 8.0),
        ),
        (ScenarioOptions(name="test_browse", executor=ExecutorKind.SHARED_ITERATIONS), (7.5, None)),
        (
            ScenarioOptions(name="test_browse", executor=ExecutorKind.EXTERNALLY_CONTROLLED),
            (7.5, None),
        ),
    ],
)
def test_a_plan_in_seconds_tells_how_much_of_it_has_passed(
    plan: ScenarioOptions, times: tuple[float, float | None]
):
    reader = ProgressReader(Measured().engine, [plan])

    [line] = reader.read(at(7.5), [scenario("test_browse")])

    assert (line.elapsed, line.planned) == times
