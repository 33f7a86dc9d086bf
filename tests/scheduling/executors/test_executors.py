"""All executors: when iterations start and end, what is dropped, what is interrupted."""

import logging
from collections import Counter
from fractions import Fraction

import pytest
import trio

from pytest_k6api.model import RunStatus, ScenarioOptions
from pytest_k6api.scheduling import ExecutionSegment
from pytest_k6api.vu import LoopTicks
from tests.scheduling.loads import Load, SleepingVU, scenario
from tests.virtual_time import in_virtual_time


def ran(options: ScenarioOptions, iteration: float = 0.1, **more: object) -> Load:
    load = Load([options], iteration=iteration, **more)  # type: ignore[arg-type]
    load.run_to_end()
    return load


def test_constant_vus_loop_for_their_duration_and_finish_what_they_began() -> None:
    load = ran(scenario("constant-vus", vus=2, duration=1), iteration=0.3)

    assert load.start_times == [0, 0, 300, 300, 600, 600, 900, 900]
    assert load.finished == 8
    assert load.scheduler.clock.elapsed == pytest.approx(1.2)


def test_thousands_of_vus_begin_in_portions_so_that_the_loop_goes_on_turning() -> None:
    ticks = LoopTicks()
    seen: list[int] = []

    class CountingVU(SleepingVU):
        async def run_iteration(self, due_at: float | None = None) -> bool:
            seen.append(ticks.count)
            return await super().run_iteration(due_at)

    async def main() -> None:
        trio.lowlevel.add_instrument(ticks)
        await load.run()

    load = Load([scenario("per-vu-iterations", vus=1200, iterations=1)], make=CountingVU)
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert load.finished == len(seen) == 1200
    assert max(Counter(seen).values()) <= 500
    assert load.start_times == [0] * 1200


def test_iterations_that_outlast_the_graceful_stop_are_interrupted() -> None:
    load = ran(scenario("constant-vus", vus=2, duration=1, graceful_stop=2), iteration=3.5)

    (status,) = load.scheduler.scenarios()
    assert (load.finished, load.cut, status.interrupted, status.iterations) == (0, 2, 2, 0)
    assert load.scheduler.clock.elapsed == 3


def test_shared_iterations_go_to_any_free_vu() -> None:
    load = Load(
        [scenario("shared-iterations", vus=2, iterations=6)],
        iteration=lambda vu, _: 0.1 if vu == 1 else 1,
    )
    load.run_to_end()

    assert Counter(start.vu for start in load.starts) == {1: 5, 2: 1}


def test_shared_iterations_that_did_not_start_in_time_are_one_drop() -> None:
    options = scenario("shared-iterations", vus=2, iterations=20, max_duration=1)

    assert ran(options, iteration=0.35).dropped_samples == [14]


def test_each_vu_that_did_not_start_its_iterations_in_time_is_a_drop_of_its_own() -> None:
    load = Load(
        [scenario("per-vu-iterations", vus=3, iterations=4, max_duration=1)],
        iteration=lambda vu, _: (0.1, 0.35, 2)[vu - 1],
    )
    load.run_to_end()

    assert load.dropped_samples == [1, 3]
    assert load.scheduler.scenarios()[0].dropped == 4
    assert load.finished == 8


def test_nothing_is_dropped_when_all_is_done() -> None:
    assert ran(scenario("per-vu-iterations", vus=2, iterations=3)).dropped_samples == []
    assert ran(scenario("shared-iterations", vus=2, iterations=3)).dropped_samples == []


def test_a_short_iteration_is_followed_by_a_wait_whose_interruption_leaves_it_complete() -> None:
    options = scenario("constant-vus", duration=1, graceful_stop=0, min_iteration_duration=0.4)
    load = ran(options)

    (status,) = load.scheduler.scenarios()
    assert load.start_times == [0, 400, 800]
    assert (status.iterations, status.interrupted, load.cut) == (3, 0, 0)
    assert load.scheduler.clock.elapsed == 1


