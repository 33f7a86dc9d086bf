"""The samples of one round of the pump, as outputs and plugins take them.

Rows become series here, by the same rules by which the engine takes them in.
Made only if an output or a plugin takes samples. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_k6api.metrics.ingest import Parts
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
    """Keeps what is added to an engine's stores, to describe it for outputs.

    Rows become columns and are sorted by tags once, for the engine and for it.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[Metric, Parts, Mapping[int, Sequence[int]] | None]] = []

    def see(
        self, metric: Metric, parts: Parts, times_ns: Mapping[int, Sequence[int]] | None
    ) -> None:
        """Take the samples of `metric`; see `ColumnObserver`."""
        self._seen.append((metric, parts, times_ns))

    def describe(
        self, tags: TagTable, *, at: float, elapsed: float, now_ns: int = 0
    ) -> SampleBatch:
        """Return what was seen.

        Args:
            tags: The load test's tag sets.
            at: Wall time of the end of the batch.
            elapsed: Test-run time of it.
            now_ns: The same moment by the clock of the rows, `time.perf_counter_ns`.
        """
        clock = _WallClock(round(at * 1e6), now_ns)
        series = [
            Series(
                metric=metric.name,
                kind=metric.kind,
                contains=metric.contains,
                tags=tags[tags_id],
                values=_in_unit(values, metric.samples_per_unit),
                times_us=clock.times(times_ns[tags_id] if times_ns else None, len(values)),
            )
            for metric, parts, times_ns in self._seen
            for tags_id, values in parts.items()
        ]
        return SampleBatch(at=at, elapsed=elapsed, series=tuple(series))


class _WallClock:
    """Turns times of rows into wall times, once for all metrics of the same rows."""

    def __init__(self, now_us: int, now_ns: int) -> None:
        self._now_us = now_us
        self._now_ns = now_ns
        # By identity of the column, which is kept with it, so that its `id` stays its own.
        self._known: dict[int, tuple[Sequence[int], tuple[int, ...]]] = {}

    def times(self, times_ns: Sequence[int] | None, count: int) -> tuple[int, ...]:
        if times_ns is None:
            return (self._now_us,) * count
        known = self._known.get(id(times_ns))
        if known is None:
            now_us, now_ns = self._now_us, self._now_ns
            times = tuple([now_us - (now_ns - time) // 1000 for time in times_ns])
            known = self._known[id(times_ns)] = times_ns, times
        return known[1]


def _in_unit(values: Sequence[float], per_unit: int) -> tuple[float, ...]:
    # This is done for a dozen values of each request: without a generator, and not
    # one by one where all are the same, as ones and zeros are most of the time.
    first = values[0]
    if values[-1] == first and values.count(first) == len(values):
        return (first / per_unit,) * len(values)
    return tuple(map(float, values)) if per_unit == 1 else tuple([v / per_unit for v in values])
