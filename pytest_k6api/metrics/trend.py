"""Exact percentiles over every observation of one time series.

A trend keeps the different values in order, packed, and with each how many
observations do not exceed it, so a percentile is a lookup and never an estimate.
That is 16 bytes for each different value, however often it comes: memory grows with the
number of different values, not of observations (``benchmarks/bench_memory.py`` has
the figures). Built-in times are whole microseconds: that is the resolution of every answer.

A stream of ever new values is bounded too: past `MOST_VALUES` different values
a trend keeps five significant digits of each, past them again four, which
moves no value by more than 0.06 %. `Trend.digits` tells, so that nobody
mistakes the answers for exact ones; count, sum, min and max stay exact.

Observations arrive in batches and wait, packed; they are counted, in C, and put among
the values in order when somebody asks, which nobody does of most series, or when they
take as much room as those (``benchmarks/bench_ingest.py`` has the figures).

Pure; one thread writes. Once `settle` was called and nothing is added any more, any
thread may read.
"""

import math
import struct
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import sub

from pytest_k6api.metrics.aggregation import Aggregation

MOST_VALUES = 20_000
# So many may always wait, 64 KB; more only if there are more values in order.
_LEAST_WAITING = 8_000
# Counting at once is quicker where values come again and again, but what was counted takes
# some twelve times the room.
_FEW_VALUES = 500
_ROOM_OF_COUNTED = 12
# Four digits are the last step: they leave 9,000 values to each power of ten, and
# latencies span four or five of those.
_DIGITS_AFTER: Mapping[int | None, int] = {None: 5, 5: 4}
# By how many percent a kept value may differ, for each number of digits. The
# last step starts from values that were rounded once already.
ERROR_PERCENT: Mapping[int, float] = {5: 0.005, 4: 0.06}
# Beyond this an integer may have no double that is equal to it.
_INEXACT = 2**53


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
        "_counted",
        "_ends",
        "_max",
        "_min",
        "_values",
        "_waiting",
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
        # The different values in order, and how many observations lie at or below each.
        self._values: array[int] | array[float] = array("q")
        self._ends = array("q")
        # What came since they were put in order last, whole even where digits are cut: as it
        # came, or counted already.
        self._waiting: array[int] | array[float] = array("q")
        self._counted: Counter[float] = Counter()
        # Of the values in order, before any digits were cut.
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
        trend._put_in_order(counts, digits)
        trend.count, trend.total = sum(counts.values()), total
        if counts:
            trend._min, trend._max = lowest, highest
        return trend

    @property
    def lowest(self) -> float:
        """The least observation, in its own unit; infinity while empty."""
        return min(
            self._min, min(self._waiting, default=math.inf), min(self._counted, default=math.inf)
        )

    @property
    def highest(self) -> float:
        """The greatest observation, in its own unit; minus infinity while empty."""
        return max(
            self._max, max(self._waiting, default=-math.inf), max(self._counted, default=-math.inf)
        )

    def add_many(self, values: Sequence[float]) -> None:
        """Add finite observations; who cannot vouch for them asks `is_countable` first."""
        count, first = len(values), values[0]
        self.count += count
        if count > 1 and values[-1] == first and values.count(first) == count:
            # No time to connect, for instance, which most requests have.
            self._counted[first] += count
            self.total += first * count
        else:
            if len(self._values) < _FEW_VALUES:
                self._counted.update(values)
            else:
                self._keep(values, count)
            self.total += sum(values)
        room = len(self._waiting) + _ROOM_OF_COUNTED * len(self._counted)
        if room > _LEAST_WAITING and room > len(self._values):
            self.settle()

    def merge(self, other: "Trend") -> None:
        """Add everything that `other` has counted; `other` stays as it is."""
        self.count += other.count
        self.total += other.total
        if other.digits is None:
            # Many are merged in a row, and settling sorts everything: not before there are many.
            for pairs in other._pairs():
                _add(self._counted, pairs)
            if len(self._counted) > MOST_VALUES:
                self.settle()
            return
        self.settle()
        lowest, highest = min(self._min, other.lowest), max(self._max, other.highest)
        self._put_in_order(other.counts(), min(self.digits or other.digits, other.digits))
        self._min, self._max = lowest, highest

    def counts(self) -> dict[float, int]:
        """Return how often each value was observed, in no particular order."""
        counts: dict[float, int] = {}
        for pairs in self._pairs():
            _add(counts, pairs)
        return counts

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
        match aggregation.text:
            case "min":
                number = self.lowest
            case "max":
                number = self.highest
            case "sum":
                number = self.total
            case _:
                number = self.total / self.count
        return number / self.samples_per_unit

    def settle(self) -> None:
        """Put everything added so far in order, so that reading changes nothing any more."""
        if self._waiting or self._counted:
            self._counted.update(self._waiting)
            self._put_in_order(self._counted, self.digits)
            self._waiting = array(self._values.typecode)
            self._counted = Counter()

    def _keep(self, values: Sequence[float], count: int) -> None:
        try:
            self._waiting.frombytes(struct.pack(f"{count}{self._waiting.typecode}", *values))
        except struct.error:  # some are floats, or too large for 64 bits
            self._waiting = array("d", self._waiting)
            self._waiting.frombytes(struct.pack(f"{count}d", *values))

    def _put_in_order(self, more: Mapping[float, int], digits: int | None) -> None:
        """Count `more` among the values in order, with `digits` or as many as there is room for."""
        lowest, highest = min(more, default=math.inf), max(more, default=-math.inf)
        self._min, self._max = min(self._min, lowest), max(self._max, highest)
        counts = dict(self._in_order())
        if max(-lowest, highest) > _INEXACT:
            more = _as_floats(more)
        if digits is not None:
            counts = counts if digits == self.digits else _cut(counts, digits)
            more = _cut(more, digits)
        _add(counts, more.items())
        while len(counts) > MOST_VALUES and digits in _DIGITS_AFTER:
            digits = _DIGITS_AFTER[digits]
            counts = _cut(counts, digits)
        self.digits = digits
        values = sorted(counts)
        try:
            self._values = array("q", values)
        except TypeError:  # some are floats
            self._values = array("d", values)
        self._ends = array("q", list(accumulate(map(counts.__getitem__, values))))

    def _pairs(self) -> Iterable[Iterable[tuple[float, int]]]:
        """Return all that was observed, in three parts, each value with its count."""
        return self._in_order(), Counter(self._waiting).items(), self._counted.items()

    def _in_order(self) -> Iterable[tuple[float, int]]:
        """Return the values in order, each with how often it was observed."""
        ends = self._ends.tolist()
        return zip(self._values.tolist(), map(sub, ends, [0, *ends]), strict=True)

    def _at(self, index: int) -> float:
        """Return the observation at `index` of the sorted list of all of them."""
        self.settle()
        return self._values[bisect_right(self._ends, index)]

    def _check(self) -> None:
        """Assert what must hold between any two calls; for tests."""
        counts = self.counts()
        assert sum(counts.values()) == self.count
        assert all(count > 0 for count in counts.values())
        assert len(self._waiting) <= max(_LEAST_WAITING, len(self._values))
        assert len(self._counted) <= MOST_VALUES
        values = list(self._values)
        assert values == sorted(set(values))
        assert len(values) == len(self._ends)
        assert len(values) <= MOST_VALUES or self.digits not in _DIGITS_AFTER


def _add(counts: dict[float, int], more: Iterable[tuple[float, int]]) -> None:
    """Add `more`, values with their counts, to `counts`."""
    for value, count in more:
        counts[value] = counts.get(value, 0) + count


def _as_floats(counts: Mapping[float, int]) -> dict[float, int]:
    """Return `counts` with equal values where integers have the same double."""
    floats: dict[float, int] = {}
    _add(floats, ((float(value), count) for value, count in counts.items()))
    return floats


def _cut(counts: Mapping[float, int], digits: int) -> dict[float, int]:
    """Return `counts` with the values rounded to so many significant digits."""
    cut: dict[float, int] = {}
    # Most built-in times are whole microseconds with no more digits than that.
    limit = 10**digits
    for value, count in counts.items():
        kept = value
        if not (-limit < value < limit and value == int(value)):
            magnitude = math.floor(math.log10(abs(value)))
            kept = round(value, digits - 1 - magnitude)
        cut[kept] = cut.get(kept, 0) + count
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
