"""Phases of a load test, from the initialisation of VUs to the end of teardown.

    status               phase                           next status
    -------------------  ------------------------------  ---------------------------------
    INIT_VUS             planned VUs get their numbers   PAUSED_BEFORE_RUN, STARTED
    PAUSED_BEFORE_RUN    waits for a resume              STARTED; stopped: INTERRUPTED
    STARTED              the clock starts                SETUP
    SETUP                setup runs                      RUNNING; it failed: ENDED
    RUNNING              scenarios run                   TEARDOWN, stopped or not
    TEARDOWN             teardown runs                   ENDED; stopped: INTERRUPTED

Source: k6 v1.1.0, ``internal/execution/scheduler.go``, ``Init`` and ``Run``.
"""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import trio

from pytest_k6api.model import (
    Recorder,
    RunStatus,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioSnapshot,
    StatusSnapshot,
    Takeover,
    storable,
)
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.commands import Control
from pytest_k6api.scheduling.executors import (
    ExecutorContext,
    ExecutorFactory,
    VUFactory,
    make_executor,
    make_plan,
)
from pytest_k6api.scheduling.reservations import check_order, planned_vus
from pytest_k6api.scheduling.scenario_runs import ScenarioRun
from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment
from pytest_k6api.scheduling.vu_pool import VUPool
from pytest_k6api.vu import LoopTicks, StuckTasks, WakeEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """Outcome of a load test's phases.

    Attributes:
        status: ENDED, or INTERRUPTED if it was stopped early.
        stop_reason: Reason of an early stop; empty without a stop or a reason.
        setup_error: Exception raised by setup; then nothing else ran.
        teardown_error: Exception raised by teardown.
        elapsed: Seconds of test-run time, setup and teardown included.
    """

    status: RunStatus
    stop_reason: str = ""
    setup_error: Exception | None = None
    teardown_error: Exception | None = None
    elapsed: float = 0.0