def test_a_wait_after_a_short_iteration_keeps_a_vu_from_arrivals() -> None:
    options = scenario(
        "constant-arrival-rate",
        rate=10,
        duration=1,
        pre_allocated_vus=1,
        min_iteration_duration=0.45,
    )

    assert ran(options, iteration=0.01).start_times == [0, 500]


def test_a_ramp_takes_the_highest_vu_first_and_lets_it_finish() -> None:
    stages = [("2s", 0), ("3s", 0)]
    load = ran(scenario("ramping-vus", start_vus=2, stages=stages), iteration=1.6)

    assert [(start.at, start.vu) for start in sorted(load.starts, key=lambda s: (s.at, s.vu))] == [
        (0, 1),
        (0, 2),
        (1.6, 1),
    ]
    assert load.finished == 3
    assert load.closed == [2, 1]


def test_a_ramp_interrupts_what_outlasts_its_graceful_time() -> None:
    options = scenario(
        "ramping-vus", start_vus=2, stages=[("2s", 1), ("3s", 1)], graceful_ramp_down=0.5
    )
    load = ran(options, iteration=4.1)

    assert load.cut == 1
    assert load.finished == 2
    assert load.scheduler.clock.elapsed == pytest.approx(8.2)


def test_a_ramp_up_within_the_graceful_time_keeps_the_vu() -> None:
    stages = [("500ms", 2), ("0s", 1), ("500ms", 1), ("0s", 2), ("2s", 2)]
    load = ran(scenario("ramping-vus", start_vus=2, stages=stages), iteration=1.4)

    assert [round(start.at, 3) for start in load.starts if start.vu == 2] == [0, 1.4, 2.8]
    assert sorted(load.closed) == [1, 2]


def test_a_ramp_up_after_that_makes_the_vu_anew() -> None:
    stages = [("500ms", 2), ("0s", 1), ("1s", 1), ("0s", 2), ("1s", 2)]
    load = ran(scenario("ramping-vus", start_vus=2, stages=stages), iteration=0.35)

    seconds = [round(start.at, 3) for start in load.starts if start.vu == 2]
    assert seconds == [0, 0.35, 1.5, 1.85, 2.2]
    assert sorted(load.closed) == [1, 2, 2]
    assert load.scheduler.status().vus_max == 2


def test_a_plan_that_is_down_to_nothing_ends_without_the_graceful_stop() -> None:
    stages = [("2s", 4), ("500ms", 4), ("1s", 0)]
    options = scenario(
        "ramping-vus", start_vus=0, stages=stages, graceful_ramp_down=0, graceful_stop=3
    )
    load = ran(options, iteration=2.3)

    # k6 v1.1.0: 3 of 4 interrupted, although the graceful stop is 3 s.
    assert (len(load.starts), load.cut) == (5, 4)
    assert load.scheduler.clock.elapsed == 3.5


def test_a_ramp_that_ends_above_nothing_has_the_graceful_stop() -> None:
    options = scenario(
        "ramping-vus", start_vus=2, stages=[("1s", 1)], graceful_ramp_down=0.3, graceful_stop=2
    )
    load = ran(options, iteration=2.1)

    assert (load.finished, load.cut) == (1, 1)
    assert load.scheduler.clock.elapsed == pytest.approx(2.1)


def test_arrivals_know_when_they_were_due() -> None:
    options = scenario("constant-arrival-rate", rate=4, duration=1, pre_allocated_vus=2)
    load = ran(options)

    assert [start.due_at for start in load.starts] == [0, 0.25, 0.5, 0.75]


def test_looping_vus_are_never_due() -> None:
    assert {start.due_at for start in ran(scenario("constant-vus", duration=1)).starts} == {None}


