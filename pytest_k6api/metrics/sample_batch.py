"""What was measured between two rounds of the pump, as other people's code takes it.

Rows become series here, by the same rules by which the engine takes them in.
Made only where somebody observes samples. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_k6api.metrics.ingest import Store, Stores
from pytest_k6api.model import Contains, Metric, MetricKind, TagTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The samples of one metric with one set of tags.

    Attributes:
        metric: The metric's name.
        kind: Counter, gauge, rate or trend.
        contains: Plain numbers, milliseconds or bytes.
        tags: The tags of all these samples.
        values: In the metric's unit, oldest first; of a rate 1.0 and 0.0. Never empty.
        times_us: Wall time of each value, in whole microseconds since the epoch.
    """

    metric: str
    kind: MetricKind
    contains: Contains
    tags: Mapping[str, str]
    values: tuple[float, ...]
    times_us: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBatch:
    """What a load test measured in about the last 50 ms.

    Attributes:
        at: Wall time of its end, in seconds since the epoch.
        elapsed: The same in seconds of test-run time, pauses not counted.
        series: The samples; every sample is in exactly one batch.
    """

    at: float
    elapsed: float
    series: tuple[Series, ...]


class Observer:
    """Stands before an engine's stores: passes on what is added, and keeps it for others.

    Rows become columns and are sorted by tags once, for the engine and for it.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[Metric, int, Sequence[float]]] = []

    def before(self, store_of: Stores) -> Stores:
        """Return what stands before the stores that `store_of` gives."""
        return lambda metric: _Observed(store_of(metric), self._seen)

    def describe(self, tags: TagTable, *, at: float, elapsed: float) -> SampleBatch:
        """Return what was seen.

        Args:
            tags: The load test's tag sets.
            at: Wall time of the end of the batch.
            elapsed: Test-run time of it.
        """
        now_us = round(at * 1e6)
        series = [
            Series(
                metric=metric.name,
                kind=metric.kind,
                contains=metric.contains,
                tags=tags[tags_id],
                values=_in_unit(values, metric.samples_per_unit),
                times_us=(now_us,) * len(values),
            )
            for metric, tags_id, values in self._seen
        ]
        return SampleBatch(at=at, elapsed=elapsed, series=tuple(series))


class _Observed:
    def __init__(self, store: Store, seen: list[tuple[Metric, int, Sequence[float]]]) -> None:
        self._store = store
        self._seen = seen

    @property
    def metric(self) -> Metric:
        return self._store.metric

    def add(self, values: Sequence[float], parts: Mapping[int, Sequence[float]]) -> None:
        self._store.add(values, parts)
        self._seen += [(self._store.metric, tags_id, part) for tags_id, part in parts.items()]


def _in_unit(values: Sequence[float], per_unit: int) -> tuple[float, ...]:
    # This is done for a dozen values of each request: without a generator, and not
    # one by one where all are the same, as ones and zeros are most of the time.
    first = values[0]
    if values[-1] == first and values.count(first) == len(values):
        return (first / per_unit,) * len(values)
    return tuple(map(float, values)) if per_unit == 1 else tuple([v / per_unit for v in values])
