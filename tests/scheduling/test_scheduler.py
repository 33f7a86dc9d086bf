"""Phases of a load test: their order, and every way in which it can end."""

import pytest
import trio

from pytest_k6api.model import OptionError, RunStatus, ScenarioOptions, ScenarioState
from tests.scheduling.loads import Load, SleepingVU, scenario
from tests.virtual_time import in_virtual_time


class Script:
    """A setup or teardown that takes a while, and tells when it ran and how it ended."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.began: list[float] = []
        self.ended: list[float] = []

    async def __call__(self) -> None:
        self.began.append(trio.current_time())
        await trio.sleep(self.seconds)
        if self.error:
            raise self.error
        self.ended.append(trio.current_time())


def test_a_load_test_goes_through_k6s_states() -> None:
    seen: list[tuple[RunStatus, bool, int, int]] = []

    def note() -> None:
        status = load.scheduler.status()
        seen.append((status.status, status.running, status.vus, status.vus_max))

    async def setup() -> None:
        await trio.sleep(1)
        note()

    async def teardown() -> None:
        note()

    options = scenario("constant-vus", vus=2, duration=1, start_time=0.5)
    load = Load([options], setup=setup, teardown=teardown)

    async def main() -> None:
        note()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            await trio.sleep(1.2)
            note()
            await trio.sleep(0.5)
            note()
        note()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert seen == [
        (RunStatus.CREATED, False, 0, 0),
        (RunStatus.SETUP, True, 0, 2),
        (RunStatus.RUNNING, True, 0, 2),
        (RunStatus.RUNNING, True, 2, 2),
        (RunStatus.TEARDOWN, True, 0, 2),
        (RunStatus.ENDED, False, 0, 2),
    ]


def test_start_times_count_from_the_end_of_setup_and_time_from_before_it() -> None:
    load = Load(
        [scenario("per-vu-iterations", start_time=0.5)], setup=Script(1), teardown=Script(2)
    )
    outcome = load.run_to_end()

    assert [start.at for start in load.starts] == [1.5]
    assert outcome.elapsed == pytest.approx(3.6)
    assert outcome.status is RunStatus.ENDED
    assert outcome.stop_reason == ""


def test_scenarios_run_in_their_time_and_after_each_other() -> None:
    mix = [
        scenario("per-vu-iterations", "late", start_time=1),
        scenario("per-vu-iterations", "seed", iterations=3),
        scenario("per-vu-iterations", "then", after="seed", start_time=0.5),
    ]
    load = Load(mix, iteration=0.2)
    load.run_to_end()

    assert [
        (start.scenario, pytest.approx(start.at), start.vu)
        for start in sorted(load.starts, key=lambda start: start.at)
    ] == [
        ("seed", 0, 1),
        ("seed", 0.2, 1),
        ("seed", 0.4, 1),
        ("late", 1, 1),
        ("then", 1.1, 2),
    ]


def test_the_vus_of_a_scenario_that_just_ended_serve_the_next() -> None:
    mix = [
        scenario("constant-vus", "first", vus=3, duration=1, graceful_stop=0),
        scenario("constant-vus", "second", vus=2, duration=1, start_time=1, graceful_stop=0),
    ]
    load = Load(mix, iteration=0.3, closing=0.25)
    load.run_to_end()

    assert load.scheduler.status().vus_max == 3
    assert {start.vu for start in load.starts if start.scenario == "second"} <= {1, 2, 3}
    # They come as soon as the fixtures of those before are torn down.
    assert min(start.at for start in load.starts if start.scenario == "second") == 1.25


def test_scenarios_that_wait_for_one_that_is_not_there_are_refused() -> None:
    with pytest.raises(OptionError, match="names no other scenario"):
        Load([scenario("per-vu-iterations", after="unknown")])


def test_when_setup_fails_nothing_else_runs() -> None:
    error = ValueError("no database")
    teardown = Script()
    load = Load([scenario("per-vu-iterations")], setup=Script(1, error), teardown=teardown)
    outcome = load.run_to_end()

    assert outcome.setup_error is error
    assert outcome.status is RunStatus.ENDED
    assert (load.starts, teardown.began) == ([], [])
    assert outcome.elapsed == 1
    assert load.scheduler.status().running is False


def test_when_teardown_fails_the_load_test_has_ended_all_the_same() -> None:
    error = ValueError("still there")
    load = Load([scenario("per-vu-iterations")], teardown=Script(1, error))
    outcome = load.run_to_end()

    assert outcome.teardown_error is error
    assert outcome.status is RunStatus.ENDED
    assert load.finished == 1


def executors_of_all_kinds() -> list[ScenarioOptions]:
    return [
        scenario("constant-vus", vus=2, duration=9),
        scenario("shared-iterations", vus=2, iterations=90, max_duration=9),
        scenario("per-vu-iterations", vus=2, iterations=90, max_duration=9),
        scenario("ramping-vus", start_vus=2, stages=[("9s", 2)]),
        scenario("externally-controlled", vus=2, duration=9),
        scenario("constant-arrival-rate", rate=2.5, duration=9, pre_allocated_vus=2),
        scenario("ramping-arrival-rate", stages=[("0s", 5), ("9s", 5)], pre_allocated_vus=2),
    ]


every_executor = pytest.mark.parametrize(
    "options", executors_of_all_kinds(), ids=lambda options: options.executor.value
)


async def told(load: Load, at: float, *commands: object) -> None:
    """Run `load` and call the commands `at` that time and each second later."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        await trio.sleep(at)
        for command in commands:
            assert callable(command)
            command()
            await trio.sleep(1)


