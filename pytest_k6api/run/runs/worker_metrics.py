"""What a worker measures, until the controller asks for it."""

import time
from collections.abc import Callable

from pytest_k6api.metrics import Instant, SeriesCollector
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.row_intake import RowIntake
from pytest_k6api.run.settings import RunSettings


class WorkerMetrics(RowIntake):
    """Collects the metrics of one worker's share.

    Args:
        plan: The thresholds and tags of the load test.
        settings: The rule of masking, and whether requests are traced.
        elapsed: Returns the seconds of test-run time.
        wants_samples: Whether outputs or hooks of the controller take samples themselves.
    """

    def __init__(
        self,
        plan: LoadTestPlan,
        settings: RunSettings,
        elapsed: Callable[[], float],
        *,
        wants_samples: bool,
    ) -> None:
        super().__init__(plan, settings, elapsed)
        self._wants_samples = wants_samples
        self._series = SeriesCollector(self._tags, plan.thresholds)
        self._late = 0.0

    @property
    def busy_share(self) -> float:
        """The share of a core that this worker used, 0 to 1."""
        return self._probe.busy_share

    def pump(self) -> None:
        """Add up the rows written since the last call."""
        batch = self._drain()
        now = Instant(time.time(), time.perf_counter_ns()) if self._wants_samples else None
        self._series.ingest(batch, self._elapsed(), now)

    def take(self, *, is_last: bool = False) -> bytes:
        """Return what is new, packed; what `is_last` includes the second that is not over."""
        self.pump()
        elapsed = self._elapsed()
        return self._series.take_all(elapsed) if is_last else self._series.take(elapsed)

    def load_began(self, elapsed: float) -> None:
        """Let the load begin, at `elapsed` of test-run time."""
        self._series.load_began(elapsed)

    def take_lateness(self) -> float:
        """Return the seconds by which the loop woke late, at most, since the last call."""
        late, self._late = self._late, 0.0
        return late

    def record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Record one period of the loop; all in seconds, see `GeneratorProbe.add`."""
        super().record_turn(late, busy, elapsed)
        self._late = max(self._late, late)