class Scheduler:
    """Runs the scenarios of one load test.

    Attributes:
        clock: Test-run time, which starts before setup.
        control: Carries out commands while it runs.
    """

    def __init__(
        self,
        scenarios: Sequence[ScenarioOptions],
        make_vu: VUFactory,
        recorder_for: Callable[[str], Recorder],
        *,
        setup: Callable[[], Awaitable[object]] | None = None,
        teardown: Callable[[], Awaitable[object]] | None = None,
        paused: bool = False,
        segment: ExecutionSegment = WHOLE,
        stuck: StuckTasks | None = None,
        on_status: Callable[[], None] = lambda: None,
        on_scenario_end: Callable[[str], None] = lambda _name: None,
        on_idle: Callable[[str, bool], None] = lambda _name, _is_idle: None,
        executors: ExecutorFactory = make_executor,
        is_led: bool = False,
    ) -> None:
        """Plan `scenarios`.

        Args:
            scenarios: Their plans, with names that differ.
            make_vu: Makes a VU when its number is activated for a scenario.
            recorder_for: Returns the recorder for what belongs to the scenario of
                that name, but to none of its VUs: dropped iterations.
            setup: Runs before all scenarios; if it raises, nothing else runs.
            teardown: Runs after them, also after a stop.
            paused: Whether to wait for a command to resume before setup.
            segment: The part of the load that this instance runs.
            stuck: Abandons cancelled tasks that do not end, while it is watched.
            on_status: Called after each change of the status but the last.
            on_scenario_end: Called with the name of each scenario that has ended.
            on_idle: See `ExecutorContext`; of a scenario that awaits others, if it is led.
            executors: Makes the executor of each plan.
            is_led: Whether `begin` tells when each scenario starts, not its plan.

        Raises:
            OptionError: A scenario waits for an unknown one, or for itself.
        """
        check_order(scenarios)
        self.clock = RunClock()
        self._status = RunStatus.CREATED
        self._on_status = on_status
        self._on_scenario_end = on_scenario_end
        self._is_led = is_led
        self._vu_pool = VUPool(segment)
        self._ticks = LoopTicks()
        self._wake = WakeEvent()
        self._setup = setup
        self._teardown = teardown
        self._is_stopped = self._is_ending = False
        self._stop_reason = ""
        self._setup_scope = trio.CancelScope()
        self._setup_error: Exception | None = None
        self._teardown_error: Exception | None = None
        self._stuck = stuck or StuckTasks()
        context = ExecutorContext(
            clock=self.clock,
            vu_pool=self._vu_pool,
            make_vu=make_vu,
            recorder_for=recorder_for,
            segment=segment,
            ticks=self._ticks,
            stuck=self._stuck,
            on_idle=on_idle,
        )
        plans = {
            options.name: make_plan(options, segment, may_grow=is_led) for options in scenarios
        }
        self._plans = plans
        self._planned = planned_vus(scenarios, plans, segment)
        self._runs = [
            ScenarioRun(options, executors(options, plan, context) if plan else None)
            for options in sorted(scenarios, key=lambda each: (each.start_time, each.name))
            for plan in [plans[options.name]]
        ]
        self.control = Control(self._runs, self.clock, self._wake)
        self.control.is_waiting = paused

    async def run(self) -> RunOutcome:
        """Run the load test through all phases; call it once."""
        trio.lowlevel.add_instrument(self._ticks)
        try:
            await self._live()
        except BaseException:
            self._is_stopped = True
            raise
        finally:
            trio.lowlevel.remove_instrument(self._ticks)
            self.control.is_over = True
            self.clock.stop()
            self._status = RunStatus.INTERRUPTED if self._is_stopped else RunStatus.ENDED
        return RunOutcome(
            status=self._status,
            stop_reason=self._stop_reason,
            setup_error=self._setup_error,
            teardown_error=self._teardown_error,
            elapsed=self.clock.elapsed,
        )

    def begin(self, scenario: str, elapsed: float) -> None:
        """Start `scenario` when `elapsed` of test-run time is reached, if it is led.

        Raises:
            KeyError: There is no such scenario.
        """
        {run.options.name: run for run in self._runs}[scenario].begin_at(elapsed)

    def end_idleness(self, scenario: str) -> None:
        """End `scenario`, if it is led: nothing of it is left to do anywhere.

        Raises:
            KeyError: There is no such scenario.
        """
        executor = {run.options.name: run for run in self._runs}[scenario].executor
        if executor is not None:
            executor.end_idleness()

    def report(self) -> dict[str, ScenarioProgress]:
        """Return how far it has come with each scenario that runs, for a successor."""
        return {
            run.options.name: run.executor.report()
            for run in self._runs
            if run.is_running and run.executor is not None
        }

    def take_over(self, takeover: Takeover, progress: Mapping[str, ScenarioProgress]) -> None:
        """Go on with the share that another instance was lost with; in setup.

        Args:
            takeover: What became of the load test since then.
            progress: What that instance told last, in `report`.
        """
        if takeover.is_paused:
            self.control.hold()
        for run in self._runs:
            name = run.options.name
            if name in takeover.scenarios:
                run.take_over(takeover.scenarios[name], progress.get(name, ScenarioProgress()))

    def stop(self, reason: str = "") -> None:
        """Interrupt all iterations now; teardown still runs, if setup was over.

        The first reason given counts. Repeated calls, and calls after the end, do
        nothing.
        """
        self._end(reason)
        self._setup_scope.cancel()
        for run in self._runs:
            run.stop()

    def finish(self, reason: str = "") -> None:
        """End gracefully: start no more iterations, grant running ones the graceful stop.

        Setup is not interrupted. A load test that is already ending is stopped.
        """
        if self._is_ending:
            self.stop(reason)
            return
        self._end(reason)
        for run in self._runs:
            run.finish()

    def status(self, *, tainted: bool = False) -> StatusSnapshot:
        """Return the status as of now."""
        vus = sum(run.executor.vus for run in self._runs if run.executor)
        return StatusSnapshot(
            status=self._status,
            paused=self.control.reads_as_paused,
            vus=vus,
            # Spare VUs that were given up still run the iterations that they had begun.
            vus_max=max(vus, self._vu_pool.initialised),
            stopped=self._is_stopped,
            running=RunStatus.STARTED <= self._status <= RunStatus.TEARDOWN,
            tainted=tainted,
            elapsed=self.clock.elapsed,
            vus_planned=sum(map(self._vus_planned, self._runs)),
        )

    def scenarios(self) -> list[ScenarioSnapshot]:
        """Return the scenarios as of now, in the order of start time and name."""
        return [run.snapshot() for run in self._runs]

    def _vus_planned(self, run: ScenarioRun) -> int:
        plan = self._plans[run.options.name]
        if plan is None or run.executor is None or not run.is_running:
            return 0
        return plan.vus_at(run.executor.clock.elapsed)

    @property
    def failed_teardowns(self) -> int:
        """Number of VU fixtures that raised in their teardown, or did not end."""
        return sum(run.executor.counts.failed_teardowns for run in self._runs if run.executor)

    def warnings(self) -> Iterator[str]:
        """Yield remarks on how iterations were run, one sentence each."""
        yield from self._stuck.warnings()
        for run in self._runs:
            counts = run.executor.counts if run.executor else None
            if counts is not None and counts.backed_off:
                yield (
                    f"{run.options.name}: iterations failed at once, again and again, so VUs backed"
                    f" off {counts.backed_off:,} times, for {counts.backed_off_for:,.1f} s in all, at"
                    " most 1 s between two attempts"
                )

    async def _live(self) -> None:
        self._enter(RunStatus.INIT_VUS)
        self._vu_pool.initialise(self._planned)
        await trio.lowlevel.checkpoint()
        while self.control.is_waiting:
            self._enter(RunStatus.PAUSED_BEFORE_RUN)
            await self._wake.wait()
        if self._is_ending:
            return
        self._enter(RunStatus.STARTED)
        self.control.has_started = True
        self.clock.start()
        if await self._set_up():
            self._enter(RunStatus.RUNNING)
            try:
                await self._run_scenarios()
            except trio.Cancelled:
                raise
            except BaseException:  # such as pytest.exit() in a scenario
                self._is_stopped = True
                await self._tear_down()
                raise
            await self._tear_down()

    async def _set_up(self) -> bool:
        """Run setup; return whether scenarios and teardown follow."""
        self._enter(RunStatus.SETUP)
        if self._setup is not None:
            try:
                with self._setup_scope:
                    await self._setup()
            except Exception as error:  # noqa: BLE001 - part of the outcome, whatever it is
                self._setup_error = error
        return self._setup_error is None and not self._setup_scope.cancelled_caught

    async def _run_scenarios(self) -> None:
        began = self.clock.elapsed
        by_name = {run.options.name: run for run in self._runs}
        async with trio.open_nursery() as nursery:
            for run in self._runs:
                after = None if self._is_led else by_name.get(run.options.after)
                starts_at = run.options.start_time + (0.0 if after else began)
                nursery.start_soon(self._run_scenario, run, starts_at, after)
        while self.control.is_paused:
            await self._wake.wait()

    async def _run_scenario(
        self, run: ScenarioRun, starts_at: float, after: ScenarioRun | None
    ) -> None:
        await run.run(self.clock, math.inf if self._is_led else starts_at, after)
        self._on_scenario_end(run.options.name)

    async def _tear_down(self) -> None:
        self._enter(RunStatus.TEARDOWN)
        self.control.is_over = True
        if self._teardown is not None:
            try:
                await self._teardown()
            except Exception as error:  # noqa: BLE001 - part of the outcome, whatever it is
                self._teardown_error = error

    def _end(self, reason: str) -> None:
        if self._status >= RunStatus.ENDED:
            return
        self._stop_reason = self._stop_reason or storable(reason)
        self._is_stopped = self._is_ending = True
        self.control.release()

    def _enter(self, status: RunStatus) -> None:
        self._status = status
        self._on_status()
