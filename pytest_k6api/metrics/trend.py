"""Exact percentiles over every observation of one time series.

A trend counts equal observations and keeps the different values in order, so a
percentile is a lookup and never an estimate, and memory grows with the number
of different values, not of observations. Built-in times are whole
microseconds: that is the resolution of every answer.

A stream of ever new values is bounded too: past `MOST_VALUES` different values
a trend keeps five significant digits of each, past them again four, which
moves no value by more than 0.06 %. `Trend.digits` tells, so that nobody
mistakes the answers for exact ones; count, sum, min and max stay exact.

Observations arrive in batches and are counted in C; a dictionary keeps its keys in
the order in which they came, so those that are not in the sorted list yet are its
last, and putting them in order when somebody asks needs no loop in Python
(``benchmarks/bench_ingest.py`` has the figures). Pure; one thread writes. Once `settle` was called and nothing is added any more, any thread may read.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from sortedcontainers import SortedList  # type: ignore[import-untyped]  # it has no annotations

from pytest_k6api.metrics.aggregation import Aggregation

MOST_VALUES = 20_000
# Values that wait to be cut are kept whole: most of them would be a second trend.
_MOST_UNCUT = 5_000
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
        "_counts",
        "_max",
        "_min",
        "_ranks",
        "_uncut",
        "_values",
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
        # All values; those that came first are also in `_values`, in order. Most
        # series are never asked anything, so they are put there only when one is.
        self._counts: Counter[float] = Counter()
        self._values: SortedList[float] = SortedList()
        # Where digits are cut, what came since they were cut last.
        self._uncut: Counter[float] = Counter()
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
        trend._counts.update(counts)
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
        counts = self._counts if self.digits is None else self._uncut
        counts.update(values)
        self.count += len(values)
        self.total += sum(values)
        self._ranks = None
        if len(counts) > (MOST_VALUES if self.digits is None else _MOST_UNCUT):
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
        lowest = min(self._min, other._min, min(other._uncut, default=math.inf))
        highest = max(self._max, other._max, max(other._uncut, default=-math.inf))
        self._cut_to(min(self.digits or other.digits, other.digits))
        self._count(other)
        self.settle()
        self._min, self._max = lowest, highest

    def counts(self) -> dict[float, int]:
        """Return how often each value was observed, in no particular order."""
        return dict(self._counts + self._uncut)

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
        if self._uncut and self.digits is not None:
            self._see(min(self._uncut), max(self._uncut))
            self._counts.update(_cut(self._uncut, self.digits))
            self._uncut.clear()
        new = len(self._counts) - len(self._values)
        if not new:
            return
        self._values.update(islice(reversed(self._counts), new))
        if self.digits is None:
            self._see(self._values[0], self._values[-1])
        while len(self._values) > MOST_VALUES and self.digits in _DIGITS_AFTER:
            self._cut_to(_DIGITS_AFTER[self.digits])

    def _see(self, lowest: float, highest: float) -> None:
        self._min = min(self._min, lowest)
        self._max = max(self._max, highest)

    def _cut_to(self, digits: int) -> None:
        if digits != self.digits:
            self._counts = _cut(self._counts, digits)
            self._values = SortedList(self._counts)
            self._ranks = None
        self.digits = digits

    def _count(self, other: "Trend") -> None:
        counts = self._counts if self.digits is None else self._uncut
        counts.update(other._counts)
        counts.update(other._uncut)
        self._ranks = None
        if len(counts) > MOST_VALUES:
            self.settle()

    def _at(self, index: int) -> float:
        """Return the observation at `index` of the sorted list of all of them."""
        ranks = self._ranks
        if ranks is None:
            self.settle()
            values = list(self._values)
            ends = accumulate(map(self._counts.__getitem__, values))
            ranks = self._ranks = _Ranks(values, list(ends))
        return ranks.values[bisect_right(ranks.ends, index)]

    def _check(self) -> None:
        """Assert what must hold between any two calls; for tests."""
        counts = self.counts()
        assert sum(counts.values()) == self.count
        assert all(count > 0 for count in counts.values())
        assert len(self._uncut) <= MOST_VALUES
        assert not (self._uncut and self.digits is None)
        self._values._check()
        first = islice(self._counts, len(self._values))
        assert list(self._values) == sorted(first)
        assert len(self._values) <= MOST_VALUES or self.digits not in _DIGITS_AFTER


def _cut(counts: Mapping[float, int], digits: int) -> Counter[float]:
    """Return `counts` with the values rounded to so many significant digits."""
    cut: Counter[float] = Counter()
    # Most built-in times are whole microseconds with no more digits than that.
    limit = 10**digits
    for value, count in counts.items():
        if -limit < value < limit and value == int(value):
            cut[value] += count
        else:
            magnitude = math.floor(math.log10(abs(value)))
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
