"""What every run of a load test has in the process that judges it: phases, services, its end.

Wired before the start, gone after the end: what lasts is in `RunResults` and `LoadTest`.
Beside the scheduler three services run in one nursery: the pump moves rows into the
metrics collector, the judge evaluates thresholds, the watch records ``vus``.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from pytest_k6api.metrics import TracedRequest
from pytest_k6api.model import (
    Command,
    RunStatus,
    ScenarioOptions,
    ScenarioSnapshot,
    StatusSnapshot,
    WorkerStatus,
    storable,
)
from pytest_k6api.protocols.http import ConnectionRoom
from pytest_k6api.report import ProgressReader, ProgressView
from pytest_k6api.run.endings import Ending, LeavingError, announce, trouble_of
from pytest_k6api.run.generator import keep_pumping
from pytest_k6api.run.interrupts import RepeatedSignal, interrupts
from pytest_k6api.run.loop_portal import LoopPortal, finish_in_steps
from pytest_k6api.run.metrics_collector import MetricsCollector
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.results import RunResults
from pytest_k6api.run.runs.load_generator import LoadGenerator
from pytest_k6api.run.settings import RunSettings, UserCode
from pytest_k6api.run.verdict import failing
from pytest_k6api.scheduling import (
    Executor,
    ExecutorContext,
    ExecutorPlan,
    RunOutcome,
    Scheduler,
    make_executor,
)
from pytest_k6api.vu import Failure, SetupTeardown, asyncio_loop

JUDGE_PERIOD = 2.0  # k6's
WATCH_PERIOD = 1.0  # k6's, for `vus` and `vus_max`


class SupervisedRun:
    """One load test in this process, from its wiring to its end.

    `DistributedRun` has the same phases and services, and its load elsewhere.

    Attributes:
        results: Its results.
        setup_teardown: Its setup, teardown and setup data.
        ending: Causes that ended it before its time.

    Args:
        plan: The options and thresholds.
        code: The functions that the plan names.
        settings: The settings of the run.
        portal: Other threads call into its loop through it.
    """

    def __init__(
        self, plan: LoadTestPlan, code: UserCode, settings: RunSettings, portal: LoopPortal
    ) -> None:
        self.ending = Ending()
        self._options = plan.options
        self._settings = settings
        self._portal = portal
        self._repeated = RepeatedSignal(settings.tell)
        self._room = ConnectionRoom()
        self._load_began_at = 0.0
        self._collector = self._collect(plan, settings)
        self._generator = LoadGenerator(
            settings,
            self._collector.buffer,
            self._collector.tag_context,
            lambda: self.elapsed,
            stop=partial(self._end_by_itself, self.stop),
            finish=partial(self._end_by_itself, self._finish),
            refuse=self.stop,
            has_samples=settings.on_samples is not None,
        )
        self.setup_teardown = SetupTeardown(
            load=self._generator.load,
            setup=code.setup,
            teardown=code.teardown,
            setup_timeout=plan.options.setup_timeout,
            teardown_timeout=plan.options.teardown_timeout,
        )
        self._scheduler = self._schedule(plan, code)
        self._progress = ProgressReader(self._collector.engine, plan.scenarios)
        self.results = RunResults(
            self, self._collector.engine, self._collector.requests, plan.options
        )

    def _collect(self, plan: LoadTestPlan, settings: RunSettings) -> MetricsCollector:
        """Return the collector of metrics."""
        return MetricsCollector(plan, settings, lambda: self.elapsed)

    def _schedule(self, plan: LoadTestPlan, code: UserCode) -> Scheduler:
        generator = self._generator
        generator.add_scenarios(plan.scenarios, code.scenarios, lambda: self.setup_teardown.data)
        return Scheduler(
            plan.scenarios,
            generator.make_vu,
            generator.recorder_for,
            setup=self._set_up,
            teardown=self._tear_down,
            paused=self._settings.paused,
            segment=self._settings.segment,
            stuck=generator.stuck,
            on_status=self._publish,
            executors=self._make_executor,
        )

    def _make_executor(
        self, options: ScenarioOptions, plan: ExecutorPlan, context: ExecutorContext
    ) -> Executor:
        """Return what runs one scenario."""
        return make_executor(options, plan, context)

    @property
    def elapsed(self) -> float:
        """Seconds of test-run time."""
        return self._scheduler.clock.elapsed

    @property
    def has_started(self) -> bool:
        """True from the start of setup on."""
        return self._scheduler.control.has_started

    def take_in(self) -> None:
        """Move rows that virtual users wrote into the engine."""
        self._collector.pump()

    def status(self) -> StatusSnapshot:
        """Return the status as of now."""
        return self._scheduler.status(tainted=self._collector.engine.tainted)

    def scenarios(self) -> tuple[ScenarioSnapshot, ...]:
        """Return the scenarios as of now, in the order of start time and name."""
        return tuple(self._scheduler.scenarios())

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Return the state of each worker; none where the load comes from this process."""
        return ()

    def vu_failures(self) -> tuple[Failure, ...]:
        """Return the grouped failures inside virtual users."""
        iterations = {each.name: each.iterations for each in self.scenarios()}
        return tuple(self._generator.failures.snapshot(iterations))

    def warnings(self) -> tuple[str, ...]:
        """Return warnings beside those of the engine, one sentence each."""
        return (*self._room.warnings, *self._scheduler.warnings(), *self._collector.warnings())

    def slowest(self) -> tuple[TracedRequest, ...]:
        """Return the slowest requests that have a trace, the slowest first."""
        return self._collector.slowest.slowest()

    def trouble(self, outcome: RunOutcome | None) -> tuple[str, ...]:
        """Return failures of setup, teardown and VU fixtures, one sentence each."""
        return trouble_of(outcome, self._scheduler.failed_teardowns)

    def stop(self, reason: str) -> None:
        """End it now, for `reason`: iterations are interrupted, teardown still runs."""
        self._scheduler.stop(reason)

    async def execute(self, command: Command) -> None:
        """Carry out all of `command` but a stop, or nothing.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        await self._scheduler.control.execute(command)
        self._check_descriptors()

    async def run(self, view: ProgressView | None) -> RunOutcome | None:
        """Run it from setup to teardown; return None if a third signal cut it off."""
        outcome = None
        async with self._generator.stuck.watched(), asyncio_loop(), trio.open_nursery() as services:
            self._portal.open(services)
            abandon = partial(self._abandon, services.cancel_scope)
            try:
                with interrupts(self._interrupt, self._interrupt, abandon, repeated=self._repeated):
                    await services.start(self._generator.http.run)
                    services.start_soon(keep_pumping, self._pump, self._record_turn)
                    for service in (self._keep_watching, self._keep_judging):
                        services.start_soon(service)
                    if view is not None:
                        services.start_soon(self._keep_showing, view)
                    if self._settings.paused:
                        self._settings.on_paused()
                    outcome = await self._run_phases(services)
            finally:
                self._portal.close()
                services.cancel_scope.cancel()
        return outcome

    def end(self) -> None:
        """Take in the last rows and judge finally; after `run`, however that ended."""
        self._repeated.stop()  # an exception inside Trio leaves no context
        self._note_cut_short()
        self._collector.end()
        self.results.settle()
        self.setup_teardown.let_go()

    async def _run_phases(self, services: trio.Nursery) -> RunOutcome:  # noqa: ARG002 - for subclasses
        """Run the load test through all phases; further services go into `services`."""
        return await self._scheduler.run()

    def _record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Record one period of the loop; see `MetricsCollector.record_turn`."""
        self._collector.record_turn(late, busy, elapsed)

    def _check_descriptors(self) -> None:
        """Warn if this process may not open as many connections as there are virtual users."""
        shortage = self._room.check(self.status().vus_max)
        if shortage is not None:
            self._settings.tell(shortage)

    def _publish(self) -> None:
        self.results.publish()

    async def _set_up(self) -> None:
        self._check_descriptors()
        if self._settings.run_setup:
            await self._run_stage(self.setup_teardown.run_setup)
        self._load_began_at = self._collector.load_began()

    async def _tear_down(self) -> None:
        self._note_cut_short()
        self._collector.load_ended()
        if self._settings.run_teardown:
            await self._run_stage(self.setup_teardown.run_teardown)

    async def _run_stage(self, stage: Callable[[], Awaitable[object]]) -> None:
        try:
            await stage()
        except self._settings.exceptions.exits as error:
            raise LeavingError from error

    def _interrupt(self, signal: str) -> None:
        # The first time it lets iterations end, the second it does not.
        self._settings.tell(announce(signal, again=bool(self.ending.interrupted_by)))
        self.ending.interrupted_by = self.ending.interrupted_by or signal
        self._finish(f"interrupted by {signal}")

    def _abandon(self, everything: trio.CancelScope, signal: str) -> None:
        self._settings.tell(f"{signal}, the third: ending without what still runs")
        self._generator.stuck.abandon_all()
        everything.cancel()

    def _finish(self, reason: str) -> None:
        self._scheduler.finish(reason)

    def _end_by_itself(self, end: Callable[[str], None], reason: str) -> None:
        if not self.status().stopped:
            self.ending.ended_itself = storable(reason)
        end(reason)

    def _stop_if_failing(self) -> None:
        failures = failing(self._collector.engine.unjudged(), self._options)
        if failures and not self.status().stopped:
            self.ending.failed_fast = True
            self.stop("fail_fast, at the first failure")

    def _note_cut_short(self) -> None:
        # A load test that ended itself has seen enough: its thresholds are judged as ever.
        if self.status().stopped and self.ending.ended_itself is None:
            self._collector.engine.cut_short()

    def _pump(self) -> None:
        self._portal.beat()
        self._collector.pump()
        if self._options.fail_fast:
            self._stop_if_failing()
        self.results.publish()

    async def _keep_watching(self) -> None:
        while True:
            await trio.sleep(WATCH_PERIOD)
            status = self.status()
            if status.status > RunStatus.CREATED:  # workers may be starting
                self._collector.record_vus(status)
            self._check_descriptors()  # an arrival rate adds some by itself

    async def _wait_to_judge(self) -> None:
        await trio.sleep(JUDGE_PERIOD)

    async def _keep_judging(self) -> None:
        while True:
            await self._wait_to_judge()
            evaluation = self._collector.evaluate()
            if evaluation.abort:
                crossed = evaluation.aborting[0]
                self.stop(
                    f"abort_on_fail: the threshold {crossed.metric}: {crossed.text} was crossed"
                )
            self.results.publish(await finish_in_steps(self.results.snapshot_steps()))

    async def _keep_showing(self, view: ProgressView) -> None:
        while True:
            await trio.sleep(view.period)
            view.show(self._progress.read(self.status(), self.scenarios()))
