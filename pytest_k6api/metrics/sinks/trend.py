"""Exact percentiles over every observation of one time series.

A trend counts equal observations and keeps the different values in order, packed
(`sorted_counts`), so a percentile is a look-up and never an estimate, and memory grows
with the number of different values, not of observations (``benchmarks/bench_memory.py``
has the figures). Built-in times are whole microseconds: that is the resolution of every
answer.

Beyond the memory that the trends of a load test may take together, millions of different
values, the largest keep fewer digits (`trend_memory`). `TrendSink.digits` has their
number; count, sum, min and max stay exact.

Observations arrive in batches and wait, packed or counted; they are put among the values
in order when a percentile is asked for, which most series never are, or when there are
some thousand of them (``benchmarks/bench_ingest.py`` has the figures).

One thread writes. Once `settle` was called and nothing is added any more, any
thread may read.
"""

import math
import struct
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from pytest_k6api.metrics.aggregation import Aggregation
from pytest_k6api.metrics.sinks.sorted_counts import SortedCounts
from pytest_k6api.metrics.sinks.trend_delta import TrendDelta
from pytest_k6api.metrics.sinks.trend_memory import TrendMemory, cut

# So many may wait, 8 bytes each: up to a half fewer in some trends, so that the series of a
# request are not all put in order in the same turn of the loop.
MOST_WAITING = 7_000
_STAGGER, _STEPS = 110, 32
# Counting at once is quicker where values come again and again, but what was counted takes
# some twelve times the room.
_FEW_VALUES = 500
_ROOM_OF_COUNTED = 12
# Beyond this an integer may have no double that is equal to it.
_INEXACT = 2**53