@every_executor
@in_virtual_time
async def test_a_stop_interrupts_at_once_and_teardown_still_runs(options: ScenarioOptions) -> None:
    teardown = Script(0.5)
    load = Load([options], iteration=1.7, teardown=teardown)

    await told(load, 4.05, lambda: load.scheduler.stop("enough"))

    (status,) = load.scheduler.scenarios()
    snapshot = load.scheduler.status()
    assert load.cut == status.interrupted == 2
    assert status.iterations == load.finished == len(load.starts) - 2
    assert status.state is ScenarioState.ENDED
    assert teardown.ended == [4.55]
    assert (snapshot.status, snapshot.stopped) == (RunStatus.INTERRUPTED, True)
    assert (snapshot.running, snapshot.vus) == (False, 0)
    assert snapshot.elapsed == pytest.approx(4.55)


@every_executor
@in_virtual_time
async def test_a_graceful_end_starts_nothing_and_lets_iterations_finish(
    options: ScenarioOptions,
) -> None:
    teardown = Script()
    load = Load([options], iteration=1.7, teardown=teardown)

    await told(load, 4.05, lambda: load.scheduler.finish("Ctrl-C"))

    graceful = options.executor.value != "externally-controlled"
    started = len(load.starts)
    assert (load.finished, load.cut) == ((started, 0) if graceful else (started - 2, 2))
    assert max(start.at for start in load.starts) < 4.05
    assert len(teardown.ended) == 1
    assert load.scheduler.status().status is RunStatus.INTERRUPTED
    if "iterations" in options.executor.value:
        # They were not due: no VU was too slow for them.
        assert load.dropped_samples == []


@every_executor
@in_virtual_time
async def test_a_second_wish_to_end_is_a_stop(options: ScenarioOptions) -> None:
    load = Load([options], iteration=20)
    finish = load.scheduler.finish

    await told(load, 4.05, finish, finish, finish)

    assert (load.finished, load.cut) == (0, 2)
    assert load.scheduler.clock.elapsed == (
        4.05 if options.executor.value == "externally-controlled" else 5.05
    )


