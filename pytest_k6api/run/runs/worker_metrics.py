"""What a worker measures, until the controller asks for it."""

import time
from collections.abc import Callable

from pytest_k6api.metrics import Instant, SeriesCollector, SlowestRequests
from pytest_k6api.model import SampleBuffer, TagContext, TagTable
from pytest_k6api.model.metrics import GENERATOR_LATENESS
from pytest_k6api.run.generator import GeneratorProbe
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.settings import RunSettings
from pytest_k6api.vu import FailedRequests


class WorkerMetrics:
    """Collects the metrics of one worker's share.

    Attributes:
        requests: The kinds of failed requests.
        slowest: The slowest requests, if requests are traced.
        buffer: The buffer that virtual users write to.
        tag_context: The tags of the whole load test, outside of scenarios and groups.

    Args:
        plan: The thresholds of the load test.
        settings: The rule of masking.
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
        self._tags = TagTable()
        self._root_id = self._tags.intern(plan.tags)
        self._elapsed = elapsed
        self._wants_samples = wants_samples
        self._probe = GeneratorProbe()
        self._series = SeriesCollector(self._tags, plan.thresholds)
        self.requests = FailedRequests(self._tags, settings.client.secrets)
        self.slowest = SlowestRequests(self._tags)
        self._is_traced = settings.client.tracer is not None
        self._late = 0.0
        self.buffer = SampleBuffer()
        self.tag_context = TagContext(self._tags, plan.tags)

    @property
    def busy_share(self) -> float:
        """The share of a core that this worker used, 0 to 1."""
        return self._probe.busy_share

    def pump(self) -> None:
        """Add up the rows written since the last call."""
        batch, elapsed = self.buffer.drain(), self._elapsed()
        if batch.exchanges or batch.accepted:
            self.requests.note(batch, elapsed)
        if self._is_traced:
            self.slowest.note(batch, elapsed)
        now = Instant(time.time(), time.perf_counter_ns()) if self._wants_samples else None
        self._series.ingest(batch, elapsed, now)

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

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each way in which this worker was the limit."""
        return self._probe.warnings()

    def record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Record one period of the loop; all in seconds, see `GeneratorProbe.add`."""
        self.buffer.samples.append((GENERATOR_LATENESS, self._root_id, round(late * 1e6)))
        self._late = max(self._late, late)
        self._probe.add(late, busy, elapsed)
