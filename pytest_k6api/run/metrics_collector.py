"""The metrics collector: moves rows of virtual users into the engine and has thresholds judged.

The engine is pure; the collector gives it its time, adds samples of the load test
itself (VUs, lateness of the loop), and calls plugins. `RunResults` reads what it wrote.
In the load test's thread alone.
"""

import time
from collections.abc import Callable
from typing import Protocol

from pytest_k6api.metrics import EvaluationSummary, MetricsEngine, Observer, SampleBatch
from pytest_k6api.model import StatusSnapshot
from pytest_k6api.model.metrics import VUS, VUS_MAX
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.row_intake import RowIntake
from pytest_k6api.run.settings import RunSettings


class Feed(Protocol):
    """What is told of the load beside its samples: the engine, or what feeds it."""

    def load_began(self, elapsed: float) -> None:
        """The load begins at `elapsed`, in seconds of test-run time."""

    def load_ended(self, elapsed: float) -> None:
        """The load ends at `elapsed`."""

    def plan_vus(self, vus: int, elapsed: float) -> None:
        """The plan has `vus` virtual users at `elapsed`."""


class MetricsCollector(RowIntake):
    """Collects the metrics of one load test.

    Attributes:
        engine: The metrics.

    Args:
        plan: Its thresholds and listed metrics.
        settings: The callbacks for samples and crossed thresholds.
        elapsed: Returns the seconds of test-run time.
    """

    def __init__(
        self, plan: LoadTestPlan, settings: RunSettings, elapsed: Callable[[], float]
    ) -> None:
        super().__init__(plan, settings, elapsed)
        self.engine = MetricsEngine(
            self._tags, plan.thresholds, plan.listed, settings.trend_memory, plan.tolerated
        )
        self._feed: Feed = self.engine

    def pump(self) -> None:
        """Move the rows written since the last call into the engine."""
        batch = self._drain()
        elapsed = self._elapsed()
        if self._settings.on_samples is None or not batch:
            self.engine.ingest(batch, elapsed)
            return
        observer = Observer()
        self.engine.ingest(batch, elapsed, observer)
        self._settings.on_samples(
            observer.describe(
                self._tags, at=time.time(), elapsed=elapsed, now_ns=time.perf_counter_ns()
            )
        )

    def evaluate(self, *, final: bool = False) -> EvaluationSummary:
        """Pump, then judge all thresholds, and tell outputs of them."""
        self.pump()
        elapsed = self._known_until()
        verdict = self.engine.evaluate(elapsed, final=final)
        thresholds = self.engine.thresholds()
        if self._settings.on_samples is not None and thresholds:
            judged = SampleBatch(at=time.time(), elapsed=elapsed, series=(), thresholds=thresholds)
            self._settings.on_samples(judged)
        if self._settings.on_crossed is not None:
            for threshold in verdict.crossed:
                self._settings.on_crossed(threshold)
        return verdict

    def load_began(self) -> float:
        """Open the windows of thresholds; earlier rows are no load. Return the time of it."""
        self.pump()
        elapsed = self._elapsed()
        self._feed.load_began(elapsed)
        return elapsed

    def load_ended(self) -> None:
        """Judge windows for the last time; later rows are no load."""
        self.pump()
        self._feed.load_ended(self._elapsed())

    def end(self) -> None:
        """Take in the last rows and judge finally; nothing changes from then on."""
        self.evaluate(final=True)
        self.engine.settle()

    def _known_until(self) -> float:
        """Return the test-run time up to which the engine knows what was measured."""
        return self._elapsed()

    def record_vus(self, status: StatusSnapshot) -> None:
        """Record how many virtual users there are, and should be."""
        self.buffer.samples += [
            (VUS, self._root_id, status.vus),
            (VUS_MAX, self._root_id, status.vus_max),
        ]
        self._feed.plan_vus(status.vus_planned, self._elapsed())
