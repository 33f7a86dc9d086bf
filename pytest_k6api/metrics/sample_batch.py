"""What was measured between two rounds of the pump, as other people's code takes it.

Rows become series here, by the same rules by which the engine takes them in.
Made only where somebody observes samples. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_k6api.metrics.ingest import ingest
from pytest_k6api.model import Batch, Contains, Metric, MetricKind, TagTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The samples of one metric with one set of tags.

    Attributes:
        metric: The metric's name.
        kind: Counter, gauge, rate or trend.
        contains: Plain numbers, milliseconds or bytes.
        tags: The tags of all these samples.
        values: In the metric's unit, oldest first; of a rate 1.0 and 0.0. Never empty.
    """

    metric: str
    kind: MetricKind
    contains: Contains
    tags: Mapping[str, str]
    values: tuple[float, ...]


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


class _Collected:
    """Stands where the engine has a metric's store: keeps what is added."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.parts: dict[int, list[float]] = {}

    def add(self, _: Sequence[float], parts: Mapping[int, Sequence[float]]) -> None:
        for tags_id, part in parts.items():
            self.parts.setdefault(tags_id, []).extend(part)


def describe_batch(batch: Batch, tags: TagTable, *, at: float, elapsed: float) -> SampleBatch:
    """Return the samples of `batch`, whose tags are in `tags`.

    Args:
        batch: What the pump took.
        tags: The load test's tag sets.
        at: Wall time of the taking.
        elapsed: Test-run time of it.
    """
    stores: dict[str, _Collected] = {}

    def store_of(metric: Metric) -> _Collected:
        return stores.setdefault(metric.name, _Collected(metric))

    ingest(batch, store_of)
    series = [
        Series(
            metric=store.metric.name,
            kind=store.metric.kind,
            contains=store.metric.contains,
            tags=MappingProxyType(dict(tags[tags_id])),
            values=_in_unit(values, store.metric.samples_per_unit),
        )
        for store in stores.values()
        for tags_id, values in store.parts.items()
    ]
    return SampleBatch(at=at, elapsed=elapsed, series=tuple(series))


def _in_unit(values: Iterable[float], per_unit: int) -> tuple[float, ...]:
    # Not a generator: this is done for a dozen values of each request.
    return tuple(map(float, values)) if per_unit == 1 else tuple([v / per_unit for v in values])
