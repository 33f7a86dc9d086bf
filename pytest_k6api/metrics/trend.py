"""Exact percentiles over every observation of one time series.

A trend counts equal observations and keeps the different values in order, so a
percentile is a lookup and never an estimate, and memory grows with the number
of different values, not of observations. Built-in times are whole
microseconds: that is the resolution of every answer.

A stream of ever new values is bounded too: past `MOST_VALUES` different values
a trend keeps five significant digits of each, past them again four, which
moves no value by more than 0.06 %. `Trend.digits` tells, so that nobody
mistakes the answers for exact ones; count, sum, min and max stay exact.

Observations arrive in batches and are counted in C (``benchmarks/bench_ingest.py``
has the figures); they are put in order when somebody asks. Pure; one thread
writes. Once `settle` was called and nothing is added any more, any thread may read.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from sortedcontainers import SortedDict  # type: ignore[import-untyped]  # it has no annotations

from pytest_k6api.metrics.aggregation import Aggregation

MOST_VALUES = 20_000
# Four digits are the last step: they leave 9,000 values to each power of ten, and
# latencies span four or five of those.
_DIGITS_AFTER: Mapping[int | None, int] = {None: 5, 5: 4}
# By how many percent a kept value may differ, for each number of digits. The
# last step starts from values that were rounded once already.
ERROR_PERCENT: Mapping[int, float] = {5: 0.005, 4: 0.06}


class _Ranks(NamedTuple):
    """The values in order, and how many observations lie at or below each."""

    values: list[float]
    ends: list[int]


class Trend:
    """Observations of one time series, counted by value.

    Attributes:
        count: How many observations there are.
        total: Their sum.
        samples_per_unit: How many of the observations' units make a reported one.
        digits: The significant digits that are kept; None while everything is exact.

    >>> trend = Trend()
    >>> trend.add_many([1, 2, 3, 4])
    >>> trend.percentile(50), trend.percentile(95)
    (2.5, 3.8499999999999996)
    """

    __slots__ = (
        "_fresh",
        "_max",
        "_min",
        "_ranks",
        "_sorted",
        "count",
        "digits",
        "samples_per_unit",
        "total",
    )

    def __init__(self, samples_per_unit: int = 1) -> None:
        self.count = 0
        self.total: float = 0
        self.samples_per_unit = samples_per_unit
        self.digits: int | None = None
        # Counted, but not in order yet. Most series are never asked anything,
        # so the sorted part of each is only made when it is.
        self._fresh: Counter[float] = Counter()
        self._sorted: SortedDict[float, int] | None = None
        self._ranks: _Ranks | None = None
        self._min: float = math.inf
        self._max: float = -math.inf

    @classmethod
    def restored(
        cls,
        counts: Mapping[float, int],
        *,
        total: float,
        lowest: float,
        highest: float,
        samples_per_unit: int = 1,
        digits: int | None = None,
    ) -> "Trend":
        """Return the trend that once told these facts about itself; it answers as that did."""
        trend = cls(samples_per_unit)
        trend.digits = digits
        trend._fresh.update(counts)
        trend.settle()
        trend.count, trend.total = sum(counts.values()), total
        if counts:
            trend._min, trend._max = lowest, highest
        return trend

    @property
    def lowest(self) -> float:
        """The least observation, in its own unit; infinity while empty."""
        self.settle()
        return self._min

    @property
    def highest(self) -> float:
        """The greatest observation, in its own unit; minus infinity while empty."""
        self.settle()
        return self._max

    def add_many(self, values: Sequence[float]) -> None:
        """Add finite observations; who cannot vouch for them asks `is_countable` first."""
        self._fresh.update(values)
        self.count += len(values)
        self.total += sum(values)
        if len(self._fresh) > MOST_VALUES:
            self.settle()

    def merge(self, other: "Trend") -> None:
        """Add everything that `other` has counted; `other` stays as it is."""
        self.count += other.count
        self.total += other.total
        if other.digits is None:
            self._count(other)
            return
        self.settle()
        # Looked up first: where digits were cut, the counts hold the extremes no more.
        lowest = min(self._min, other._min, min(other._fresh, default=math.inf))
        highest = max(self._max, other._max, max(other._fresh, default=-math.inf))
        self._cut_to(min(self.digits or other.digits, other.digits))
        self._count(other)
        self.settle()
        self._min, self._max = lowest, highest

    def counts(self) -> dict[float, int]:
        """Return how often each value was observed, in no particular order."""
        counts = Counter(self._fresh)
        counts.update(_plain(self._sorted))
        return dict(counts)

    def percentile(self, rank: float) -> float:
        """Return the value that `rank` percent of the observations do not exceed.

        Between two observations the result is interpolated linearly, at
        position ``rank / 100 * (count - 1)`` of the sorted list.

        Args:
            rank: Percentage in [0, 100]; 50 is the median.

        Returns:
            The percentile in the reported unit; 0.0 while empty, as k6 reports it.

        Raises:
            ValueError: `rank` is outside [0, 100].

        Source: k6 v1.1.0, ``metrics/sink.go``, ``TrendSink.P``; the same rule as
        type 7 of Hyndman and Fan (1996).
        """
        if not 0 <= rank <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, got {rank!r}")
        if not self.count:
            return 0.0
        position = rank / 100 * (self.count - 1)
        below = math.floor(position)
        fraction = position - below
        low = self._at(below)
        value = low + (self._at(below + 1) - low) * fraction if fraction else low
        # Only digits that were cut can carry a value past the extremes.
        return min(max(value, self._min), self._max) / self.samples_per_unit

    def measure(self, aggregation: Aggregation) -> float:
        """Return one number in the reported unit; 0 while empty."""
        if aggregation.rank is not None:
            return self.percentile(aggregation.rank)
        if aggregation.text == "count" or not self.count:
            return self.count
        self.settle()
        match aggregation.text:
            case "min":
                number = self._min
            case "max":
                number = self._max
            case "sum":
                number = self.total
            case _:
                number = self.total / self.count
        return number / self.samples_per_unit

    def settle(self) -> None:
        """Put everything added so far in order, so that reading changes nothing any more."""
        if not self._fresh:
            return
        self._ranks = None
        lowest, highest = min(self._fresh), max(self._fresh)
        self._min = min(self._min, lowest)
        self._max = max(self._max, highest)
        if self._sorted is None:
            self._sorted = SortedDict()
        if self.digits is None:
            _add_counts(self._sorted, self._fresh.items())
        else:
            _add_counts(self._sorted, _cut(self._fresh, self.digits).items())
        self._fresh.clear()
        while len(self._sorted) > MOST_VALUES and self.digits in _DIGITS_AFTER:
            self._cut_to(_DIGITS_AFTER[self.digits])

    def _cut_to(self, digits: int) -> None:
        if digits != self.digits and self._sorted is not None:
            self._sorted = SortedDict(_cut(self._sorted, digits))
            self._ranks = None
        self.digits = digits

    def _count(self, other: "Trend") -> None:
        self._fresh.update(other._fresh)
        self._fresh.update(_plain(other._sorted))
        if len(self._fresh) > MOST_VALUES:
            self.settle()

    def _at(self, index: int) -> float:
        """Return the observation at `index` of the sorted list of all of them."""
        self.settle()
        ranks = self._ranks
        if ranks is None:
            values = list(self._sorted or ())
            counts = map(self._sorted.__getitem__, values) if self._sorted else ()
            ranks = self._ranks = _Ranks(values, list(accumulate(counts)))
        return ranks.values[bisect_right(ranks.ends, index)]

    def _check(self) -> None:
        """Assert what must hold between any two calls; for tests."""
        counts = self.counts()
        assert sum(counts.values()) == self.count
        assert all(count > 0 for count in counts.values())
        assert len(self._fresh) <= MOST_VALUES
        if self._sorted is not None:
            self._sorted._check()
            assert len(self._sorted) <= MOST_VALUES or self.digits not in _DIGITS_AFTER


def _plain(counts: "SortedDict[float, int] | None") -> dict[float, int]:
    """Return a copy without order, because the ordered one hands out its items in Python."""
    return {} if counts is None else dict.copy(counts)


def _add_counts(counts: "SortedDict[float, int]", more: Iterable[tuple[float, int]]) -> None:
    new: dict[float, int] = {}
    for value, count in more:
        if value in counts:
            # SortedDict's own assignment would look the key up once more.
            dict.__setitem__(counts, value, counts[value] + count)
        else:
            new[value] = count
    counts.update(new)


def _cut(counts: Mapping[float, int], digits: int) -> Counter[float]:
    """Return `counts` with the values rounded to so many significant digits."""
    cut: Counter[float] = Counter()
    for value, count in counts.items():
        magnitude = math.floor(math.log10(abs(value))) if value else 0
        cut[round(value, digits - 1 - magnitude)] += count
    return cut


def is_countable(value: object) -> bool:
    """Tell whether a sink can take `value`: an int or a float, and finite.

    A NaN compares false with everything: one would leave a trend unsorted and
    every later percentile quietly wrong. An infinity would make every sum and
    average infinite, and JSON cannot carry it.
    """
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        return False
