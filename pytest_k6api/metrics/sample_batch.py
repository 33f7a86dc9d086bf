"""The samples of one round of the pump, as outputs and plugins take them.

Rows become series here, by the same rules by which the engine takes them in.
Made only if an output or a plugin takes samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from pytest_k6api.metrics.ingest import Parts
from pytest_k6api.metrics.snapshot import ThresholdSnapshot
from pytest_k6api.model import Contains, MarkedTags, Metric, MetricKind, TagTable

_Numbers = Mapping[int, Sequence[int]]


class Series:
    """The samples of one metric with one set of tags; not to be changed.

    Values and times are worked out when they are first asked for: what adds samples up
    takes `samples` and pays for neither.

    Attributes:
        metric: The metric's name.
        kind: Counter, gauge, rate or trend.
        contains: Plain numbers, milliseconds or bytes.
        tags: The tags of all these samples.
        samples: The values as they were sampled, oldest first; never empty.
        samples_per_unit: How many of the numbers in `samples` make one in `values`: 1000
            for built-in times, which are sampled in whole microseconds; else 1.
    """

    __slots__ = (
        "_find_times", "_numbers", "_times_us", "_values", "contains", "kind", "metric", "samples",
        "samples_per_unit", "tags",
    )  # fmt: skip

    def __init__(
        self,
        *,
        metric: str,
        kind: MetricKind,
        contains: Contains,
        tags: Mapping[str, str],
        values: tuple[float, ...],
        times_us: tuple[int, ...],
    ) -> None:
        self.metric, self.kind, self.contains, self.tags = metric, kind, contains, tags
        self.samples: Sequence[float] = values
        self.samples_per_unit = 1
        self._values: tuple[float, ...] | None = values
        self._times_us: tuple[int, ...] | None = times_us
        self._find_times: Callable[[], tuple[int, ...]] = tuple
        self._numbers: Sequence[int] = ()

    @classmethod
    def observed(
        cls,
        metric: Metric,
        tags: Mapping[str, str],
        samples: Sequence[float],
        numbers: Sequence[int],
        find_times: Callable[[], tuple[int, ...]],
    ) -> "Series":
        """Return a series whose values and times are not worked out yet."""
        # Some hundred of these are made in each second for nothing else than to be added up:
        # the constructor would set everything twice.
        series = cls.__new__(cls)
        series.metric, series.kind, series.contains = metric.name, metric.kind, metric.contains
        series.tags, series.samples = tags, samples
        series.samples_per_unit = metric.samples_per_unit
        series._values = series._times_us = None
        series._find_times, series._numbers = find_times, numbers
        return series

    def __repr__(self) -> str:
        return f"<Series of {len(self.samples)} samples of {self.metric} {dict(self.tags)!r}>"

    @property
    def values(self) -> tuple[float, ...]:
        """The values in the metric's unit, oldest first; of a rate 1.0 and 0.0. Never empty."""
        if self._values is None:
            self._values = _in_unit(self.samples, self.samples_per_unit)
        return self._values

    @property
    def metadata(self) -> Sequence[Mapping[str, str]]:
        """What is known of each sample beside its tags: ``vu`` and ``iter``, where they are asked for.

        Empty if nothing is known of any.
        """
        known = [each.metadata if type(each) is MarkedTags else {} for each in self._numbers]
        return known if any(known) else ()

    @property
    def times_us(self) -> tuple[int, ...]:
        """Wall time of each value, in whole microseconds since the epoch.

        Of requests when their response ended, of all others when the batch did.
        """
        if self._times_us is None:
            self._times_us = self._find_times()
        return self._times_us


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBatch:
    """What a load test measured in about the last 50 ms.

    Attributes:
        at: Wall time of its end, in seconds since the epoch.
        elapsed: The same in seconds of test-run time, pauses not counted.
        series: The samples; every sample is in exactly one batch.
        thresholds: All thresholds, where they have just been evaluated, as they are every
            two seconds and at the end: such a batch has no samples.
    """

    at: float
    elapsed: float
    series: tuple[Series, ...]
    thresholds: tuple[ThresholdSnapshot, ...] = ()


class Instant(NamedTuple):
    """One moment by two clocks.

    Attributes:
        at: Wall time, in seconds since the epoch.
        now_ns: Time by the clock of the rows, `time.perf_counter_ns`.
    """

    at: float
    now_ns: int = 0


class Observer:
    """Keeps what is added to an engine's stores, to describe it for outputs.

    Rows become columns and are sorted by tags once, for the engine and for it.

    Attributes:
        columns: What it has seen; see `ColumnObserver`.
    """

    def __init__(self) -> None:
        self.columns: list[tuple[Metric, Parts, _Numbers | None, _Numbers]] = []

    def see(
        self, metric: Metric, parts: Parts, times_ns: "_Numbers | None", numbers: "_Numbers"
    ) -> None:
        """Take the samples of `metric`; see `ColumnObserver`."""
        self.columns.append((metric, parts, times_ns, numbers))

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
            Series.observed(
                metric,
                tags[tags_id],
                samples,
                numbers[tags_id],
                partial(clock.times, times_ns[tags_id] if times_ns else None, len(samples)),
            )
            for metric, parts, times_ns, numbers in self.columns
            for tags_id, samples in parts.items()
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
