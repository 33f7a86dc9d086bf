"""Lost workers whose shares others go on with: what counts, in virtual time."""

from collections import Counter
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.model import Command, ScenarioSnapshot, ScenarioState, WorkerState
from pytest_k6api.run import LoadTest
from pytest_k6api.vu import VU
from tests.run.in_loop_workers import InLoopWorker, load_test, options, run, steered

TOOK = (
    0.617  # seconds of an iteration; prime, so that it never ends in the instant of something else
)
LONGER: dict[str, dict[str, Any]] = {
    "per-vu-iterations": {"iterations": 9},
    "constant-arrival-rate": {"duration": 8.0},
    "ramping-arrival-rate": {"stages": ((5.0, 13), (3.0, 4))},
}
LOST_AT = 2.31

Beside = Callable[[LoadTest], Awaitable[None]]


class Log:
    """The iterations that virtual users began: each VU and the number of its iteration."""

    def __init__(self) -> None:
        self.began: list[tuple[int, int]] = []

    async def browse(self, vu: VU) -> None:
        self.began.append((vu.id, vu.iteration))
        await vu.sleep(TOOK)


def carriers_of(tested: LoadTest) -> list[InLoopWorker]:
    found: list[InLoopWorker] = vars(tested)["carriers"]
    return found


def lose(*places: int, after: float = LOST_AT) -> Beside:
    """Return steps that let workers die, the first, second and so on of all that were started."""

    async def die(tested: LoadTest) -> None:
        await trio.sleep(after)
        for place in places:
            carriers_of(tested)[place].die()

    return die


def replanned(
    workers: int,
    steps: Beside,
    kind: str = "constant-vus",
    stillborn: Container[int] = (),
    **more: Any,
) -> tuple[LoadTest, Log]:
    log = Log()
    plan = options(kind, **(LONGER.get(kind, {}) | more))
    tested = steered(workers, steps, (plan, log.browse), replans=True, stillborn=stillborn)
    return tested, log


def browsing(tested: LoadTest) -> ScenarioSnapshot:
    (scenario,) = tested.results.scenarios
    return scenario


def count(tested: LoadTest, metric: str) -> float:
    found = tested.results.query(metric)
    return found.sample["count"] if found is not None and found.samples else 0


def test_a_lost_share_goes_on_and_the_verdict_warns_of_the_gap():
    tested, _ = replanned(3, lose(1))

    assert tested.outcome == "passed"
    assert tested.results.snapshot.warnings == (
        "worker 2 (in the loop) was lost at 2.3 s: killed by SIGKILL; nothing of its share counts"
        " from 2.1 s to 3.7 s, when worker 4 (in the loop) went on with it",
    )
    states = [(each.number, each.share, each.state) for each in tested.results.workers]
    assert states == [
        (1, 1, WorkerState.FINISHED),
        (2, 2, WorkerState.LOST),
        (3, 3, WorkerState.FINISHED),
        (4, 2, WorkerState.FINISHED),
    ]
    assert tested.results.workers[3].follows == 2
    assert tested.results.workers[3].began_at == pytest.approx(3.8, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "iterations"), [("shared-iterations", 31), ("per-vu-iterations", 45)]
)
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_as_many_iterations_are_counted_as_were_planned(kind: str, iterations: int, workers: int):
    tested, _ = replanned(workers, lose(workers - 1), kind)

    assert tested.outcome == "passed"
    assert count(tested, "iterations") == iterations
    assert browsing(tested).iterations == iterations
    assert (browsing(tested).interrupted, browsing(tested).dropped) == (0, 0)


@pytest.mark.parametrize("kind", ["constant-arrival-rate", "ramping-arrival-rate"])
def test_what_fell_due_meanwhile_is_interrupted_until_the_loss_and_dropped_after_it(kind: str):
    plan = options(kind, **LONGER[kind])
    alone, _ = load_test(0, (plan, Log().browse))
    run(alone)

    tested, _ = replanned(3, lose(1), kind)

    scenario = browsing(tested)
    assert count(tested, "iterations") == scenario.iterations
    assert count(tested, "dropped_iterations") == scenario.dropped
    assert scenario.iterations + scenario.interrupted + scenario.dropped == count(
        alone, "iterations"
    )
    assert scenario.interrupted >= 1
    # A third of what falls due in the 1.4 seconds that it takes to start another worker.
    assert 2 <= scenario.dropped <= 6


