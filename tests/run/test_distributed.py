"""Load tests on workers, in the loop of their controller: what one process does, in virtual time."""

from typing import Any

import pytest
import trio

from pytest_k6api.distributed import Prepare, Release, Start, ToController, ToWorker
from pytest_k6api.model import Command, ControlError, LoadTestOptions, RunStatus, ScenarioState
from pytest_k6api.run import LoadTest, LoadTestPlan, RunSettings, UserCode, WorkerRun
from pytest_k6api.scheduling import equal_segment
from pytest_k6api.vu import VU, FeederExhausted, StopRequest, UserFunction, feeder
from tests.run.in_loop_workers import KINDS, Diary, Leave, load_test, options, run, steered


def measured(tested: LoadTest, *names: str) -> dict[str, Any]:
    """Return the metrics `names`, without rates, which depend on the time that all took."""
    metrics = tested.results.snapshot.metrics
    return {
        name: {key: value for key, value in metrics[name].sample.items() if key != "rate"}
        for name in names
    }


def checks(tested: LoadTest) -> list[Any]:
    return [
        (group.path, [(check.name, check.passes, check.fails) for check in group.checks])
        for group in tested.results.snapshot.root.walk()
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_workers_together_begin_the_iterations_of_one_process(kind: str, workers: int):
    diary, alone = Diary(), Diary()
    one, _ = load_test(0, (options(kind), alone.browse))
    tested, _ = load_test(workers, (options(kind), diary.browse))

    run(one)
    run(tested)

    assert diary.times == alone.times
    names = ("iterations", "iteration_duration", "group_duration")
    assert measured(tested, *names) == measured(one, *names)


@pytest.mark.parametrize(
    "kind", ["constant-vus", "per-vu-iterations", "ramping-vus", "externally-controlled"]
)
def test_virtual_users_have_the_numbers_and_the_chance_of_one_process(kind: str):
    diary, alone = Diary(), Diary()
    one, _ = load_test(0, (options(kind), alone.browse))
    tested, _ = load_test(3, (options(kind), diary.browse))

    run(one)
    run(tested)

    assert diary.entries == alone.entries
    assert measured(tested, "thinking", "checks") == measured(one, "thinking", "checks")
    assert checks(tested) == checks(one)


def test_setup_runs_once_and_its_data_reaches_every_virtual_user():
    ran, seen = [], []

    async def setup() -> dict[str, int]:
        ran.append(1)
        await trio.sleep(3.3)
        return {"token": 7}

    async def browse(vu: VU, setup_data: dict[str, int]) -> None:
        seen.append((vu.id, setup_data["token"]))

    tested, _ = load_test(
        2, (options("per-vu-iterations", vus=3, iterations=1), browse), setup=setup
    )
    run(tested)

    assert ran == [1]
    assert sorted(seen) == [(1, 7), (2, 7), (3, 7)]
    assert tested.outcome == "passed"
    assert tested.results.elapsed == pytest.approx(3.3, abs=0.001)


@pytest.mark.parametrize("kind", KINDS)
def test_a_load_test_on_workers_takes_the_test_run_time_of_one_process(kind: str):
    async def setup() -> None:
        await trio.sleep(0.7)

    one, _ = load_test(0, (options(kind, start_time=1.3), Diary().browse), setup=setup)
    run(one)
    tested, _ = load_test(3, (options(kind, start_time=1.3), Diary().browse), setup=setup)
    run(tested)

    assert tested.results.elapsed == pytest.approx(one.results.elapsed, abs=1e-6)


def test_a_setup_that_fails_leaves_nothing_to_report():
    async def setup() -> None:
        await trio.sleep(0.5)
        raise LookupError("no database")

    tested, carriers = load_test(2, (options("constant-vus"), Diary().browse), setup=setup)
    carriers[1].is_slow_to_leave = True  # so the last words of the other are heard
    run(tested)

    assert tested.outcome == "failed"
    assert tested.verdict is not None
    assert "LookupError: no database" in tested.verdict.reasons[0]
    assert "iterations" not in tested.results.snapshot.metrics


def test_a_scenario_waits_for_the_end_of_another_on_all_workers():
    began: dict[str, list[float]] = {"first": [], "second": []}

    async def first(vu: VU) -> None:
        began["first"].append(trio.current_time())
        await vu.sleep(1.7 * vu.id)

    async def second(vu: VU) -> None:
        began["second"].append(trio.current_time())
        await vu.sleep(0.1)

    tested, _ = load_test(
        3,
        (options("per-vu-iterations", "first", vus=3, iterations=1), first),
        (options("per-vu-iterations", "second", vus=3, iterations=1, after="first"), second),
    )
    run(tested)

    start = min(began["first"])
    assert [at - start for at in began["second"]] == pytest.approx([5.15] * 3, abs=0.01)


def test_rows_of_a_feeder_reach_one_virtual_user_each():
    rows = feeder([{"number": number} for number in range(23)])
    taken = []

    async def browse(vu: VU) -> None:
        taken.append(next(rows)["number"])
        await vu.sleep(0.1 + vu.id / 100)

    tested, _ = load_test(1, (options("constant-vus", vus=4, duration=60.0), browse))
    run(tested)

    assert sorted(taken) == list(range(23))
    assert tested.outcome == "passed"
    assert tested.ending.ended_itself == "a list: all 23 rows have been handed out"


def test_the_last_rows_are_used_to_the_end_when_those_of_every_worker_are_handed_out():
    async def browse(vu: VU) -> None:
        if vu.id > 2:
            await vu.sleep(5.0)
        elif vu.iteration == vu.id:  # a second of one worker, two of the other
            raise FeederExhausted("all rows have been handed out")
        else:
            await vu.sleep(1.0)

    tested, _ = load_test(
        2, (options("constant-vus", vus=4, duration=60.0, graceful_stop=30.0), browse)
    )
    run(tested)

    assert tested.outcome == "passed"
    assert tested.results.scenarios[0].interrupted == 0
    assert tested.results.elapsed == pytest.approx(5.1, abs=0.2)


def test_a_pause_returns_when_no_worker_iterates_and_time_stands_still_everywhere():
    diary = Diary()

    async def pause_and_resume(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        result = await tested.execute(Command(paused=True))
        assert result.status.paused
        assert result.status.vus == 0
        assert {each.state for each in result.scenarios} == {ScenarioState.PAUSED}
        before = tested.results.elapsed
        with pytest.raises(ControlError, match="already paused"):
            await tested.execute(Command(paused=True))
        await trio.sleep(10.0)
        assert tested.results.elapsed == before
        result = await tested.execute(Command(paused=False))
        assert not result.status.paused

    one = steered(0, pause_and_resume, (options("constant-vus"), Diary().browse))
    tested = steered(3, pause_and_resume, (options("constant-vus"), diary.browse))

    assert tested.results.elapsed == pytest.approx(one.results.elapsed, abs=0.1)
    waits = [after - before for before, after in zip(diary.times, diary.times[1:], strict=False)]
    assert max(waits) == pytest.approx(10.4, abs=0.3)


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_the_status_tells_of_virtual_users_soon_after_they_start(workers: int):
    async def look(tested: LoadTest) -> None:
        await trio.sleep(0.2)
        assert tested.results.status.vus == 5
        await trio.sleep(1.4)  # the second scenario has begun for 0.3 s
        assert tested.results.status.vus == 8
        await tested.execute(Command(paused=True))
        await trio.sleep(5.0)
        await tested.execute(Command(paused=False))
        await trio.sleep(0.2)
        assert tested.results.status.vus == 8

    steered(
        workers,
        look,
        (options("constant-vus"), Diary().browse),
        (options("constant-vus", "later", vus=3, start_time=1.3), Diary().browse),
    )


def test_virtual_users_and_their_maximum_are_set_for_all_workers_together():
    async def scale(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        result = await tested.execute(Command(vus=8, vus_max=8))
        assert (result.status.vus, result.status.vus_max) == (8, 8)
        assert result.scenarios[0].overrides == {"vus": 8}
        with pytest.raises(ControlError, match="can't be negative"):
            await tested.execute(Command(vus=-1))
        with pytest.raises(KeyError):
            await tested.execute(Command(scenario="nobody", vus=1))
        await trio.sleep(0.9)
        result = await tested.execute(Command(vus=1))
        await trio.sleep(0.9)
        assert tested.results.status.vus == 1

    steered(3, scale, (options("externally-controlled"), Diary().browse))


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_set_while_it_waits_for_its_start_holds_from_the_start(workers: int):
    diary = Diary()

    async def scale_and_resume() -> None:
        await trio.sleep(1.7)
        told = tested.results.query("vus_max")
        assert told is not None
        assert told.sample == {"value": 6}
        await tested.execute(Command(vus=5, vus_max=7))
        await tested.execute(Command(paused=False))

    tested, _ = load_test(
        workers,
        (options("externally-controlled"), diary.browse),
        paused=True,
        on_paused=lambda: trio.lowlevel.spawn_system_task(scale_and_resume),
    )
    run(tested)

    assert {number for number, *_ in diary.entries} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_the_maximum_of_virtual_users_is_raised_beyond_the_number_of_workers(workers: int):
    async def raise_it(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        result = await tested.execute(Command(vus_max=4))
        assert (result.status.vus, result.status.vus_max) == (1, 4)
        result = await tested.execute(Command(vus=4))
        assert (result.status.vus, result.status.vus_max) == (4, 4)

    steered(workers, raise_it, (options("externally-controlled", vus=1, max_vus=1), Diary().browse))


@pytest.mark.parametrize("workers", [0, 3])
def test_virtual_users_are_added_on_workers_that_had_none(workers: int):
    diary = Diary()

    async def add(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        await tested.execute(Command(scenario="browse", vus=3))

    steered(workers, add, (options("constant-vus", vus=1), diary.browse))

    assert {number for number, *_ in diary.entries} == {1, 2, 3}


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_virtual_users_that_are_added_have_iterations_of_their_own_on_every_worker(workers: int):
    diary = Diary()

    async def add(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        await tested.execute(Command(scenario="browse", vus=4))

    # The first virtual user is done after 1.851 s, long before the last.
    tested = steered(
        workers, add, (options("per-vu-iterations", vus=1, iterations=3), diary.browse)
    )

    done = [(number, iteration) for number, iteration, _ in diary.entries]
    assert done == [(number, iteration) for number in (1, 2, 3, 4) for iteration in range(3)]
    assert tested.results.elapsed == pytest.approx(1.0 + 3 * 0.617 + 0.05, abs=0.1)
    assert tested.results.scenarios[0].dropped == 0


@pytest.mark.parametrize("kind", ["shared-iterations", "per-vu-iterations"])
def test_a_worker_without_a_share_does_not_hold_the_end_up(kind: str):
    tested, _ = load_test(3, (options(kind, vus=1, iterations=3), Diary().browse))

    run(tested)

    assert tested.outcome == "passed"
    assert tested.results.elapsed == pytest.approx(3 * 0.617, abs=0.1)


@pytest.mark.parametrize("workers", [0, 2])
def test_virtual_users_are_added_on_a_worker_whose_share_is_done(workers: int):
    diary = Diary()

    async def browse(vu: VU) -> None:
        await diary.browse(vu)
        if vu.id == 2:
            await vu.sleep(4.0)

    async def add(tested: LoadTest) -> None:
        await trio.sleep(2.0)
        await tested.execute(Command(scenario="browse", vus=3))

    steered(workers, add, (options("per-vu-iterations", vus=2, iterations=1), browse))

    assert len(diary.entries) == 3


def test_a_rate_is_set_for_all_workers_together():
    diary = Diary()

    async def hurry(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        result = await tested.execute(Command(scenario="browse", rate=20.0))
        assert result.scenarios[0].rate == 20.0

    load = options("constant-arrival-rate", pre_allocated_vus=24, max_vus=24)
    steered(3, hurry, (load, diary.browse))

    in_second = [sum(second <= at < second + 1 for at in diary.times) for second in range(5)]
    assert in_second[0] == 10
    assert in_second[2:] == [20, 20, 20]


def test_a_stop_interrupts_iterations_on_all_workers():
    async def stop(tested: LoadTest) -> None:
        await trio.sleep(1.0)
        tested.stop("it is enough")

    tested = steered(3, stop, (options("constant-vus"), Diary().browse))

    assert tested.verdict is not None
    assert tested.verdict.reasons[0] == "stopped early: it is enough"
    assert tested.results.scenarios[0].interrupted == 5
    assert tested.results.status.status is RunStatus.INTERRUPTED


def test_user_code_on_a_worker_ends_the_load_test():
    async def enough(vu: VU) -> None:
        await vu.sleep(0.97)
        if vu.id == 2:
            raise StopRequest("all is sold")

    tested, _ = load_test(2, (options("constant-vus", duration=3600.0), enough))
    run(tested)

    assert tested.outcome == "passed"
    assert tested.ending.ended_itself == "all is sold"
    assert tested.results.elapsed < 3


def test_what_ends_the_session_on_a_worker_ends_it_here():
    async def leave(vu: VU) -> None:
        await vu.sleep(0.5 + vu.id)
        raise Leave("enough")

    tested, _ = load_test(2, (options("constant-vus"), leave))

    with pytest.raises(Leave, match="enough"):
        run(tested)

    assert tested.outcome == "interrupted"


def test_an_aborting_threshold_ends_the_load_on_all_workers():
    aborting = {"thinking": [{"threshold": "max<2", "abort_on_fail": True}]}
    tested, _ = load_test(
        2, (options("constant-vus", duration=3600.0), Diary().browse), thresholds=aborting
    )

    run(tested)

    assert tested.verdict is not None
    assert tested.verdict.reasons[0] == (
        "stopped early: abort_on_fail: the threshold thinking: max<2 was crossed"
    )
    assert tested.results.elapsed < 2


def test_a_worker_that_is_slow_to_leave_is_asked_nothing_meanwhile():
    async def slow_down(tested: LoadTest) -> None:
        vars(tested)["carriers"][1].is_slow_to_leave = True

    tested = steered(2, slow_down, (options("constant-vus", duration=3.0), Diary().browse))

    assert tested.verdict is not None
    assert tested.verdict.reasons == ("10 of 25 checks failed",)


@pytest.mark.parametrize("way", ["die", "fall silent"])
def test_a_worker_that_is_lost_ends_the_load_test_and_what_it_told_counts(way: str):
    async def lose(tested: LoadTest) -> None:
        await trio.sleep(5.22)
        carrier = vars(tested)["carriers"][1]
        if way == "die":
            carrier.die()
        else:
            carrier.is_silent = True

    tested = steered(2, lose, (options("constant-vus", duration=3600.0), Diary().browse))

    assert tested.verdict is not None
    how = "killed by SIGKILL" if way == "die" else "no answer for 3 s"
    lost = tested.results.workers[1]
    assert tested.outcome == "failed"
    assert lost.lost_at == pytest.approx(5.27 if way == "die" else 8.5, abs=0.7)
    assert tested.verdict.reasons[0] == (
        f"worker 2 (in the loop) was lost at {lost.lost_at:.1f} s: {how}; what it measured until"
        " 5.0 s counts"
    )
    assert tested.results.elapsed == pytest.approx(lost.lost_at, abs=0.1)
    # The second worker has two of five VUs, and told of four whole seconds at least.
    thinking = tested.results.query("thinking{scenario:browse}", ("p(99)",))
    assert thinking is not None
    assert thinking.extra["p(99)"] == 7.5
    assert tested.results.snapshot.metrics["iterations"].sample["count"] > 3 * 7 + 2 * 5


def test_what_follows_a_release_is_left_to_the_next_load_test():
    class Line:
        """Has all messages at once, as for a worker that is late."""

        def __init__(self) -> None:
            self.inbox: list[ToWorker] = [Start(load_began_at=0.0), Release(), Prepare(item="next")]

        def send(self, message: ToController) -> None: ...

        def flush(self) -> None: ...

        async def receive(self) -> ToWorker | None:
            await trio.lowlevel.checkpoint()
            return self.inbox.pop(0)

    line, plan = Line(), options("constant-vus")
    worker_run = WorkerRun(
        LoadTestPlan(
            name="first", scenarios=[plan], thresholds=(), options=LoadTestOptions(setup=None)
        ),
        UserCode(scenarios={"browse": UserFunction(function=Diary().browse)}),
        RunSettings(segment=equal_segment(0, 2)),
        line,
    )

    trio.run(worker_run.run)

    assert line.inbox == [Prepare(item="next")]
