"""A few metrics second by second, small enough to be kept for any load test.

Kept are counts and sums, no values: for each second how many samples there were,
what they add up to, the greatest and the last. So it costs a sum over a column that
was just counted. A load test that lasts longer than `MOST_POINTS` seconds has points of
two seconds, then of four, and so on; a point takes 32 bytes.

The engine says what time it is.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_k6api.metrics.sinks.deltas import Delta, summary_of
from pytest_k6api.model import Metric, MetricKind
from pytest_k6api.model import metrics as built_in

MOST_POINTS = 3_600

KEPT = frozenset(
    metric.name
    for metric in (
        built_in.HTTP_REQS,
        built_in.HTTP_REQ_FAILED,
        built_in.HTTP_REQ_DURATION,
        built_in.ITERATIONS,
        built_in.VUS,
    )
)
"""The metrics that have a timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One second of a metric.

    Attributes:
        second: When it begins, in seconds of test-run time.
        seconds: How long it is: 1, or a power of two in a load test of more than an hour.
        count: How many samples came in it.
        value: What a counter did per second, the share of a rate, the mean of a
            trend, the last value of a gauge; in the metric's unit.
        max: The greatest sample, in the metric's unit.
    """

    second: int
    seconds: int
    count: int
    value: float
    max: float


class Timeline:
    """What the samples of one metric add up to in each second.

    Attributes:
        now: Seconds of test-run time up to which samples have come.
    """

    __slots__ = ("_counts", "_greatest", "_lasts", "_metric", "_totals", "_width", "now")

    def __init__(self, metric: Metric) -> None:
        self.now = 0.0
        self._metric = metric
        self._width = 1
        # By number of the point.
        self._counts = array("q")
        self._totals = array("d")
        self._greatest = array("d")
        self._lasts = array("d")

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples, oldest first; there is at least one."""
        count, last = len(values), values[-1]
        if values.count(last) == count:  # as ones and zeros are most of the time
            total, greatest = last * count, last
        else:
            total, greatest = sum(values), max(values)
        if self._metric.kind is MetricKind.RATE:
            total = count - values.count(0)
        self._add_now(count, total, greatest, last)

    def merge(self, delta: Delta, /) -> None:
        """Add all of `delta`; see `summary_of`."""
        self._add_now(*summary_of(delta))

    def points(self) -> tuple[Point, ...]:
        """Return the seconds in their order.

        Seconds without a sample are left out, save for a counter's between two that
        have some: there it did nothing, which is worth knowing.
        """
        counts = self._counts
        numbers = [number for number, count in enumerate(counts) if count]
        if numbers and self._metric.kind is MetricKind.COUNTER:
            numbers = list(range(numbers[0], numbers[-1] + 1))
        return tuple(map(self._point, numbers))

    def _add_now(self, count: int, total: float, greatest: float, last: float) -> None:
        while int(self.now) // self._width >= MOST_POINTS:
            self._fold()
        self._add(int(self.now) // self._width, count, total, greatest, last)

    def _add(self, number: int, count: int, total: float, greatest: float, last: float) -> None:
        missing = number + 1 - len(self._counts)
        if missing > 0:
            for column in (self._counts, self._totals, self._greatest, self._lasts):
                column.frombytes(bytes(missing * column.itemsize))
        if self._counts[number]:
            greatest = max(self._greatest[number], greatest)
        self._counts[number] += count
        self._totals[number] += total
        self._greatest[number] = greatest
        self._lasts[number] = last

    def _fold(self) -> None:
        cells = zip(self._counts, self._totals, self._greatest, self._lasts, strict=True)
        folded = Timeline(self._metric)
        for number, cell in enumerate(cells):
            if cell[0]:
                folded._add(number // 2, *cell)
        self._counts, self._totals = folded._counts, folded._totals
        self._greatest, self._lasts = folded._greatest, folded._lasts
        self._width *= 2

    def _point(self, number: int) -> Point:
        unit, count = self._metric.samples_per_unit, self._counts[number]
        match self._metric.kind:
            case MetricKind.COUNTER:
                value = self._totals[number] / unit / self._width
            case MetricKind.GAUGE:
                value = self._lasts[number] / unit
            case _:
                value = self._totals[number] / unit / count
        return Point(
            second=number * self._width,
            seconds=self._width,
            count=count,
            value=value,
            max=self._greatest[number] / unit,
        )
