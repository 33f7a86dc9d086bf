"""Times of the second that is not over yet, as they came or counted already; in order once it is.

What is put in order is the different times, so that a second of a hundred workers, half a
million requests, takes no longer than the thousands of times that it has.
"""

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise, repeat, starmap

from pytest_k6api.metrics.sinks.trend_delta import TrendDelta

_WHOLE = frozenset((int, bool))

Times = Sequence[float] | TrendDelta
"""Times as they came, or counted already."""


class OpenTimes:
    """Times of one second with the same tags, in whole microseconds.

    Attributes:
        count: How many there are.
    """

    __slots__ = ("_counted", "_packed", "count")

    def __init__(self) -> None:
        self.count = 0
        self._packed = array("q")
        self._counted: list[TrendDelta] = []

    def add(self, times: Times) -> int:
        """Add times, of which there is at least one; return how many."""
        if isinstance(times, TrendDelta):
            counts = times.counts()
            if _WHOLE.issuperset(map(type, counts)):
                self._counted.append(times)
                self.count += times.count
                return times.count
            times = list(chain.from_iterable(starmap(repeat, counts.items())))
        count = len(times)
        # A fifth of the room of a list, and quicker than `extend`; times are whole.
        try:
            packed = struct.pack(f"{count}q", *times)
        except struct.error:  # but not in samples of other protocols, perhaps
            packed = struct.pack(f"{count}q", *map(round, times))
        self._packed.frombytes(packed)
        self.count += count
        return count

    def add_all(self, other: "OpenTimes") -> None:
        """Add what `other` has; it stays as it is."""
        self._packed.extend(other._packed)
        self._counted += other._counted
        self.count += other.count

    def in_order(self) -> "OrderedTimes":
        """Return all of them."""
        if len(self._counted) == 1 and not self._packed:
            return OrderedTimes(*self._counted[0].in_order())
        counts: dict[float, int] = Counter(self._packed)
        for delta in self._counted:
            for value, count in delta.counts().items():
                counts[value] = counts.get(value, 0) + count
        values = sorted(counts)
        return OrderedTimes(values, list(map(counts.__getitem__, values)))


class OrderedTimes:
    """Times in order.

    Attributes:
        count: How many there are.

    Args:
        values: The different times, ascending.
        counts: How often each was observed.
    """

    __slots__ = ("_ends", "_values", "count")

    def __init__(self, values: Sequence[float], counts: Sequence[int]) -> None:
        self._values = values
        self._ends = list(accumulate(counts, initial=0))
        self.count = self._ends[-1]

    def percentile(self, rank: float) -> int:
        """Return a percentile as a whole number, 0 if there are none.

        The rule is that of `TrendSink.percentile`.
        """
        if not self.count:
            return 0
        position = rank / 100 * (self.count - 1)
        below = math.floor(position)
        fraction = position - below
        low = self._at(below)
        return round(low + (self._at(below + 1) - low) * fraction if fraction else low)

    def histogram(self, edges: Sequence[float]) -> list[int]:
        """Return how many lie between each two edges, an edge in the upper one.

        Those beyond the edges count in the first and the last bucket.
        """
        inner = [self._ends[bisect_left(self._values, edge)] for edge in edges[1:-1]]
        return [end - start for start, end in pairwise([0, *inner, self.count])]

    def _at(self, index: int) -> float:
        return self._values[bisect_right(self._ends, index) - 1]
