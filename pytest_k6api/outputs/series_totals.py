"""What samples add up to by metric and labels: what is pushed instead of each sample.

Columns of samples wait until there are some thousand samples or the sums are asked for; so a
batch costs little more than an append for each series, and a sample what a sink takes to count it
in C (``benchmarks/bench_outputs.py`` has the figures). Memory follows the number of series. Tag
sets that a target cannot tell apart are one series.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar

from pytest_k6api.metrics import CounterSink, GaugeSink, RateSink, SampleBatch, Series
from pytest_k6api.model import Contains, MetricKind
from pytest_k6api.outputs.per_series import PerSeries

Labels = Mapping[str, str]

# Samples that wait to be counted at the most; their numbers are shared with those that count them.
_MOST_WAITING = 100_000


class _Trend(Protocol):
    def add_many(self, values: Sequence[float], /) -> None: ...


T = TypeVar("T", bound=_Trend)


@dataclass(slots=True, eq=False)
class Total(Generic[T]):
    """One series, and what its samples add up to.

    Attributes:
        metric: The metric's name.
        contains: Plain numbers, milliseconds or bytes.
        samples_per_unit: How many of the numbers that are added make a reported one; see
            `Series`.
        labels: What it is told apart by.
        sink: The sum; a trend's is what the target wants to know of one.
        waiting: Columns of samples that are not in the sum yet.
    """

    metric: str
    contains: Contains
    samples_per_unit: int
    labels: Labels
    sink: CounterSink | GaugeSink | RateSink | T
    waiting: list[Sequence[float]] = field(default_factory=list)

    def count(self) -> None:
        """Add what waits to the sum."""
        if self.waiting:
            self.sink.add_many(tuple(chain.from_iterable(self.waiting)))
            self.waiting.clear()


class SeriesTotals(Generic[T]):
    """Adds up the samples of a load test.

    Args:
        new_trend: Makes an empty sink for a trend of so many samples in a unit.
        labels_of: Makes a target's labels of tags.
    """

    def __init__(
        self, new_trend: Callable[[int, Contains], T], labels_of: Callable[[Labels], Labels] = dict
    ) -> None:
        self._new_trend = new_trend
        self._labels_of = labels_of
        self._by_tags = PerSeries(self._open)
        self._by_labels: dict[tuple[str, frozenset[tuple[str, str]]], Total[T]] = {}
        # Samples that no sum has yet.
        self._waiting = 0

    def __iter__(self) -> Iterator[Total[T]]:
        self._count()
        return iter(self._by_labels.values())

    def __len__(self) -> int:
        return len(self._by_labels)

    def add(self, batch: SampleBatch) -> None:
        """Add the samples of `batch`."""
        for series in batch.series:
            self._by_tags.of(series).waiting.append(series.samples)
            self._waiting += len(series.samples)
        if self._waiting > _MOST_WAITING:
            self._count()

    def clear(self) -> None:
        """Begin anew, with nothing."""
        self._waiting = 0
        self._by_tags.clear()
        self._by_labels.clear()

    def _count(self) -> None:
        self._waiting = 0
        for total in self._by_labels.values():
            total.count()

    def _open(self, series: Series) -> Total[T]:
        labels = self._labels_of(series.tags)
        key = series.metric, frozenset(labels.items())
        total = self._by_labels.get(key)
        if total is None:
            per_unit, sink = series.samples_per_unit, self._new_sink(series)
            total = Total(series.metric, series.contains, per_unit, labels, sink)
            self._by_labels[key] = total
        return total

    def _new_sink(self, series: Series) -> CounterSink | GaugeSink | RateSink | T:
        match series.kind:
            case MetricKind.COUNTER:
                return CounterSink()
            case MetricKind.GAUGE:
                return GaugeSink()
            case MetricKind.RATE:
                return RateSink()
            case MetricKind.TREND:
                return self._new_trend(series.samples_per_unit, series.contains)
