"""A load test from its start to its verdict, on a clock that jumps."""

import gc
import signal
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from pytest_k6api.api import Delivery, ResultsPort
from pytest_k6api.metrics import parse_thresholds
from pytest_k6api.model import (
    BUILT_IN,
    Command,
    ControlError,
    ExecutorKind,
    LoadTestOptions,
    MetricError,
    RunStatus,
    ScenarioOptions,
    ScenarioState,
)
from pytest_k6api.report import ProgressLine
from pytest_k6api.run import LoadTest, LoadTestPlan, RemoteLoadTest, RunSettings, UserCode, Verdict
from pytest_k6api.vu import VU, ExceptionRules, Trend, UserFunction

THINKING = Trend("thinking")


class Leave(Exception):
    """What pytest.exit() raises: an Exception that is to end the session."""


class Skip(BaseException):
    """What pytest.skip() raises."""


RULES = ExceptionRules(skips=(Skip,), exits=(Leave, KeyboardInterrupt))


def constant(name: str = "test_browse", **options: Any) -> ScenarioOptions:
    return ScenarioOptions(
        name=name,
        executor=ExecutorKind.CONSTANT_VUS,
        **{"vus": 2, "duration": 10.0, "graceful_stop": 5.0} | options,
    )


def load_test(
    *scenarios: tuple[ScenarioOptions, Callable[..., object]],
    thresholds: dict[str, list[Any]] | None = None,
    setup: Callable[..., object] | None = None,
    teardown: Callable[..., object] | None = None,
    **settings: Any,
) -> LoadTest:
    known = {metric.name: metric for metric in BUILT_IN} | {"thinking": THINKING.metric}
    plan = LoadTestPlan(
        name="test_shop.py::test_browse",
        scenarios=[options for options, _ in scenarios],
        thresholds=parse_thresholds(thresholds or {}, known),
        options=LoadTestOptions(setup=setup, teardown=teardown),
    )
    code = UserCode(
        scenarios={
            options.name: UserFunction(function=function) for options, function in scenarios
        },
        setup=UserFunction(function=setup) if setup else None,
        teardown=UserFunction(function=teardown) if teardown else None,
    )
    return LoadTest(1, plan, code, RunSettings(exceptions=RULES, **settings))


def run(tested: LoadTest, **options: Any) -> Verdict:
    clock = trio.testing.MockClock(autojump_threshold=0)
    return tested.run(clock=clock, **options)


async def browse(vu: VU) -> None:
    with vu.group("think"):
        # Prime, so that it never ends in the same instant as something else.
        await vu.sleep(0.97)
        THINKING.add(vu.id)


def test_it_measures_judges_and_passes():
    tested = load_test((constant(), browse), thresholds={"thinking": ["max<9"]})

    assert tested.outcome is None
    verdict = run(tested)

    assert verdict.reasons == ()
    assert tested.outcome == "passed"
    assert tested.results.elapsed == pytest.approx(10.67, abs=0.01)
    assert tested.results.snapshot.metrics["iterations"].sample["count"] == 22
    assert tested.results.snapshot.metrics["vus"].sample["value"] == 2
    assert [group.path for group in tested.results.snapshot.root.walk()] == ["", "::think"]
    assert tested.results.status.status is RunStatus.ENDED
    assert [scenario.state for scenario in tested.results.scenarios] == [ScenarioState.ENDED]
    assert tested.started_at is not None
    assert tested.ended_at is not None
    assert tested.started_at <= tested.ended_at
    assert not tested.portal.is_open


def test_any_filter_can_be_asked_after_the_end():
    tested = load_test((constant(), browse))
    run(tested)

    alone = tested.results.query("thinking{scenario:test_browse}", ("p(99)",))

    assert alone is not None
    assert alone.extra["p(99)"] == 2
    assert tested.results.query("thinking{scenario:test_other}") is None
    with pytest.raises(MetricError):
        tested.results.query("thinking{")


def test_an_aborting_threshold_ends_it_at_the_next_evaluation():
    aborting = {"thinking": [{"threshold": "max<2", "abort_on_fail": True}]}
    tested = load_test((constant(duration=3600.0), browse), thresholds=aborting)

    verdict = run(tested)

    assert verdict.reasons == (
        "stopped early: abort_on_fail: the threshold thinking: max<2 was crossed",
        "the threshold thinking: max<2 was crossed: max=2",
    )
    assert verdict.outcome == "interrupted"
    assert tested.results.elapsed == pytest.approx(2, abs=0.1)


