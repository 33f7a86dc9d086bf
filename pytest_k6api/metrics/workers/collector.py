"""The worker's side: samples add up to deltas, which are cut into parts and sent.

It takes what `MetricsEngine.ingest` takes and refuses the same, and does no more for a
sample than to add it to its series: no view, no timeline, no order, no verdict
(``benchmarks/bench_ingest.py`` has the figures). Callers pass the time.
"""

import math
from collections.abc import Iterable, Sequence

from pytest_k6api.metrics.ingest import Parts, ingest
from pytest_k6api.metrics.sample_batch import Instant, Observer
from pytest_k6api.metrics.sinks.deltas import Delta, new_delta
from pytest_k6api.metrics.sinks.simple import GaugeSink
from pytest_k6api.metrics.thresholds.expression import Threshold
from pytest_k6api.metrics.workers.moments import MomentBounds
from pytest_k6api.metrics.workers.packing import Part, SeriesPacker
from pytest_k6api.metrics.workers.sample_packing import SentBatch
from pytest_k6api.model import Batch, Metric, TagTable


class SeriesCollector:
    """What virtual users of one worker measured, until the controller asks for it.

    Args:
        tags: Where the tag sets of the samples are interned.
        thresholds: Those of the load test: parts are cut where their windows need it.
    """

    def __init__(self, tags: TagTable, thresholds: Iterable[Threshold] = ()) -> None:
        self._packer = SeriesPacker(tags)
        self._moments = MomentBounds(thresholds)
        self._moment = self._moments.at(0.0)
        self._stores: dict[str, _OpenStore] = {}
        self._refused: dict[str, int] = {}
        self._parts: list[Part] = []
        self._batches: list[SentBatch] = []
        self._elapsed = 0.0

    def ingest(self, batch: Batch, elapsed: float, now: Instant | None = None) -> None:
        """Add what virtual users wrote since the last batch; see `MetricsEngine.ingest`.

        Args:
            batch: What they wrote.
            elapsed: Seconds of test-run time now.
            now: The same moment by other clocks, where outputs or hooks take the samples
                themselves; None where they do not, which saves their packing.
        """
        self._advance(elapsed)
        self._elapsed = elapsed
        observer = Observer()
        observers = () if now is None else (observer,)
        for name, count in ingest(batch, self._store, observers).items():
            self._refused[name] = self._refused.get(name, 0) + count
        if now is not None and observer.columns:
            self._batches.append(self._packer.pack_samples(observer, elapsed, now))

    def load_began(self, elapsed: float) -> None:
        """Let the load begin: what comes next is not what came before."""
        self._cut()
        self._moments.load_began(elapsed)
        self._moment = self._moments.at(elapsed)

    def take(self, elapsed: float) -> bytes:
        """Return a report of all that is new, but not of the second that is not over.

        `SeriesMerger.put` takes reports, each once and in their order.
        """
        self._advance(elapsed)
        report = self._packer.report(self._parts, self._batches, elapsed)
        self._parts, self._batches = [], []
        return report

    def take_all(self, elapsed: float) -> bytes:
        """Return a report of all that is new: nothing more is measured before it was taken."""
        self._cut()
        return self.take(elapsed)

    def _advance(self, elapsed: float) -> None:
        moment = self._moments.at(elapsed)
        if moment != self._moment:
            self._cut()
            self._moment = moment

    def _cut(self) -> None:
        deltas = {store.metric: store.close() for store in self._stores.values() if store.series}
        if deltas or self._refused:
            self._parts.append(self._packer.pack(deltas, self._elapsed, self._refused))
            self._refused = {}

    def _store(self, metric: Metric) -> "_OpenStore":
        store = self._stores.get(metric.name)
        if store is None:
            store = self._stores[metric.name] = _OpenStore(metric)
        store.now = self._elapsed
        return store


class _OpenStore:
    """What was added to the series of one metric in the moment that is not over.

    Attributes:
        metric: The metric.
        series: The deltas, by the numbers of their tag sets.
        now: Test-run time of the samples that come, in seconds.
    """

    __slots__ = ("metric", "now", "series")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.series: dict[int, Delta] = {}
        self.now = 0.0

    def add(self, _values: Sequence[float], parts: Parts) -> None:
        for tags_id, part in parts.items():
            delta = self.series.get(tags_id)
            if delta is None:
                # Not a `MarkedTags`, which would be kept with its metadata.
                delta = self.series[int(tags_id)] = new_delta(self.metric)
            delta.add_many(part)
            if isinstance(delta, GaugeSink):
                # The parts of a batch are in the order of their last samples.
                delta.at = self.now = math.nextafter(self.now, math.inf)

    def close(self) -> dict[int, Delta]:
        series, self.series = self.series, {}
        return series
