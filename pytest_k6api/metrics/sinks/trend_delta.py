"""Observations of a trend on their way to it, counted by value and in no order.

A `TrendSink` is asked for percentiles and so keeps order; this is only added to and
merged, which costs a dictionary's look-up for each observation. It holds what one second
brought, so its values need no packing and no limit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


class TrendDelta:
    """Observations that a trend is yet to take, exactly.

    Attributes:
        count: How many observations there are.
        total: Their sum.
    """

    __slots__ = ("_counts", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total: float = 0
        self._counts: Counter[float] = Counter()

    def add_many(self, values: Sequence[float], /) -> None:
        """Add finite observations; there is at least one."""
        count, first = len(values), values[0]
        self.count += count
        if values[-1] == first and values.count(first) == count:
            # No time to connect, for instance, which most requests have.
            self._counts[first] += count
            self.total += first * count
        else:
            self._counts.update(values)
            self.total += sum(values)

    def add_counted(
        self, total: float, single: Sequence[float], repeated: Iterable[tuple[float, int]]
    ) -> None:
        """Add observations that were counted elsewhere.

        Args:
            total: Their sum.
            single: Those that count once each.
            repeated: Others, with their counts.
        """
        counts = self._counts
        counts.update(single)
        self.count += len(single)
        for value, count in repeated:
            counts[value] = counts.get(value, 0) + count
            self.count += count
        self.total += total

    def counts(self) -> Mapping[float, int]:
        """Return how often each value was observed, in no particular order."""
        return self._counts