def test_ctrl_c_lets_iterations_end_and_a_second_one_does_not():
    async def press(vu: VU) -> None:
        await vu.sleep(0.97)
        if vu.iteration == 1 and vu.id == 1:
            signal.raise_signal(signal.SIGINT)
        await vu.sleep(1.01)

    once = load_test((constant(duration=3600.0), press))
    verdict = run(once)
    assert verdict.reasons == ("stopped early: interrupted by Ctrl-C",)
    assert once.ending.interrupted_by == "Ctrl-C"
    assert once.results.snapshot.metrics["iterations"].sample["count"] == 4

    async def press_twice(vu: VU) -> None:
        await vu.sleep(0.97)
        if vu.iteration == 1 and vu.id == 1:
            signal.raise_signal(signal.SIGINT)
            await vu.sleep(0.13)
            signal.raise_signal(signal.SIGINT)
        await vu.sleep(1.01)

    twice = load_test((constant(duration=3600.0), press_twice))
    run(twice)
    assert twice.results.snapshot.metrics["iterations"].sample["count"] == 2


def test_code_that_has_seen_enough_ends_it_and_it_passes():
    async def enough(vu: VU) -> None:
        await vu.sleep(0.97)
        vu.stop("all is sold")

    tested = load_test((constant(duration=3600.0), enough))

    assert run(tested).outcome == "passed"
    assert tested.ending.ended_itself == "all is sold"


def test_setup_and_teardown_frame_it_and_their_errors_are_trouble():
    events: list[str] = []

    async def browse_once(vu: VU, setup_data: Any) -> None:
        events.append(f"browse with {setup_data}")
        await vu.sleep(60)

    # Async: virtual time does not wait for the thread of an ordinary function.
    async def fail() -> None:
        events.append("teardown")
        raise RuntimeError("cannot clear")

    async def seed() -> list[int]:
        events.append("setup")
        return [7]

    tested = load_test((constant(vus=1), browse_once), setup=seed, teardown=fail)

    verdict = run(tested)

    assert events == ["setup", "browse with [7]", "teardown"]
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(
        "teardown failed: Error executing teardown: RuntimeError: cannot clear"
    )


@pytest.mark.parametrize("stage", ["setup", "teardown"])
def test_setup_and_teardown_can_be_left_out(stage: str):
    events: list[str] = []
    options: dict[str, Any] = {stage: lambda: events.append(stage), f"run_{stage}": False}

    run(load_test((constant(), browse), **options))

    assert events == []


async def leave(vu: VU) -> None:
    await vu.sleep(0.5 + vu.id)
    raise Leave("enough")


async def leave_at_once() -> None:
    raise Leave("enough")


@pytest.mark.parametrize(
    "tested",
    [
        load_test((constant(), leave)),
        load_test((constant(), browse), setup=leave_at_once),
        load_test((constant(), browse), teardown=leave_at_once),
    ],
    ids=["a VU", "setup", "teardown"],
)
def test_what_ends_the_session_gets_through_and_results_are_kept(tested: LoadTest):
    with pytest.raises(Leave, match="enough"):
        run(tested)

    assert tested.outcome == "interrupted"
    assert tested.verdict is not None
    assert tested.verdict.reasons == ("aborted by an exception; results so far are kept",)
    assert not tested.portal.is_open


def test_a_skip_in_setup_gets_through():
    async def skip() -> None:
        raise Skip

    tested = load_test((constant(), browse), setup=skip)

    with pytest.raises(Skip):
        run(tested)

    assert "iterations" not in tested.results.snapshot.metrics


def test_the_live_view_has_a_line_for_each_scenario():
    shown: list[list[ProgressLine]] = []

    class Viewer:
        period = 0.5

        def show(self, lines: Sequence[ProgressLine]) -> None:
            shown.append(list(lines))

    async def fail(vu: VU) -> None:
        await vu.sleep(1.97)
        raise RuntimeError("no")

    tested = load_test(
        (constant("test_a"), browse), (constant("test_b", vus=1, start_time=5.21), fail)
    )
    run(tested, view=Viewer())

    early, late = shown[3], shown[-1]
    assert [(line.name, line.state, line.vus) for line in early] == [
        ("test_a", "running", 2),
        ("test_b", "waiting", 0),
    ]
    assert early[0].iterations == 4
    assert early[0].share == pytest.approx(0.2, abs=0.05)
    assert late[1].failures == 5
    assert all(line.p95 is None and line.requests_per_second is None for line in late)


