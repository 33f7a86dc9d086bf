"""The rows of virtual users of this process, on their way to metrics."""

from collections.abc import Callable

from pytest_k6api.metrics import SlowestRequests
from pytest_k6api.model import Batch, SampleBuffer, TagContext, TagTable
from pytest_k6api.model.metrics import GENERATOR_LATENESS
from pytest_k6api.run.generator import GeneratorProbe
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.settings import RunSettings
from pytest_k6api.vu import FailedRequests


class RowIntake:
    """Takes rows of one load test, and notes what reports need of them: failed and slow requests.

    Attributes:
        requests: The kinds of failed requests.
        slowest: The slowest requests, if requests are traced.
        buffer: The buffer that virtual users write to.
        tag_context: The tags of the whole load test, outside of scenarios and groups.

    Args:
        plan: Its tags.
        settings: The rule of masking, and whether requests are traced.
        elapsed: Returns the seconds of test-run time.
    """

    def __init__(
        self, plan: LoadTestPlan, settings: RunSettings, elapsed: Callable[[], float]
    ) -> None:
        self._tags = TagTable()
        self._root_id = self._tags.intern(plan.tags)
        self._settings = settings
        self._elapsed = elapsed
        self._probe = GeneratorProbe()
        self.requests = FailedRequests(self._tags, settings.client.secrets)
        self.slowest = SlowestRequests(self._tags)
        self.buffer = SampleBuffer()
        self.tag_context = TagContext(self._tags, plan.tags)

    def _drain(self) -> Batch:
        """Return the rows written since the last call."""
        batch, elapsed = self.buffer.drain(), self._elapsed()
        if batch.exchanges or batch.accepted:
            self.requests.note(batch, elapsed)
        if self._settings.client.tracer is not None:
            self.slowest.note(batch, elapsed)
        return batch

    def record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Record one period of the loop; all in seconds, see `GeneratorProbe.add`."""
        self.buffer.samples.append((GENERATOR_LATENESS, self._root_id, round(late * 1e6)))
        self._probe.add(late, busy, elapsed)

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each way in which this process was the limit of the load."""
        return self._probe.warnings()
