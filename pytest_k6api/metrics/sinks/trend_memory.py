"""The memory that the trends of one load test share, and the precision lost beyond it.

All trends are exact until together they take more than the limit. Then the one that
takes most keeps five significant digits of each value, then four, which moves no value by
more than 0.06 %; then the next. Small trends stay exact: they would give little back.

Cutting digits goes on while samples come in, a few thousand values at a time, so that it
holds nothing up.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, Protocol
from weakref import WeakSet

DEFAULT_LIMIT: Final = 40_000_000
"""Bytes: four million floats of which no two are equal, or some ten million times."""

# Four digits are the last step: they leave 9,000 values to each power of ten, and
# latencies span four or five of those.
DIGITS_AFTER: Mapping[int | None, int] = {None: 5, 5: 4}
# By how many percent a kept value may differ, for each number of digits. The
# last step starts from values that were rounded once already.
ERROR_PERCENT: Mapping[int, float] = {5: 0.005, 4: 0.06}

# What a trend takes that is worth cutting.
_SMALL = 128 * 1024
# How many blocks of values are cut each time that a trend has grown, which makes fewer.
_BLOCKS_AT_ONCE = 8
# By how much of the limit more must be taken until it is looked again whether there is
# anything to cut, where there was nothing.
_PATIENCE = 1 / 32


class Owner(Protocol):
    """A trend, as the memory sees it.

    Attributes:
        size: How many bytes its values take, about.
        digits: To how many digits it is cut; None while it is exact.
    """

    size: int
    digits: int | None

    def cutting(self, digits: int) -> Iterator[None]:
        """Cut it to so many digits, with each step some of its values."""


class TrendMemory:
    """What the trends of one load test take, and the most that they may.

    Attributes:
        used: Bytes that they take; each trend adds to it.

    Args:
        limit: Bytes that the different values of all of them may take. What waits to be
            put in order comes on top, and what the allocator takes beside, a few per cent.
    """

    __slots__ = ("_cutting", "_joined", "_look_at", "_owners", "limit", "used")

    def __init__(self, limit: float = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self.used = 0
        self._owners: WeakSet[Owner] = WeakSet()
        self._joined = 0
        self._look_at = limit
        self._cutting: Iterator[None] | None = None

    def join(self, owner: Owner) -> int:
        """Take `owner` in until it is garbage; return its number, from 0."""
        self._owners.add(owner)
        self._joined += 1
        return self._joined - 1

    def close(self) -> None:
        """Forget the trends: nothing is added to them any more."""
        self._owners.clear()

    def make_room(self) -> None:
        """Cut some values if there are too many; after a trend has added to `used`."""
        if self._cutting is not None:
            self._go_on_cutting(self._cutting)
        elif self.used > self._look_at:
            self._begin_cutting()

    def _begin_cutting(self) -> None:
        # Trends of questions come and go without a word.
        self.used = sum(owner.size for owner in self._owners)
        large = [
            owner for owner in self._owners if owner.size > _SMALL and owner.digits in DIGITS_AFTER
        ]
        if self.used > self.limit and large:
            largest = max(large, key=lambda owner: owner.size)
            self._look_at = self.limit
            self._go_on_cutting(largest.cutting(DIGITS_AFTER[largest.digits]))
        else:
            self._look_at = max(self.limit, self.used) + self.limit * _PATIENCE

    def _go_on_cutting(self, cutting: Iterator[None]) -> None:
        steps = sum(1 for _ in islice(cutting, _BLOCKS_AT_ONCE))
        self._cutting = cutting if steps == _BLOCKS_AT_ONCE else None


def cut(counts: Mapping[float, int], digits: int) -> dict[float, int]:
    """Return `counts` with the values rounded to so many significant digits."""
    rounded: dict[float, int] = {}
    # Most built-in times are whole microseconds with no more digits than that.
    limit = 10**digits
    for value, count in counts.items():
        kept = value
        if not (-limit < value < limit and value == int(value)):
            magnitude = math.floor(math.log10(abs(value)))
            kept = round(value, digits - 1 - magnitude)
        rounded[kept] = rounded.get(kept, 0) + count
    return rounded