class TrendSink:
    """Observations of one time series, counted by value.

    Attributes:
        count: How many observations there are.
        total: Their sum.
        samples_per_unit: How many of the observations' units make a reported one.
        digits: The significant digits that are kept; None while everything is exact.
        size: How many bytes the values in order take, about.

    Args:
        samples_per_unit: How many of the observations' units make a reported one.
        memory: What it shares with other trends; None for one of its own.
        most_waiting: Observations that may wait to be put in order, 8 bytes each; the more,
            the less each takes. All have to be by the next question.

    >>> trend = TrendSink()
    >>> trend.add_many([1, 2, 3, 4])
    >>> trend.percentile(50), trend.percentile(95)
    (2.5, 3.8499999999999996)
    """

    __slots__ = (
        "__weakref__",
        "_counted",
        "_max",
        "_memory",
        "_min",
        "_most_waiting",
        "_sorted",
        "_waiting",
        "count",
        "digits",
        "samples_per_unit",
        "size",
        "total",
    )

    def __init__(
        self,
        samples_per_unit: int = 1,
        memory: TrendMemory | None = None,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.count = 0
        self.total: float = 0
        self.samples_per_unit = samples_per_unit
        self.digits: int | None = None
        self.size = 0
        self._sorted = SortedCounts()
        # What came since values were put in order last, whole even where digits are cut: as
        # it came, or counted already.
        self._waiting: array[int] | array[float] = array("q")
        self._counted: Counter[float] = Counter()
        # Of the values in order, before any digits were cut.
        self._min: float = math.inf
        self._max: float = -math.inf
        self._memory = TrendMemory() if memory is None else memory
        self._most_waiting = most_waiting - _STAGGER * (self._memory.join(self) % _STEPS)

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
    ) -> "TrendSink":
        """Return the trend that once told these facts about itself; it answers as that did."""
        trend = cls(samples_per_unit, TrendMemory(math.inf))
        trend._put_in_order(counts)
        trend.count, trend.total, trend.digits = sum(counts.values()), total, digits
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
        """Add finite observations; see `is_countable` for values from users."""
        count, first = len(values), values[0]
        self.count += count
        if count > 1 and values[-1] == first and values.count(first) == count:
            # No time to connect, for instance, which most requests have.
            self._counted[first] += count
            self.total += first * count
        else:
            if self._sorted.different < _FEW_VALUES:
                self._counted.update(values)
            else:
                self._keep(values, count)
            self.total += sum(values)
        if len(self._waiting) + _ROOM_OF_COUNTED * len(self._counted) > self._most_waiting:
            self.settle()

    def merge(self, other: "TrendSink | TrendDelta") -> None:
        """Add everything that `other` has counted; `other` stays as it is."""
        self.count += other.count
        self.total += other.total
        if isinstance(other, TrendDelta) and self._is_much(other.counts()):
            self._add_ordered(*other.in_order())
            return
        if isinstance(other, TrendDelta) or other.digits is None:
            # Many small ones are merged in a row: they are put in order together.
            self._counted.update(other.counts())
            if self._is_much(self._counted):
                self.settle()
            return
        self.settle()
        lowest, highest = min(self._min, other.lowest), max(self._max, other.highest)
        if self.digits is None or self.digits > other.digits:
            for _ in self.cutting(other.digits):
                pass
        self._put_in_order(other.counts())
        self._min, self._max = lowest, highest

    def counts(self) -> dict[float, int]:
        """Return how often each value was observed, in no particular order."""
        counts: dict[float, int] = {}
        waiting = Counter(self._waiting).items(), self._counted.items()
        for value, count in chain(self._sorted.items(), *waiting):
            counts[value] = counts.get(value, 0) + count
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
            counted, self._counted = self._counted, Counter()
            self._waiting = array(self._waiting.typecode)
            self._put_in_order(counted)
        self._sorted.rank()

    def cutting(self, digits: int) -> Iterator[None]:
        """Keep so many digits from now on; cut with each step some of the values there are."""
        self.digits = digits
        for counts in self._sorted.take_apart():
            self._sorted.add(cut(counts, digits))
            self._tell_size()
            yield

    def _keep(self, values: Sequence[float], count: int) -> None:
        try:
            self._waiting.frombytes(struct.pack(f"{count}{self._waiting.typecode}", *values))
        except struct.error:  # some are floats, or too large for 64 bits
            self._waiting = array("d", self._waiting)
            self._waiting.frombytes(struct.pack(f"{count}d", *values))

    def _is_much(self, counts: Mapping[float, int]) -> bool:
        """Whether it would take too much room to let `counts` wait."""
        return _ROOM_OF_COUNTED * len(counts) > self._most_waiting

    def _put_in_order(self, more: Mapping[float, int]) -> None:
        if more:
            values = sorted(more)
            self._add_ordered(values, list(map(more.__getitem__, values)))

    def _add_ordered(self, values: Sequence[float], counts: Sequence[int]) -> None:
        """Add different values, ascending, at least one, and the count of each."""
        lowest, highest = values[0], values[-1]
        self._min, self._max = min(self._min, lowest), max(self._max, highest)
        is_inexact = max(-lowest, highest) > _INEXACT
        if is_inexact or self.digits is not None:
            more: Mapping[float, int] = dict(zip(values, counts, strict=True))
            if is_inexact:
                more = _as_floats(more)
            if self.digits is not None:
                more = cut(more, self.digits)
            self._sorted.add(more)
        else:
            self._sorted.add_ordered(values, counts)
        self._tell_size()
        self._memory.make_room()

    def _tell_size(self) -> None:
        self._memory.used += self._sorted.size - self.size
        self.size = self._sorted.size

    def _at(self, index: int) -> float:
        """Return the observation at `index` of the sorted list of all of them."""
        self.settle()
        # The extremes stay whole where digits are cut.
        if index in (0, self.count - 1):
            return self._max if index else self._min
        return self._sorted.at(index)

    def _check(self) -> None:
        """Assert what must hold between any two calls; for tests."""
        counts = self.counts()
        assert sum(counts.values()) == self.count
        assert len(self._waiting) <= MOST_WAITING
        assert len(self._counted) <= MOST_WAITING
        self._sorted.check()


def _as_floats(counts: Mapping[float, int]) -> dict[float, int]:
    """Return `counts` with equal values where integers have the same double."""
    floats: dict[float, int] = {}
    for value, count in counts.items():
        floats[float(value)] = floats.get(float(value), 0) + count
    return floats


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
