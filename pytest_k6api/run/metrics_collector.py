"""What one load test measures: rows in, and out again as snapshots, answers and verdicts.

The engine is pure; the meter gives it its time, moves what virtual users wrote into
it, adds what is known of the load test itself, and tells plugins. In the load
test's thread, but for questions after its end.
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from pytest_k6api.metrics import (
    MetricsEngine,
    MetricSnapshot,
    MetricTotal,
    Observer,
    Point,
    RequestsRow,
    Snapshot,
)
from pytest_k6api.metrics import Verdict as ThresholdVerdict
from pytest_k6api.model import SampleBuffer, StatusSnapshot, TagContext, TagTable
from pytest_k6api.model.metrics import GENERATOR_LATENESS, VUS, VUS_MAX
from pytest_k6api.protocols.http import descriptor_shortage
from pytest_k6api.run.generator import GeneratorProbe
from pytest_k6api.run.loop_portal import advance
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.settings import RunSettings
from pytest_k6api.vu import FailedRequests, Failure, name_kinds


class Meter:
    """The metrics of one load test.

    Attributes:
        engine: Where everything adds up.
        requests: The kinds of failed requests.
        buffer: Where virtual users write.
        place: The tags of the whole load test, outside of scenarios and groups.

    Args:
        plan: Its thresholds, and what is listed.
        settings: The callbacks for samples and crossed thresholds.
        elapsed: Tells the seconds of test-run time.
        warnings: Tells what people should know beside the numbers, one sentence each.
    """

    def __init__(
        self,
        plan: LoadTestPlan,
        settings: RunSettings,
        elapsed: Callable[[], float],
        warnings: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._told = warnings
        self._tags = TagTable()
        self._root_id = self._tags.intern({})
        self._settings = settings
        self._elapsed = elapsed
        self._probe = GeneratorProbe()
        self._warnings: list[str] = []
        self.engine = MetricsEngine(
            self._tags, plan.thresholds, plan.listed, settings.trend_memory, plan.tolerated
        )
        self.requests = FailedRequests(self._tags, settings.client.secrets)
        self.buffer = SampleBuffer()
        self.place = TagContext(self._tags, {})

    def pump(self) -> None:
        """Take in what virtual users wrote since the last time."""
        batch = self.buffer.drain()
        elapsed = self._elapsed()
        if batch.exchanges or batch.accepted:
            self.requests.note(batch, elapsed)
        if self._settings.on_samples is None or not batch:
            self.engine.ingest(batch, elapsed)
            return
        observer = Observer()
        self.engine.ingest(batch, elapsed, observer)
        self._settings.on_samples(observer.describe(self._tags, at=time.time(), elapsed=elapsed))

    def evaluate(self, *, final: bool) -> ThresholdVerdict:
        """Judge all thresholds."""
        verdict = self.engine.evaluate(self._elapsed(), final=final)
        if self._settings.on_crossed is not None:
            for threshold in verdict.crossed:
                self._settings.on_crossed(threshold)
        return verdict

    def load_began(self) -> None:
        """Open the windows of thresholds; what was written before is no load."""
        self.pump()
        self.engine.load_began(self._elapsed())

    def load_ended(self) -> None:
        """Judge windows for the last time; what is written from now on is no load."""
        self.pump()
        self.engine.load_ended(self._elapsed())

    def end(self) -> None:
        """Take in the last, judge finally, and change nothing any more."""
        self.pump()
        self.evaluate(final=True)
        self.engine.settle()

    def let_go(self) -> None:
        """Keep what was measured alone; after `end`."""
        del self.buffer, self.place

    def snapshot(self) -> Snapshot:
        """Return everything that was taken in."""
        return self._with_warnings(self.engine.snapshot(self._elapsed()))

    def snapshot_steps(self) -> Generator[None, None, Snapshot]:
        """Return the same; yield after each metric, so that virtual users can run in between."""
        elapsed = self._elapsed()
        metrics: dict[str, MetricSnapshot] = {}
        for metric_id, metric in self.engine.describe_each(elapsed):
            metrics[metric_id] = metric
            yield
        return self._with_warnings(self.engine.assemble(elapsed, metrics))

    def failed_requests(self) -> tuple[Failure, ...]:
        """Return the failed requests by kind, allowed or not."""
        return self.requests.failures(self.engine.failed_requests())

    def name_unjudged_requests(self) -> str:
        """Return the kinds of failed requests that no threshold is about, in one line."""
        series = (each for each in self.engine.failed_requests() if not each.is_judged)
        return name_kinds(self.requests.failures(series))

    async def snapshot_gently(self) -> Snapshot:
        """Return the same, within as many turns of the loop as `advance` takes."""
        steps = self.snapshot_steps()
        while True:
            try:
                advance(steps)
            except StopIteration as done:
                snapshot: Snapshot = done.value
                return snapshot
            await trio.lowlevel.checkpoint()

    def query(self, metric_id: str, stats: Sequence[str]) -> MetricSnapshot | None:
        """Return one metric with any tag filter; see `MetricsEngine.query`."""
        return self.engine.query(metric_id, self._elapsed(), stats)

    def totals(self, also: Iterable[str] = ()) -> Mapping[str, MetricTotal]:
        """Return what every listed metric adds up to; see `MetricsEngine.totals`."""
        return self.engine.totals(also)

    def requests_by_name(self) -> tuple[RequestsRow, ...]:
        """Return the HTTP requests by name; see `MetricsEngine.requests_by_name`."""
        return self.engine.requests_by_name(self._elapsed())

    def request_names(self) -> list[str]:
        """Return the names of the HTTP requests, the most frequent first."""
        return self.engine.request_names()

    def timeline(self, name: str) -> tuple[Point, ...] | None:
        """Return a metric second by second, or None if that is not kept."""
        return self.engine.timeline(name)

    def _with_warnings(self, snapshot: Snapshot) -> Snapshot:
        warnings = (*self._warnings, *self._told(), *self._probe.warnings(), *snapshot.warnings)
        return replace(snapshot, warnings=warnings)

    def check_descriptors(self, vus: int) -> None:
        """Warn, now and in every snapshot, of a limit of open files that is too low for `vus`."""
        shortage = descriptor_shortage(vus)
        if shortage is not None:
            self._settings.tell(shortage)
            self._warnings.append(shortage)

    def record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Record how the loop did since the last time; in seconds, see `GeneratorProbe.add`."""
        row = (GENERATOR_LATENESS, self._root_id, round(late * 1e6))
        self.buffer.samples.append(row)
        self._probe.add(late, busy, elapsed)

    def record_vus(self, status: StatusSnapshot) -> None:
        """Record how many virtual users there are."""
        self.buffer.samples += [
            (VUS, self._root_id, status.vus),
            (VUS_MAX, self._root_id, status.vus_max),
        ]
