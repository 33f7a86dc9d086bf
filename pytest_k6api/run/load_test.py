"""A load test of the session, from its creation to its verdict and its lasting results.

`LoadTest.run` is called in pytest's main thread and returns when all is over. What lives
while it runs is a `SupervisedRun`, which is dropped at the end.
"""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import trio
from trio.abc import Clock

from pytest_k6api.api import CommandResult
from pytest_k6api.model import Command
from pytest_k6api.protocols.http import raised_descriptor_limit
from pytest_k6api.report import ProgressView
from pytest_k6api.run.endings import one_error, why_unfinished
from pytest_k6api.run.loop_portal import LoopPortal, ThreadsafeEvent
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.runs.supervised_run import SupervisedRun
from pytest_k6api.run.settings import RunSettings, UserCode
from pytest_k6api.run.verdict import Verdict, judge
from pytest_k6api.scheduling import RunOutcome

if TYPE_CHECKING:
    from pytest_k6api.report import Comparison


class LoadTest:
    """A load test from its creation to its results.

    Attributes:
        id: Its number in the session, from 1, as text.
        name: The pytest node id.
        target: The base URL without secrets; empty without one.
        portal: Other threads call into its loop through it.
        results: Everything measured, its status, scenarios and failures.
        setup_teardown: Its setup, teardown and setup data.
        ending: Causes that ended it before its time.
        started_at: Wall time of the start, in seconds since the epoch.
        ended_at: Wall time of the end.
        verdict: Whether it passed; None while it is not over.
        settled: Set as soon as the verdict is there.
        comparison: Its comparison with its baseline; None without one, or while it is not over.

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
        self.target = settings.client.secrets.mask_url(settings.client.base_url)
        self.portal = LoopPortal()
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.verdict: Verdict | None = None
        self.settled = ThreadsafeEvent()
        self.comparison: Comparison | None = None
        self._options = plan.options
        self._scenarios = plan.scenarios
        # Monotonic time of the start, which no library freezes; None with a clock of another's.
        self._began: float | None = None
        self._baseline = settings.baseline
        if settings.workforce is None:
            run = SupervisedRun(plan, code, settings, self.portal)
        else:
            # Most load tests run in their own process.
            from pytest_k6api.run.runs.distributed_run import DistributedRun

            run = DistributedRun(plan, code, settings, self.portal, settings.workforce)
        self._run: SupervisedRun | None = run
        self.results = run.results
        self.setup_teardown = run.setup_teardown
        self.ending = run.ending

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``; None while it is not over."""
        return self.verdict.outcome if self.verdict else None

    def run(self, view: ProgressView | None = None, *, clock: Clock | None = None) -> Verdict:
        """Run it from start to end, in the calling thread, and return the verdict.

        Args:
            view: Shows the progress of the scenarios; None for none.
            clock: Trio's clock; None for the real one.

        Raises:
            BaseException: An exception of user code that ends more than its load test,
                such as ``pytest.exit()``, or a skip in setup; the results are there
                all the same.
        """
        assert self._run is not None
        self.started_at = time.time()
        self._began = time.clock_gettime(time.CLOCK_MONOTONIC) if clock is None else None
        outcome = None
        try:
            with raised_descriptor_limit(), one_error():
                outcome = trio.run(self._run.run, view, clock=clock)
        finally:
            self._end(self._run, outcome)
        if outcome is None:
            raise KeyboardInterrupt
        assert self.verdict is not None
        return self.verdict

    def stop(self, reason: str) -> None:
        """End it now, for `reason`; in its loop. Harmless after its end."""
        if self._run is not None:
            self._run.stop(reason)

    async def execute(self, command: Command) -> CommandResult:
        """Carry out all of `command` but a stop, or nothing; return the state afterwards.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        assert self._run is not None
        await self._run.execute(command)
        return CommandResult.of(self.results)

    def stop_by_command(self) -> CommandResult:
        """End it now, because the control API asked for it; return the state afterwards."""
        self.stop("the control API stopped it")
        return CommandResult.of(self.results)

    def add_trouble(self, reasons: Iterable[str]) -> None:
        """Let it fail for `reasons` too, found after its end."""
        if self.verdict is not None:
            self.verdict = self.verdict.with_trouble(reasons)

    def _end(self, run: SupervisedRun, outcome: RunOutcome | None) -> None:
        # Also after an error of our own: results so far are kept.
        run.end()
        self.ended_at = time.time()
        if self._baseline is not None and run.has_started:
            totals = self.results.totals(self._baseline.metric_ids)
            self.comparison = self._baseline.compare(totals, self.results.elapsed)
        self.verdict = judge(
            self.results.snapshot,
            options=self._options,
            kinds=self.results.unjudged_requests(),
            has_failed_fast=self.ending.failed_fast,
            ended_early=self.ending.why_early(outcome),
            trouble=(*run.trouble(outcome), *self._unfinished(outcome)),
            worse=self.comparison.failures if self.comparison else (),
        )
        self._run = None
        self.settled.set()

    def _unfinished(self, outcome: RunOutcome | None) -> Iterator[str]:
        """Yield why no iteration was completed, if nothing is known to have ended it early."""
        if self._began is None or self.ending.is_own or self.ending.why_early(outcome):
            return
        seconds = time.clock_gettime(time.CLOCK_MONOTONIC) - self._began
        if why := why_unfinished(self.results.scenarios, self._scenarios, seconds):
            yield why
