"""Observations of a trend on their way to it, counted by value.

A `TrendSink` is asked for percentiles and so keeps order; this is only added to and
merged, which costs a dictionary's look-up for each observation. It holds what one second
brought, so its values need no limit.

What was counted elsewhere, by many workers, waits packed, and is counted when the sum is
asked for: all in one go, in one dictionary, which takes half the time of a dictionary that
leaves the processor's cache between any two workers (``benchmarks/bench_workers.py``). Several
sinks take the same sum in, so it is put in order once.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any


class TrendDelta:
    """Observations that a trend is yet to take, exactly.

    Attributes:
        count: How many observations there are.
        total: Their sum.
    """

    __slots__ = ("_counts", "_ordered", "_single", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total: float = 0
        self._counts: Counter[float] = Counter()
        # Values that are yet to be counted once each, by their type code.
        self._single: dict[str, array[Any]] = {}
        self._ordered: tuple[list[float], list[int]] | None = None

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
        self, total: float, single: "array[Any]", repeated: Iterable[tuple[float, int]]
    ) -> None:
        """Add observations that were counted elsewhere.

        Args:
            total: Their sum.
            single: Those that count once each.
            repeated: Others, with their counts.
        """
        counts = self._counts
        known = self._single.get(single.typecode)
        if known is None:
            self._single[single.typecode] = single
        else:
            known.extend(single)
        self.count += len(single)
        for value, count in repeated:
            counts[value] = counts.get(value, 0) + count
            self.count += count
        self.total += total

    def counts(self) -> Mapping[float, int]:
        """Return how often each value was observed, in no particular order."""
        if self._single:
            self._counts.update(chain.from_iterable(self._single.values()))
            self._single = {}
        return self._counts

    def in_order(self) -> tuple[Sequence[float], Sequence[int]]:
        """Return the different values, ascending, and how often each was observed.

        Nothing is added after the first question.
        """
        if self._ordered is None:
            counts = self.counts()
            values = sorted(counts)
            self._ordered = values, list(map(counts.__getitem__, values))
        return self._ordered