@in_virtual_time
async def test_arrivals_that_fell_due_while_the_loop_was_busy_start_at_once() -> None:
    options = scenario("constant-arrival-rate", rate=100, duration=1, pre_allocated_vus=90)
    load = Load([options], iteration=3)
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        await trio.sleep(0.5051)
        clock.jump(0.2)
        await trio.sleep(0.0001)
        assert len(load.starts) == 71
        late = [start for start in load.starts if start.at > 0.7]
        assert sorted(start.due_at or 0 for start in late)[:2] == [0.51, 0.52]
        assert {round(start.at, 4) for start in late} == {0.7051}

    assert len(load.starts) == 90
    assert sum(load.dropped_samples) == 10


@in_virtual_time
async def test_a_rate_beyond_the_machines_capacity_does_not_block_the_loop_and_drops_the_rest() -> (
    None
):
    options = scenario("constant-arrival-rate", rate=1e7, duration=1, pre_allocated_vus=2)
    load = Load([options], iteration=3)
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        clock.jump(0.5)
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert sum(load.dropped_samples) < 100_000
        clock.jump(0.6)

    assert len(load.starts) == 2
    assert sum(load.dropped_samples) == 10**7 - 2


def test_an_arrival_does_not_wait_for_a_busy_vu() -> None:
    options = scenario("constant-arrival-rate", rate=10, duration=1, pre_allocated_vus=1)
    load = ran(options, iteration=0.25)

    assert load.start_times == [0, 300, 600, 900]
    assert load.dropped_samples == [1] * 6


def test_another_vu_is_initialised_for_each_drop_up_to_the_maximum(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = scenario("constant-arrival-rate", rate=10, duration=1, pre_allocated_vus=1, max_vus=3)
    with caplog.at_level(logging.WARNING, "pytest_k6api"):
        load = ran(options, iteration=5)

    assert load.start_times == [0, 200, 400]
    assert sum(load.dropped_samples) == 7
    assert load.scheduler.status().vus_max == 3
    assert caplog.messages == [
        "test_it: Insufficient VUs, reached 3 active VUs and cannot initialize more"
    ]


def test_an_arrival_rate_has_its_graceful_stop() -> None:
    options = scenario(
        "constant-arrival-rate", rate=2, duration=1, pre_allocated_vus=3, graceful_stop=1
    )
    load = ran(options, iteration=1.7)

    assert (load.finished, load.cut) == (1, 1)
    assert load.scheduler.clock.elapsed == 2


def test_an_externally_controlled_scenario_is_interrupted_at_its_end() -> None:
    load = ran(scenario("externally-controlled", vus=2, duration=1), iteration=0.7)

    assert (load.finished, load.cut) == (2, 2)
    assert load.scheduler.clock.elapsed == 1


def test_setup_takes_time_off_an_externally_controlled_scenario() -> None:
    async def setup() -> None:
        await trio.sleep(1.5)

    options = scenario("externally-controlled", vus=1, duration=4, start_time=1)
    load = ran(options, setup=setup)

    assert load.starts[0].at == 2.5
    assert load.scheduler.clock.elapsed == 5


@pytest.mark.parametrize(
    "options",
    [
        scenario("constant-vus", vus=2, duration=1),
        scenario("constant-arrival-rate", rate=10_000, duration=1, pre_allocated_vus=2),
    ],
    ids=lambda options: options.executor.value,
)
def test_an_iteration_that_never_waits_starves_no_other_task(options: ScenarioOptions) -> None:
    # On the real clock: the virtual one stands still while any task can run.
    async def main() -> None:
        load = Load([options], iteration=0)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run)
                await trio.sleep(0.05)
                load.scheduler.stop()
        assert load.finished >= 1

    trio.run(main)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_three_instances_run_their_parts_of_every_executor(index: int) -> None:
    thirds = ExecutionSegment(tuple(Fraction(part, 3) for part in range(4)), index)
    mix = [
        scenario("constant-vus", "a", vus=7, duration=1),
        scenario("shared-iterations", "b", vus=4, iterations=23),
        scenario("per-vu-iterations", "c", vus=5, iterations=2),
        scenario("ramping-vus", "d", start_vus=0, stages=[("1s", 5)]),
        scenario("constant-arrival-rate", "e", rate=20, duration=1, pre_allocated_vus=30),
        scenario("ramping-arrival-rate", "f", stages=[("2s", 20)], pre_allocated_vus=30),
        scenario("externally-controlled", "g", vus=4, max_vus=5, duration=1),
    ]
    load = Load(mix, iteration=0.3333, segment=thirds)
    load.run_to_end()

    started = Counter(start.scenario for start in load.starts)
    # The three together start what one instance would.
    expected = {
        "a": (12, 8, 8),
        "b": (12, 6, 5),
        "c": (4, 4, 2),
        "d": (4, 2, 2),
        "e": (7, 7, 6),
        "f": (7, 7, 6),
        "g": (8, 4, 4),
    }
    assert started == {name: parts[index] for name, parts in expected.items()}
    assert len({start.vu % 3 for start in load.starts}) == 1