def test_it_is_steered_from_another_thread():
    seen: list[Any] = []

    async def steer(remote: RemoteLoadTest) -> None:
        with pytest.raises(ControlError, match="already paused"):
            await remote.execute(Command(paused=True))
        seen.append(await remote.execute(Command(paused=False)))
        seen.append(await remote.execute(Command(vus=3)))
        seen.append(await remote.read(lambda now: now.scenarios))
        seen.append(await remote.snapshot())
        seen.append(await remote.execute(Command(stopped=True, whole_session=True)))

    ended: list[str] = []
    tested = load_test((constant(duration=3600.0), browse), paused=True)
    remote = RemoteLoadTest(tested, lambda: ended.append("session"))

    def is_waiting(now: ResultsPort) -> bool:
        return now.status.status is RunStatus.PAUSED_BEFORE_RUN

    async def watch() -> None:
        with trio.fail_after(10):
            # It happens in the loop of another thread, which rings no bell here.
            while not await remote.read(is_waiting):  # noqa: ASYNC110
                await trio.sleep(0.01)
            await steer(remote)

    thread = threading.Thread(target=trio.run, args=(watch,))
    thread.start()
    verdict = tested.run()  # on the real clock: the other thread is real, too
    thread.join(10)

    assert verdict.reasons == ("stopped early: the control API stopped it",)
    assert [result.delivery for result in (seen[0], seen[1], seen[4])] == [Delivery.DONE] * 3
    assert seen[1].status.vus == 3
    assert seen[2][0].overrides == {"vus": 3}
    assert ended == ["session"]


def test_an_ended_load_test_answers_and_refuses_commands():
    tested = load_test((constant(), browse))
    run(tested)
    remote = RemoteLoadTest(tested, lambda: None)

    async def ask() -> None:
        assert (await remote.read(lambda now: now.status)).status is RunStatus.ENDED
        assert (await remote.snapshot()).metrics["iterations"].sample["count"] == 22
        assert remote.outcome == "passed"
        assert remote.unresponsive == 0
        assert (await remote.execute(Command())).delivery is Delivery.DONE
        assert (await remote.execute(Command(stopped=True))).delivery is Delivery.DONE
        metric = await remote.read(
            lambda now: now.query("thinking{scenario:test_browse}", ("count",))
        )
        assert metric is not None
        assert metric.extra["count"] == 22
        for command in (Command(paused=True), Command(vus=3)):
            with pytest.raises(ControlError, match="the load test has ended"):
                await remote.execute(command)
        with pytest.raises(ControlError, match="the load test has ended"):
            await remote.run_setup()

    trio.run(ask)


def test_a_load_test_that_is_over_keeps_its_results_and_lets_everything_else_go() -> None:
    class Fixture:
        """A value that a scenario was given."""

    async def use(vu: VU, fixture: Fixture) -> None:
        await browse(vu)

    held = Fixture()
    gone = weakref.ref(held)
    scenario = UserFunction(function=use, values={"fixture": held})
    plan = LoadTestPlan(name="test_use", scenarios=[constant()])
    code = UserCode(scenarios={constant().name: scenario})
    tested = LoadTest(1, plan, code, RunSettings())

    run(tested)
    del held, scenario, code
    gc.collect()

    assert gone() is None
    assert tested.results.status.status is RunStatus.ENDED
    assert [each.state for each in tested.results.scenarios] == [ScenarioState.ENDED]
    metric = tested.results.query("thinking{scenario:test_browse}", ("p(50)",))
    assert metric is not None
    assert (metric.samples, metric.extra["p(50)"]) == (22, 1.5)
    tested.stop("too late")
    assert tested.results.status.stopped is False


def test_a_thousand_load_tests_hold_little_memory_each() -> None:
    def once() -> LoadTest:
        tested = load_test((constant(), browse), thresholds={"thinking": ["p(95)<9"]})
        run(tested)
        return tested

    kept = [once() for _ in range(3)]  # what is made once and for all
    gc.collect()
    tracemalloc.start()
    kept += [once() for _ in range(10)]
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] / 10
    tracemalloc.stop()

    assert len(kept) == 13
    assert held < 35_000  # ten metrics, a threshold and eleven seconds of them
