"""One load test: everything below wired together, in one nursery, from start to verdict.

`LoadTest.run` is called in pytest's main thread and returns when all is over. Beside the scheduler
the pump moves rows into the meter, the judge evaluates thresholds, the watch records `vus`.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import replace
from functools import partial

import trio
from trio.abc import Clock

from pytest_k6api.api import CommandResult
from pytest_k6api.metrics import MetricSnapshot, Snapshot
from pytest_k6api.model import Command, Recorder, ScenarioSnapshot, StatusSnapshot, storable
from pytest_k6api.protocols.http import Client, HttpRuntime, raised_descriptor_limit
from pytest_k6api.report import Comparison
from pytest_k6api.run.endings import LeavingError, announce, one_error, trouble_of, why_early
from pytest_k6api.run.gc_tuning import calm_collector
from pytest_k6api.run.interrupts import interrupts
from pytest_k6api.run.live_state import Published
from pytest_k6api.run.loop_portal import Bridge
from pytest_k6api.run.metrics_collector import Meter
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.progress import ProgressReader, View
from pytest_k6api.run.settings import RunSettings, UserCode
from pytest_k6api.run.verdict import Verdict, failing, judge, those_that_count
from pytest_k6api.scheduling import RunOutcome, Scheduler
from pytest_k6api.vu import (
    Failure,
    FailureLog,
    LoadContext,
    ScenarioContext,
    SetupTeardown,
    StuckTasks,
    VirtualUser,
)

PUMP_PERIOD = 0.05
JUDGE_PERIOD = 2.0  # k6's
WATCH_PERIOD = 1.0  # k6's, for `vus` and `vus_max`


class LoadTest:
    """A load test from its creation to its results.

    Attributes:
        id: Its number in the session, from 1, as text.
        name: The pytest node id.
        target: What relative URLs are joined to, without secrets; empty if nothing is.
        bridge: How other threads ask its loop.
        beat: Monotonic time at which its loop last moved.
        published: What other threads may see at once.
        verdict: Whether it passed; None while it is not over.
        started_at: Wall time of the start, in seconds since the epoch.
        ended_at: Wall time of the end.
        interrupted_by: What ended it before its time, such as ``Ctrl-C``; empty if nothing did.
        ended_itself: Why its own code ended it, through ``vu.stop()``; None if it did not.
        life: Its setup, teardown and setup data.
        comparison: It beside its baseline; None without one, or while it is not over.
        totals, requests_by_name, request_names, timeline: Asked after its end; see `Meter`.

    Args:
        number: Its number in the session, from 1.
        plan: The options and thresholds.
        code: The functions that the plan names.
        settings: The settings of the run.
    """

    def __init__(
        self, number: int, plan: LoadTestPlan, code: UserCode, settings: RunSettings
    ) -> None:
        self.id = str(number)
        self.name = plan.name
        self.bridge = Bridge()
        self.beat = 0.0
        self.verdict: Verdict | None = None
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.interrupted_by = ""
        self.ended_itself: str | None = None
        self.comparison: Comparison | None = None
        self._settings = settings
        self.target = settings.client.secrets.mask_url(settings.client.base_url)
        self._options = plan.options
        self._has_failed_fast = False
        self._yardstick = settings.yardstick
        self._http = HttpRuntime(settings.client)
        self._stuck = StuckTasks()
        self._meter = meter = Meter(plan, settings, self._elapsed, self._warnings)
        self.totals, self.timeline = meter.totals, meter.timeline
        self.requests_by_name, self.request_names = meter.requests_by_name, meter.request_names
        self._progress = ProgressReader(meter.engine, plan.scenarios)
        self._failures = FailureLog(
            self._elapsed, settings.render, settings.client.secrets.mask_text
        )
        context = LoadContext(
            buffer=meter.buffer,
            place=meter.place,
            make_client=partial(Client, self._http),
            failures=self._failures,
            stop=partial(self._end_by_itself, self.stop),
            finish=partial(self._end_by_itself, self._finish),
            refuse=self.stop,
            seed=settings.seed,
            exceptions=settings.exceptions,
            stuck=self._stuck,
        )
        self.life = SetupTeardown(
            load=context,
            setup=code.setup,
            teardown=code.teardown,
            setup_timeout=plan.options.setup_timeout,
            teardown_timeout=plan.options.teardown_timeout,
        )
        self._scenarios = {
            options.name: ScenarioContext(
                load=context,
                options=options,
                function=code.scenarios[options.name],
                setup_data=lambda: self.life.data,
            )
            for options in plan.scenarios
        }
        self._scheduler = Scheduler(
            plan.scenarios,
            lambda options, number: VirtualUser(number, self._scenarios[options.name]),
            lambda name: Recorder(meter.buffer, self._scenarios[name].place),
            setup=self._set_up,
            teardown=self._tear_down,
            paused=settings.paused,
            segment=settings.segment,
            stuck=self._stuck,
            on_status=self._publish,
        )
        self.published = self._freeze(meter.snapshot())

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``; None while it is not over."""
        return self.verdict.outcome if self.verdict else None

    @property
    def results(self) -> Snapshot:
        """Everything measured, as last published; complete once it is over."""
        return self.published.snapshot

    def run(self, view: View | None = None, *, clock: Clock | None = None) -> Verdict:
        """Run it from start to end, in the calling thread, and return the verdict.

        Args:
            view: Shows the progress of the scenarios; None for none.
            clock: Trio's clock; None for the real one.

        Raises:
            BaseException: What in user code means to end more than its load test,
                such as ``pytest.exit()``, or a skip in setup; the results are there
                all the same.
        """
        self.started_at = time.time()
        outcome = None
        try:
            with calm_collector(), raised_descriptor_limit(), one_error():
                outcome = trio.run(self._main, view, clock=clock)
        finally:
            self._end(outcome)
        if outcome is None:
            raise KeyboardInterrupt
        assert self.verdict is not None
        return self.verdict

    def add_trouble(self, reasons: Iterable[str]) -> None:
        """Let it fail for `reasons`, too, which came up after its end."""
        if self.verdict is not None:
            self.verdict = self.verdict.with_trouble(reasons)

    def status(self) -> StatusSnapshot:
        """Return the status as of now; in the load test's thread."""
        if self.verdict is not None:
            return self.published.status
        return self._scheduler.status(tainted=self._meter.engine.tainted)

    def scenarios(self) -> tuple[ScenarioSnapshot, ...]:
        """Return the scenarios as of now; in the load test's thread."""
        return self.published.scenarios if self.verdict else tuple(self._scheduler.scenarios())

    def snapshot_steps(self) -> Generator[None, None, Snapshot]:
        """Return everything measured; in steps in the load test's loop, which goes on meanwhile."""
        self._meter.pump()
        return (yield from self._meter.snapshot_steps())

    def query(self, metric_id: str, stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return one metric with any tag filter; in the load test's thread, or after its end.

        Raises:
            MetricError: The filter or one of `stats` cannot be read.
        """
        if self.bridge.is_open:
            self._meter.pump()
        return self._meter.query(metric_id, stats)

    def stop(self, reason: str) -> None:
        """End it now, for `reason`: iterations are interrupted, teardown still runs."""
        if self.verdict is None:
            self._scheduler.stop(reason)

    async def execute(self, command: Command) -> CommandResult:
        """Carry out all of `command` but a stop, or nothing; return the state afterwards.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        await self._scheduler.control.execute(command)
        return self.state()

    def state(self) -> CommandResult:
        """Return the state as of now, after a command; in the load test's thread."""
        return CommandResult(status=self.status(), scenarios=self.scenarios())

    async def _main(self, view: View | None) -> RunOutcome | None:
        outcome = None  # the third signal leaves it so
        async with self._stuck.watched(), trio.open_nursery() as services:
            self.bridge.open(services)
            abandon = partial(self._abandon, services.cancel_scope)
            try:
                with interrupts(self._interrupt, self._interrupt, abandon):
                    await services.start(self._http.run)
                    for service in (self._keep_pumping, self._keep_watching, self._keep_judging):
                        services.start_soon(service)
                    if view is not None:
                        services.start_soon(self._keep_showing, view)
                    if self._settings.paused:
                        self._settings.on_paused()
                    outcome = await self._scheduler.run()
            finally:
                self.bridge.close()
                services.cancel_scope.cancel()
        return outcome

    async def _set_up(self) -> None:
        self._meter.check_descriptors(self.status().vus_max)
        if self._settings.run_setup:
            await self._live(self.life.run_setup)
        self._meter.load_began()

    async def _tear_down(self) -> None:
        self._look_if_cut_short()
        self._meter.load_ended()
        if self._settings.run_teardown:
            await self._live(self.life.run_teardown)

    async def _live(self, stage: Callable[[], Awaitable[object]]) -> None:
        try:
            await stage()
        except self._settings.exceptions.exits as error:
            raise LeavingError from error

    def _interrupt(self, signal: str) -> None:
        # The first time it lets iterations end, the second it does not.
        self._settings.tell(announce(signal, again=bool(self.interrupted_by)))
        self.interrupted_by = self.interrupted_by or signal
        self._finish(f"interrupted by {signal}")

    def _abandon(self, everything: trio.CancelScope, signal: str) -> None:
        self._settings.tell(f"{signal}, the third: ending without what still runs")
        self._stuck.abandon_all()
        everything.cancel()

    def _end_by_itself(self, end: Callable[[str], None], reason: str) -> None:
        # A load test that has seen enough is not one that was cut short by somebody else.
        if not self.status().stopped:
            self.ended_itself = storable(reason)
        end(reason)

    def _finish(self, reason: str) -> None:
        if self.verdict is None:
            self._scheduler.finish(reason)

    def _end(self, outcome: RunOutcome | None) -> None:
        # Also when something broke that should not: what was measured is kept.
        self._look_if_cut_short()
        self._meter.end()
        self.ended_at = time.time()
        self.published = self._freeze(self._meter.snapshot())
        if self._yardstick is not None and self._scheduler.control.has_started:
            totals = self.totals(self._yardstick.metric_ids)
            self.comparison = self._yardstick.compare(totals, self._elapsed())
        early = why_early(outcome, self.interrupted_by)
        self.verdict = judge(
            self.published.snapshot,
            options=self._options,
            kinds=self._meter.name_unjudged_requests(),
            has_failed_fast=self._has_failed_fast,
            ended_early=early if self.ended_itself is None else "",
            trouble=trouble_of(outcome, self._scenarios.values()),
            worse=self.comparison.failures if self.comparison else (),
        )
        self._let_go()

    def _let_go(self) -> None:
        # What was measured stays; virtual users, connections, fixtures' values and the loop go.
        self.life.let_go()
        self._meter.let_go()
        del self._scheduler, self._scenarios, self._http, self._stuck
        del self._failures, self._progress

    def _stop_if_failing(self) -> None:
        failures = failing(self._meter.engine.unjudged(), self._options)
        if failures and not self.status().stopped:
            self._has_failed_fast = True
            self.stop("fail_fast, at the first failure")

    def _look_if_cut_short(self) -> None:
        if self.status().stopped and self.ended_itself is None:
            self._meter.engine.cut_short()

    async def _keep_pumping(self) -> None:
        while True:
            self.beat = began = time.monotonic()
            used = time.thread_time()
            due = trio.current_time() + PUMP_PERIOD
            self._meter.pump()
            if self._options.fail_fast:
                self._stop_if_failing()
            self._publish()
            await trio.sleep_until(due)
            late = max(0.0, trio.current_time() - due)
            self._meter.record_turn(late, time.thread_time() - used, time.monotonic() - began)

    async def _keep_watching(self) -> None:
        while True:
            await trio.sleep(WATCH_PERIOD)
            self._meter.record_vus(self.status())

    async def _keep_judging(self) -> None:
        while True:
            await trio.sleep(JUDGE_PERIOD)
            self._meter.pump()
            verdict = self._meter.evaluate(final=False)
            if verdict.abort:
                crossed = verdict.aborting[0]
                self.stop(
                    f"abort_on_fail: the threshold {crossed.metric}: {crossed.text} was crossed"
                )
            self.published = self._freeze(await self._meter.snapshot_gently())

    async def _keep_showing(self, view: View) -> None:
        while True:
            await trio.sleep(view.period)
            view.show(self._progress.read(self.status(), self.scenarios()))

    def _warnings(self) -> tuple[str, ...]:
        return (*self._scheduler.warnings(), *self._http.warnings())

    def _elapsed(self) -> float:
        if self.verdict is not None:
            return self.published.snapshot.elapsed
        return self._scheduler.clock.elapsed

    def _publish(self) -> None:
        # A few immutable values, 20 times a second, and before user code of the next
        # phase might block the loop.
        self.published = replace(self.published, status=self.status(), scenarios=self.scenarios())

    def _freeze(self, snapshot: Snapshot) -> Published:
        return Published(
            status=self.status(),
            scenarios=self.scenarios(),
            failures=self.failures(),
            snapshot=snapshot,
        )

    def failures_that_count(self, scenario: str) -> tuple[Failure, ...]:
        """Return those failures of `scenario` that fail the load test; after its end."""
        unjudged = self._meter.engine.unjudged(scenario)
        failures = (each for each in self.failures() if each.scenario == scenario)
        return those_that_count(failures, failing(unjudged, self._options))

    def failures(self) -> tuple[Failure, ...]:
        """Return what went wrong, most frequent first; what sums up the rest last."""
        if self.verdict is not None:
            return self.published.failures
        iterations = {
            name: scenario.outcomes.completed for name, scenario in self._scenarios.items()
        }
        failures = (*self._failures.snapshot(iterations), *self._meter.failed_requests())
        return tuple(sorted(failures, key=lambda each: (each.is_rest, -each.count)))