@pytest.mark.parametrize(
    "options",
    [
        scenario("constant-vus", vus=1, duration=1),
        scenario("shared-iterations", vus=1, iterations=9),
        scenario("per-vu-iterations", vus=1, iterations=9),
        scenario("ramping-vus", start_vus=1, stages=[("1s", 1)]),
        scenario("externally-controlled", vus=1, duration=1),
        scenario("constant-arrival-rate", rate=9, duration=1, pre_allocated_vus=1),
        scenario("ramping-arrival-rate", stages=[("1s", 9)], pre_allocated_vus=1),
    ],
    ids=lambda options: options.executor.value,
)
def test_an_instance_without_a_share_of_the_vus_runs_nothing(options: ScenarioOptions) -> None:
    second = ExecutionSegment((Fraction(0), Fraction(1, 2), Fraction(1)), 1)
    load = ran(options, segment=second)

    assert (load.starts, load.dropped_samples) == ([], [])
    assert load.scheduler.clock.elapsed == 0
    assert load.scheduler.status().vus_max == 0


def test_a_scenario_of_which_an_instance_has_nothing_is_over_at_once() -> None:
    second = ExecutionSegment((Fraction(0), Fraction(1, 2), Fraction(1)), 1)
    first = scenario("constant-vus", "first", vus=1, duration=5)
    then = scenario("constant-vus", "then", vus=2, duration=1, after="first")
    load = Load([first, then], segment=second)
    outcome = load.run_to_end()

    assert outcome.status is RunStatus.ENDED
    assert {start.scenario for start in load.starts} == {"then"}
    assert load.scheduler.scenarios()[0].vus_max == 0
    assert load.scheduler.scenarios()[0].progress == 1


@pytest.mark.slow
def test_after_an_hour_of_ramping_not_one_arrival_is_missing() -> None:
    minutes = [(f"{minute}m", target) for minute, target in ((10, 40), (40, 40), (10, 0))]
    arrivals = scenario(
        "ramping-arrival-rate",
        "arrivals",
        start_rate=0,
        time_unit=1,
        stages=[("10m", 12), ("40m", 12), ("10m", 0)],
        pre_allocated_vus=5,
    )
    load = Load(
        [scenario("ramping-vus", "ramp", start_vus=0, stages=minutes), arrivals], iteration=7.31
    )
    load.iteration = lambda vu, number: 7.31 if vu > 5 else 0.131
    load.run_to_end()

    by_scenario = Counter(start.scenario for start in load.starts)
    assert load.dropped_samples == []
    assert by_scenario["arrivals"] == 36_000
    # 2,000 minutes of VUs, in iterations of 7.31 s.
    assert by_scenario["ramp"] == pytest.approx(16_416, rel=0.005)
    assert load.scheduler.clock.elapsed == pytest.approx(3600, abs=8)


@in_virtual_time
async def test_nothing_is_left_behind() -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    options = scenario("constant-arrival-rate", rate=50, duration=1, pre_allocated_vus=20)
    load = Load([options, scenario("constant-vus", "more", vus=20, duration=1)])

    await load.run()

    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert len(load.closed) == 40
    assert load.scheduler.status().vus == 0