@every_executor
@in_virtual_time
async def test_iterations_still_running_after_the_graceful_stop_are_cut(
    options: ScenarioOptions,
) -> None:
    load = Load([options], iteration=60)

    await load.run()

    (status,) = load.scheduler.scenarios()
    assert (status.interrupted, status.iterations) == (2, 0)
    ends = 9 if options.executor.value == "externally-controlled" else 39
    assert load.scheduler.clock.elapsed == ends
    if "iterations" in options.executor.value:
        assert sum(load.dropped_samples) == {"s": 88, "p": 178}[options.executor.value[0]]


@in_virtual_time
async def test_a_stop_before_the_start_runs_neither_setup_nor_teardown() -> None:
    setup, teardown = Script(), Script()
    load = Load([scenario("per-vu-iterations")], setup=setup, teardown=teardown, paused=True)

    await told(load, 2, lambda: load.scheduler.stop("never mind"))

    assert (load.starts, setup.began, teardown.began) == ([], [], [])
    snapshot = load.scheduler.status()
    assert (snapshot.status, snapshot.running) == (RunStatus.INTERRUPTED, False)
    assert (snapshot.elapsed, snapshot.paused) == (0, True)


@in_virtual_time
async def test_a_stop_during_setup_cuts_it_short_and_nothing_follows() -> None:
    setup, teardown = Script(5), Script()
    load = Load([scenario("per-vu-iterations")], setup=setup, teardown=teardown)

    await told(load, 2, lambda: load.scheduler.stop("never mind"))

    assert (load.starts, setup.ended, teardown.began) == ([], [], [])
    assert load.scheduler.clock.elapsed == 2
    assert load.scheduler.status().status is RunStatus.INTERRUPTED


@in_virtual_time
async def test_a_graceful_end_during_setup_lets_it_finish_and_tears_down() -> None:
    setup, teardown = Script(5), Script()
    load = Load([scenario("per-vu-iterations")], setup=setup, teardown=teardown)

    await told(load, 2, lambda: load.scheduler.finish("Ctrl-C"))

    assert (load.starts, setup.ended, teardown.ended) == ([], [5], [5])
    assert load.scheduler.status().status is RunStatus.INTERRUPTED


@in_virtual_time
async def test_scenarios_that_have_not_begun_do_not_begin_after_a_stop() -> None:
    mix = [
        scenario("per-vu-iterations", "seed"),
        scenario("per-vu-iterations", "late", start_time=50),
        scenario("per-vu-iterations", "then", after="late"),
    ]
    load = Load(mix)

    await told(load, 2, load.scheduler.stop)

    assert [start.scenario for start in load.starts] == ["seed"]
    assert load.scheduler.clock.elapsed == 2


@in_virtual_time
async def test_a_stop_during_teardown_is_kept_but_cuts_nothing() -> None:
    teardown = Script(3)
    load = Load([scenario("per-vu-iterations")], teardown=teardown)

    await told(load, 1, lambda: load.scheduler.stop("late"), lambda: load.scheduler.stop("later"))

    assert teardown.ended == [3.1]
    assert load.scheduler.status().stopped


@in_virtual_time
async def test_after_the_end_a_stop_changes_nothing() -> None:
    load = Load([scenario("per-vu-iterations")])
    outcome = await load.run()

    load.scheduler.stop("late")
    load.scheduler.finish("late")
    await trio.sleep(5)

    assert outcome.status is load.scheduler.status().status is RunStatus.ENDED
    assert load.scheduler.status().elapsed == outcome.elapsed == 0.1
    assert load.scheduler.scenarios()[0].progress == 1


@in_virtual_time
async def test_the_first_reason_for_a_stop_is_the_one_that_counts() -> None:
    load = Load([scenario("constant-vus", duration=9)], closing=0.5)
    outcomes = []

    async def run() -> None:
        outcomes.append(await load.run())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(1.05)
        load.scheduler.stop("a threshold was crossed")
        load.scheduler.stop("a user was impatient")

    assert outcomes[0].stop_reason == "a threshold was crossed"
    assert outcomes[0].status is RunStatus.INTERRUPTED


