"""Metrics of a load test that runs on workers, where they are merged.

What this process measures itself (setup, teardown, the number of VUs) goes the same way
as what workers report, so that all of it reaches the engine in the order of time.
"""

import time
from collections.abc import Callable

from pytest_k6api.metrics import EvaluationSummary, Instant, SeriesMerger
from pytest_k6api.run.metrics_collector import MetricsCollector
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.settings import RunSettings


class MergedMetrics(MetricsCollector):
    """Merges the metrics of one load test; see `MetricsCollector`.

    Attributes:
        merger: Takes what workers measured.
    """

    def __init__(
        self, plan: LoadTestPlan, settings: RunSettings, elapsed: Callable[[], float]
    ) -> None:
        super().__init__(plan, settings, elapsed)
        self._feed = self.merger = SeriesMerger(
            self.engine, self._tags, plan.thresholds, settings.on_samples
        )
        self._merged_until = 0.0
        self._is_final = False

    def pump(self) -> None:
        """Let the engine take in what all have told of."""
        batch, elapsed = self._drain(), self._elapsed()
        if batch:
            keeps = self._settings.on_samples is not None
            now = Instant(time.time(), time.perf_counter_ns()) if keeps else None
            self.merger.ingest(batch, elapsed, now)
        self._merged_until = self.merger.merge(elapsed)

    def evaluate(self, *, final: bool = False) -> EvaluationSummary:
        """Judge all thresholds by what is known; finally by everything."""
        if final:
            self.pump()
            self.merger.merge_all()
            self._is_final = True
        return super().evaluate(final=final)

    def _known_until(self) -> float:
        return self._elapsed() if self._is_final else self._merged_until
