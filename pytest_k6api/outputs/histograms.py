"""Histograms: how many values of a trend lie between which bounds. Pure.

A column of values is sorted, and then cut where the bounds are: for more than a few values that takes
less than half the time of a bisection for each.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache


class Histogram:
    """Values counted by the buckets between given bounds.

    Attributes:
        count: How many values there are.
        total: Their sum.
        lowest: The least; infinity while empty.
        highest: The greatest; minus infinity while empty.

    Args:
        bounds: Ascending. A bucket holds what is greater than the bound below it and not
            greater than the bound above it; the first and the last bucket are open.
    """

    __slots__ = ("_bounds", "_buckets", "count", "highest", "lowest", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.lowest, self.highest = math.inf, -math.inf

    def add_many(self, values: Sequence[float], /) -> None:
        """Add finite values; there is at least one."""
        ordered, bounds = sorted(values), self._bounds
        low, high, count, start = ordered[0], ordered[-1], len(ordered), 0
        self.count += count
        # No time to connect, for instance, which most requests have.
        self.total += low * count if low == high else sum(values)
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        while start < count:
            number, end = bisect_left(bounds, ordered[start]), count
            if number < len(bounds):
                end = bisect_right(ordered, bounds[number], start)
            self._buckets[number] = self._buckets.get(number, 0) + end - start
            start = end

    def counts(self) -> list[int]:
        """Return the counts of all buckets, one more than there are bounds."""
        return [self._buckets.get(number, 0) for number in range(len(self._bounds) + 1)]

    def filled(self) -> list[tuple[int, int]]:
        """Return number and count of each bucket that is not empty, in ascending order."""
        return sorted(self._buckets.items())


@dataclass(frozen=True, slots=True)
class Spans:
    """Buckets of a native histogram, as Prometheus transmits them.

    Attributes:
        spans: Runs of consecutive buckets: how far each is from the end of the one before
            (the first, from 0), and how long it is.
        deltas: Of each bucket's count to the one before.
    """

    spans: tuple[tuple[int, int], ...]
    deltas: tuple[int, ...]


NATIVE_SCHEMA = 3
"""Eight buckets for each power of two: each bound is 1.0905 times the one below.

Source: k6 v1.1.0, ``internal/output/prometheusrw/remotewrite/trend.go``, which asks for a
factor of 1.1; client_golang takes the next finer schema.
"""

_BUCKETS_PER_OCTAVE = 1 << NATIVE_SCHEMA
_FIRST_OCTAVE, _LAST_OCTAVE = -30, 64
ZERO_THRESHOLD: float = 2.0**-128
"""Values nearer to 0 are as good as 0; client_golang's."""

_POSITIVE = [
    math.ldexp(2 ** (step / _BUCKETS_PER_OCTAVE), octave)
    for octave in range(_FIRST_OCTAVE, _LAST_OCTAVE)
    for step in range(_BUCKETS_PER_OCTAVE)
]
_MIDDLE = len(_POSITIVE) + 1


@lru_cache(maxsize=8)
def _native_bounds(scale: float) -> tuple[float, ...]:
    positive = [bound * scale for bound in _POSITIVE]
    # bisect_left puts what equals a bound below it; of negative values Prometheus wants
    # the bound that is nearer to 0 to be outside, so theirs are moved by the least step.
    negative = [math.nextafter(-bound, -math.inf) for bound in reversed(positive)]
    zero = ZERO_THRESHOLD * scale
    return (*negative, math.nextafter(-zero, -math.inf), zero, *positive)


class NativeHistogram(Histogram):
    """Values counted by the buckets of a native histogram of Prometheus.

    Args:
        scale: How many of the values' units make one of the histogram's: 1000 for
            milliseconds in a histogram of seconds.
    """

    __slots__ = ("_scale",)

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(_native_bounds(scale))
        self._scale = scale

    @property
    def zeros(self) -> int:
        """How many values are as good as 0."""
        return self._buckets.get(_MIDDLE, 0)

    @property
    def sum(self) -> float:
        """The sum of all values, in the histogram's unit."""
        return self.total / self._scale

    def positive(self) -> Spans:
        """Return the buckets of values above 0."""
        return _spans(
            (_key(number - _MIDDLE - 1), count)
            for number, count in self.filled()
            if number > _MIDDLE
        )

    def negative(self) -> Spans:
        """Return the buckets of values below 0, by their absolute values."""
        return _spans(
            (_key(_MIDDLE - number - 1), count)
            for number, count in reversed(self.filled())
            if number < _MIDDLE
        )


def _key(step: int) -> int:
    """Return Prometheus' number of the bucket whose upper bound is ``_POSITIVE[step]``."""
    return step + _FIRST_OCTAVE * _BUCKETS_PER_OCTAVE


def _spans(buckets: Iterable[tuple[int, int]]) -> Spans:
    spans: list[tuple[int, int]] = []
    deltas: list[int] = []
    end = before = 0
    for key, count in buckets:
        if spans and key == end:
            offset, length = spans[-1]
            spans[-1] = offset, length + 1
        else:
            spans.append((key - end, 1))
        deltas.append(count - before)
        end, before = key + 1, count
    return Spans(tuple(spans), tuple(deltas))