@pytest.mark.parametrize("kind", ["constant-vus", "ramping-vus", "externally-controlled"])
def test_virtual_users_go_on_with_their_numbers_and_the_iterations_that_were_told(kind: str):
    alone = Log()
    one, _ = load_test(0, (options(kind), alone.browse))
    run(one)

    tested, log = replanned(3, lose(1), kind)

    assert {number for number, _ in log.began} == {number for number, _ in alone.began}
    often = Counter(log.began)
    assert max(often.values()) <= 2
    # Only what was under way, or began after the last report, was begun twice.
    assert sum(count > 1 for count in often.values()) <= 6
    for vu in {number for number, _ in log.began}:
        numbers = sorted({iteration for number, iteration in log.began if number == vu})
        assert numbers == list(range(len(numbers)))
    assert tested.results.elapsed == pytest.approx(one.results.elapsed, abs=0.15)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=10)
@given(
    kind=st.sampled_from(
        ["shared-iterations", "per-vu-iterations", "constant-arrival-rate", "ramping-arrival-rate"]
    ),
    workers=st.integers(1, 4),
    losses=st.lists(st.tuples(st.floats(0.01, 3.0), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_every_planned_iteration_is_accounted_for_once_whenever_workers_are_lost(
    kind: str, workers: int, losses: list[tuple[float, int]]
):
    async def lose_some(tested: LoadTest) -> None:
        for pause, place in losses:
            with suppress(trio.Cancelled):  # the load test may end before
                await trio.sleep(pause)
                live = [each for each in carriers_of(tested) if each.is_there]
                if live:
                    live[place % len(live)].die()

    planned = {"shared-iterations": 31, "per-vu-iterations": 45}
    if kind not in planned:
        alone, _ = load_test(0, (options(kind, **LONGER[kind]), Log().browse))
        run(alone)
        planned[kind] = int(count(alone, "iterations"))

    tested, _ = replanned(workers, lose_some, kind)

    scenario = browsing(tested)
    assert count(tested, "iterations") == scenario.iterations
    assert count(tested, "dropped_iterations") == scenario.dropped
    if tested.outcome == "passed":  # no share has lost four workers
        total = scenario.iterations + scenario.interrupted + scenario.dropped
        assert total == planned[kind]


def test_all_workers_may_be_lost_at_once():
    tested, log = replanned(3, lose(0, 1, 2), "shared-iterations")

    assert tested.outcome == "passed"
    assert count(tested, "iterations") == 31
    assert len(tested.results.workers) == 6
    assert {vu for vu, _ in log.began} == {1, 2, 3, 4}


def test_a_share_that_loses_all_its_successors_fails_the_load_test():
    async def keep_dying(tested: LoadTest) -> None:
        carriers = carriers_of(tested)
        for place in (0, 2, 3, 4):
            await trio.sleep(3.33)
            carriers[place].die()

    tested, _ = replanned(2, keep_dying, duration=3600.0)

    assert tested.outcome == "failed"
    assert tested.verdict is not None
    assert tested.verdict.reasons == (
        "worker 5 (in the loop) was lost at 13.3 s: killed by SIGKILL; its share has had 3 others"
        " before; what it measured until 13.1 s counts",
    )
    assert len(tested.results.snapshot.warnings) == 3


def test_a_successor_that_is_lost_before_its_start_has_a_successor_itself():
    tested, _ = replanned(3, lose(1), "shared-iterations", stillborn=(4,))

    assert tested.outcome == "passed"
    assert count(tested, "iterations") == 31
    first, second = tested.results.snapshot.warnings
    assert first.endswith("s, when worker 5 (in the loop) went on with it")
    assert second == (
        "worker 4 (in the loop) was lost before it could go on for worker 2: killed by SIGKILL"
    )


def test_a_share_goes_on_paused_and_with_what_commands_have_set():
    async def steer(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        await tested.execute(Command(vus=6, vus_max=6))
        carriers_of(tested)[1].die()
        result = await tested.execute(Command(paused=True))
        assert result.status.vus == 0
        before = tested.results.elapsed
        await trio.sleep(12.0)
        assert tested.results.elapsed == before
        states = {each.number: each.state for each in tested.results.workers}
        assert states[4] is WorkerState.RUNNING
        assert tested.results.status.vus == 0
        await tested.execute(Command(paused=False))
        await trio.sleep(1.5)
        assert tested.results.status.vus == 6

    tested, log = replanned(3, steer, "externally-controlled", duration=20.0)

    assert tested.outcome == "passed"
    assert {vu for vu, _ in log.began} == {1, 2, 3, 4, 5, 6}
    assert tested.results.elapsed == pytest.approx(20.0, abs=0.2)


def test_a_share_goes_on_at_the_rate_that_a_command_has_set():
    async def steer(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        await tested.execute(Command(rate=3.0))
        carriers_of(tested)[1].die()
        await trio.sleep(4.0)
        assert sum(each.rate or 0 for each in tested.results.workers) == pytest.approx(3.0)

    tested, _ = replanned(3, steer, "constant-arrival-rate")

    # 9.7 a second for one second, and then 3 a second for seven.
    scenario = browsing(tested)
    total = scenario.iterations + scenario.interrupted + scenario.dropped
    assert total == pytest.approx(9.7 + 7 * 3, abs=4)


def test_a_scenario_that_is_paused_goes_on_paused():
    async def steer(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        await tested.execute(Command(scenario="browse", paused=True))
        carriers_of(tested)[1].die()
        await trio.sleep(5.0)
        assert browsing(tested).state is ScenarioState.PAUSED
        assert tested.results.status.vus == 0
        await tested.execute(Command(scenario="browse", paused=False))
        await trio.sleep(1.5)
        assert tested.results.status.vus == 5

    tested, _ = replanned(3, steer)

    assert tested.outcome == "passed"
    assert tested.results.elapsed == pytest.approx(7.0 + 5.0, abs=0.7)


def test_scenarios_that_are_over_stay_over_and_those_that_wait_begin_with_all():
    logs = {name: Log() for name in ("first", "second", "third")}
    plans = (
        options("per-vu-iterations", "first", vus=3, iterations=2),
        options("constant-vus", "second", vus=3, duration=6.0),
        options("per-vu-iterations", "third", vus=3, iterations=2, after="second"),
    )

    tested = steered(3, lose(1), *((plan, logs[plan.name].browse) for plan in plans), replans=True)

    assert tested.outcome == "passed"
    for name in ("first", "third"):
        numbers = sorted(vu for vu, _ in logs[name].began)
        assert len(numbers) == 6
        assert sorted(logs[name].began) == [(vu, n) for vu in sorted(set(numbers)) for n in (0, 1)]


def test_a_worker_that_is_lost_while_the_load_test_ends_has_no_successor():
    async def finish(tested: LoadTest) -> None:
        await trio.sleep(LOST_AT)
        tested.stop("the test stops it")
        carriers_of(tested)[1].die()

    tested, _ = replanned(3, finish)

    assert tested.outcome == "interrupted"
    assert len(tested.results.workers) == 3


def test_a_worker_that_is_lost_before_the_load_has_a_successor():
    log = Log()
    plan = options("shared-iterations")

    async def setup() -> None:
        carriers[1].die()
        await trio.sleep(0.5)

    tested, carriers = load_test(3, (plan, log.browse), setup=setup, replans=True)
    run(tested)

    assert tested.outcome == "passed"
    assert count(tested, "iterations") == 31
    assert len(log.began) == 31
    assert tested.results.snapshot.warnings == (
        "worker 2 (in the loop) was lost before the load: killed by SIGKILL",
    )


def test_workers_that_have_ended_before_the_load_test_have_successors():
    tested, _ = replanned(2, lose(), "shared-iterations", stillborn=(1, 2, 4))

    assert tested.outcome == "passed"
    assert count(tested, "iterations") == 31
    assert [each.number for each in tested.results.workers if not each.lost] == [3, 5]


def test_a_worker_that_is_lost_before_the_first_resume_has_a_successor():
    async def resume() -> None:
        await trio.sleep(1.0)
        carriers[0].die()
        await trio.sleep(12.0)
        await tested.execute(Command(paused=False))

    async def setup() -> None: ...

    log = Log()
    tested, carriers = load_test(
        2,
        (options("shared-iterations"), log.browse),
        setup=setup,
        replans=True,
        paused=True,
        on_paused=lambda: trio.lowlevel.spawn_system_task(resume),
    )
    run(tested)

    assert tested.outcome == "passed"
    assert len(log.began) == 31
    assert tested.results.workers[2].follows == 1


def test_a_threshold_that_is_crossed_aborts_while_a_share_is_missing():
    async def lose_one(tested: LoadTest) -> None:
        await trio.sleep(LOST_AT)
        carriers_of(tested)[1].die()

    log = Log()
    tested = steered(
        3,
        lose_one,
        (options("constant-vus", duration=3600.0), log.browse),
        replans=True,
        # It is crossed in the fourth second, when the successor is being prepared.
        thresholds={"iterations": [{"threshold": "count<18", "abort_on_fail": True}]},
    )

    assert tested.verdict is not None
    assert tested.verdict.reasons[0].startswith("stopped early: abort_on_fail: the threshold")
    assert tested.results.elapsed == pytest.approx(3.3, abs=1.1)


def test_an_end_after_the_share_is_done_and_told_loses_nothing():
    async def browse(vu: VU) -> None:
        await vu.sleep(3.3 if vu.id == 1 else 0.3)

    plan = options("per-vu-iterations", vus=2, iterations=1)

    tested = steered(2, lose(1), (plan, browse))

    assert tested.outcome == "passed"
    assert tested.results.workers[1].state is WorkerState.LOST
    assert count(tested, "iterations") == 2