@in_virtual_time
async def test_an_iteration_that_is_cut_when_it_just_ended_is_interrupted() -> None:
    load = Load([scenario("constant-vus", duration=9)], iteration=1)

    async def stop_in_time() -> None:
        # A tie on purpose: in either order, counts and records agree.
        await trio.sleep(3)
        load.scheduler.stop()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        nursery.start_soon(stop_in_time)

    (status,) = load.scheduler.scenarios()
    assert status.iterations == load.finished
    assert status.iterations + status.interrupted == len(load.starts)


@in_virtual_time
async def test_an_iteration_that_will_not_be_interrupted_counts_as_if_it_had_been() -> None:
    class StubbornVU(SleepingVU):
        async def run_iteration(self, due_at: float | None = None) -> bool:
            with trio.CancelScope(shield=True):
                await super().run_iteration(due_at)
            return False

    mix = [
        scenario("constant-vus", "looping", duration=9),
        scenario("constant-arrival-rate", "due", rate=1, duration=9, pre_allocated_vus=1),
    ]
    load = Load(mix, iteration=2.9, make=StubbornVU)

    await told(load, 4.05, load.scheduler.stop)

    assert [(each.iterations, each.interrupted) for each in load.scheduler.scenarios()] == [
        (1, 1),
        (1, 1),
    ]
    assert load.scheduler.clock.elapsed == 5.9


@in_virtual_time
async def test_an_iteration_that_was_handed_to_a_vu_which_never_came_is_interrupted() -> None:
    mix = [
        scenario("constant-vus", "first", duration=1, graceful_stop=0),
        scenario(
            "constant-arrival-rate",
            "second",
            rate=1,
            duration=9,
            pre_allocated_vus=1,
            start_time=1,
        ),
    ]
    # The only VU is still being closed when the second scenario wants it.
    load = Load(mix, iteration=0.3, closing=1.5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load.run)
        await trio.sleep(0.5)
        assert load.scheduler.scenarios()[1].state is ScenarioState.WAITING
        await trio.sleep(1.05)
        assert load.scheduler.status().vus == 0
        load.scheduler.stop()

    second = load.scheduler.scenarios()[1]
    assert (second.iterations, second.interrupted, second.vus) == (0, 1, 0)
    assert load.closed == [1]


@in_virtual_time
async def test_what_a_user_raises_that_means_to_end_everything_does() -> None:
    load = Load([scenario("constant-vus", vus=3, duration=9)])

    def give_up(vu: int, number: int) -> float:
        if (vu, number) == (2, 3):
            raise KeyboardInterrupt
        return 0.3

    load.iteration = give_up

    with pytest.raises(BaseExceptionGroup) as caught:
        await load.run()

    assert caught.value.subgroup(KeyboardInterrupt) is not None
    assert load.scheduler.status().status is RunStatus.INTERRUPTED
    assert sorted(load.closed) == [1, 2, 3]
    assert load.scheduler.clock.elapsed == pytest.approx(0.9)


def test_the_planned_vus_follow_the_plans_of_the_scenarios_that_run() -> None:
    planned: list[int] = []
    load = Load(
        [
            scenario(
                "ramping-vus", start_vus=0, stages=[(4, 4), (2, 4)], graceful_stop=0, name="ramp"
            ),
            scenario(
                "constant-arrival-rate",
                rate=1,
                duration=2,
                pre_allocated_vus=10,
                max_vus=20,
                start_time=2,
                name="rate",
            ),
        ]
    )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            await trio.sleep(0.5)
            for _ in range(7):
                planned.append(load.scheduler.status().vus_planned)
                await trio.sleep(1)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert planned == [0, 1, 12, 13, 4, 4, 0]
