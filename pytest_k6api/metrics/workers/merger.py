"""The controller's side: reports of workers become what one process would have measured.

Deltas of all workers in one moment are added up first, and reach the engine as one: so it
costs the same whatever the number of workers, and timelines and windows see each second
whole and in order. A moment waits until every worker has told of it. So the engine knows
what there was up to a time a second or so ago, exactly; ask it for that time.

Percentiles, counts and sums of whole numbers equal those of one process. Sums of
floats may differ in the last digit: they were added in another order.

Callers pass the time.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_k6api.metrics.engine import MetricsEngine
from pytest_k6api.metrics.sample_batch import Instant, Observer, SampleBatch
from pytest_k6api.metrics.thresholds.expression import Threshold
from pytest_k6api.metrics.workers.moments import Moment, MomentBounds
from pytest_k6api.metrics.workers.packing import Deltas, SeriesReader
from pytest_k6api.model import Batch, TagTable


class _OwnBatch(NamedTuple):
    batch: Batch
    elapsed: float
    now: Instant | None


@dataclass(slots=True)
class _Waiting:
    """What is known of one moment that not all have told of."""

    until: float = 0.0
    deltas: Deltas = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    samples: list[SampleBatch] = field(default_factory=list)
    # Of the controller itself.
    batches: list[_OwnBatch] = field(default_factory=list)
    vus_planned: int | None = None


@dataclass(slots=True)
class _Worker:
    reader: SeriesReader
    until: float


class SeriesMerger:
    """Merges what workers measured into one engine.

    Args:
        engine: Takes it in; nothing else may feed it.
        tags: The engine's tag sets.
        thresholds: Those of the load test.
        on_samples: Called with the samples of each batch, in the order of time, where
            workers and the controller keep them.
    """

    def __init__(
        self,
        engine: MetricsEngine,
        tags: TagTable,
        thresholds: Iterable[Threshold] = (),
        on_samples: Callable[[SampleBatch], None] | None = None,
    ) -> None:
        self._on_samples = on_samples
        self._engine = engine
        self._tags = tags
        self._moments = MomentBounds(thresholds)
        self._workers: dict[str, _Worker] = {}
        self._waiting: dict[Moment, _Waiting] = {}

    def join(self, worker: str, elapsed: float = 0.0) -> None:
        """Wait from now on for the reports of `worker`, which tell what there was since `elapsed`."""
        self._workers[worker] = _Worker(SeriesReader(self._tags), elapsed)

    def leave(self, worker: str) -> float:
        """Wait no longer for `worker`: it has ended or is lost. What it reported stays.

        Returns:
            The test-run time until which it has told of everything; 0 if it has not joined.
        """
        left = self._workers.pop(worker, None)
        return self._moments.start(left.until) if left else 0.0

    def awaits(self, worker: str) -> bool:
        """Tell whether `worker` has joined, and has not left."""
        return worker in self._workers

    def put(self, worker: str, report: bytes, ahead: float = 0.0) -> None:
        """Take a report of `SeriesCollector.take`.

        Args:
            worker: The worker that made it.
            report: The report; each once, in their order.
            ahead: Seconds by which the worker's wall clock reads more than the one here.

        Raises:
            KeyError: It has not joined, or has left.
            SerializationError: `report` is damaged, or is another version's.
        """
        sender = self._workers[worker]
        received = sender.reader.read(report)
        for part in received.parts:
            waiting = self._at(part.until)
            sender.reader.add(part, waiting.deltas)
            waiting.refused.update(part.refused)
        for batch in received.batches:
            self._at(batch.elapsed).samples.append(sender.reader.samples(batch, ahead))
        sender.until = received.until

    def ingest(self, batch: Batch, elapsed: float, now: Instant | None = None) -> None:
        """Take samples of the controller itself; see `SeriesCollector.ingest`."""
        self._at(elapsed).batches.append(_OwnBatch(batch, elapsed, now))

    def plan_vus(self, vus: int, elapsed: float) -> None:
        """Note how many virtual users the plan has now; see `MetricsEngine.plan_vus`."""
        self._at(elapsed).vus_planned = vus

    def load_began(self, elapsed: float) -> None:
        """Let the load begin; see `MetricsEngine.load_began`. Workers report after it."""
        self.merge_all()
        self._moments.load_began(elapsed)
        self._engine.load_began(elapsed)

    def load_ended(self, elapsed: float) -> None:
        """Let the load end; see `MetricsEngine.load_ended`. Workers have reported all."""
        self.merge_all()
        self._engine.load_ended(elapsed)

    def merge(self, elapsed: float) -> float:
        """Let the engine take in what all workers have told of.

        Returns:
            The test-run time up to which that is everything: `elapsed` at most, and the
            beginning of a second as a rule.
        """
        if not self._workers:  # before the load, and after it
            self.merge_all()
        told = min([elapsed, *(worker.until for worker in self._workers.values())])
        self._merge_before(self._moments.at(told).__gt__)
        known = self._moments.start(told)
        self._engine.advance(known)
        return known

    def merge_all(self) -> None:
        """Let the engine take in everything, whether or not all workers have told of it."""
        self._merge_before(lambda _: True)

    def _at(self, elapsed: float) -> _Waiting:
        waiting = self._waiting.setdefault(self._moments.at(elapsed), _Waiting())
        waiting.until = max(waiting.until, elapsed)
        return waiting

    def _merge_before(self, is_due: Callable[[Moment], bool]) -> None:
        for moment in sorted(filter(is_due, self._waiting)):
            waiting = self._waiting.pop(moment)
            waiting.samples += filter(None, map(self._ingest, waiting.batches))
            self._engine.take_in(waiting.deltas, waiting.until, waiting.refused)
            if waiting.vus_planned is not None:
                self._engine.plan_vus(waiting.vus_planned, waiting.until)
            if self._on_samples is not None:
                for samples in sorted(waiting.samples, key=lambda each: each.elapsed):
                    self._on_samples(samples)

    def _ingest(self, own: _OwnBatch) -> SampleBatch | None:
        """Let the engine take in samples of the controller; return them if they are asked for."""
        if own.now is None:
            self._engine.ingest(own.batch, own.elapsed)
            return None
        observer = Observer()
        self._engine.ingest(own.batch, own.elapsed, observer)
        return observer.describe(
            self._tags, at=own.now.at, elapsed=own.elapsed, now_ns=own.now.now_ns
        )
