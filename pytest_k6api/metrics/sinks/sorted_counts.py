"""Different values in order, each with its count: packed blocks in a sorted dictionary.

A block holds neighbouring values, up to `MOST_IN_BLOCK`, and how often each was observed,
in as few bytes as the greatest count needs. Integers that lie close together are a *table*:
counts alone, by offset from the least value. All others are *pairs*: offsets in as few bytes
as they need, or floats whole, beside their counts. A whole microsecond takes 1 to 5 bytes, a
float 9; a dictionary would take some 130.

A `SortedDict` maps the least value of each block to the block; values below all of them
are in a block of their own, so that few values need no more than that. Adding costs an
assignment into a table or an insertion into a short array; where many values meet one
block, or do not fit it, that block is packed anew. Nothing else is touched. A look-up costs
a bisection over the blocks and a sum over one of them.

One thread writes.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, compress
from typing import Any, Protocol

from sortedcontainers import SortedDict

MOST_IN_BLOCK = 2_048
BLOCK_BYTES = 300
"""What an entry of the dictionary, a block and its arrays take beside the values, about."""

# Which type codes of an array can count how far; the narrowest comes first.
_REACH = {code: 2 ** (8 * array(code).itemsize) - 1 for code in "BHIQ"}
# From this share of a block on, packing it anew is cheaper than inserting value by value.
_FEW = 1 / 4
# A table has so many places at most for each value, which is what a pair takes.
_PLACES = 3


class SortedCounts:
    """A map from numbers to counts, in the order of the numbers.

    Numbers are finite; integers are at most 2**53 in size, so that each has an equal
    float. An integer and a float that are equal are one number.

    Attributes:
        different: How many different values there are.
        size: How many bytes the values take, about.

    >>> counts = SortedCounts()
    >>> counts.add({3: 1, 1: 2, 2.5: 1})
    >>> list(counts.items()), counts.at(1), counts.at(2)
    ([(1.0, 2), (2.5, 1), (3.0, 1)], 1.0, 2.5)
    """

    __slots__ = ("_asked", "_later", "_lowest", "_ranked", "different", "size")

    def __init__(self) -> None:
        self.size = 0
        self.different = 0
        self._lowest: _Block = _Pairs([], [])
        # By the least value that belongs into each; None while there is but the lowest.
        self._later: SortedDict | None = None
        # All blocks in order, and how many observations lie in each and before it; the same
        # for the values of the block that was asked last. None when something came since.
        self._ranked: tuple[list[_Block], list[int]] | None = None
        self._asked: tuple[_Block, array[int]] | None = None

    def items(self) -> Iterator[tuple[float, int]]:
        """Yield the values in ascending order, each with its count."""
        for block in self._blocks():
            yield from zip(*block.unpack(), strict=True)

    def add(self, more: Mapping[float, int]) -> None:
        """Add observations, as values with their counts, in any order."""
        values = sorted(more)
        self.add_ordered(values, list(map(more.__getitem__, values)))

    def add_ordered(self, values: Sequence[float], counts: Sequence[int]) -> None:
        """Add observations, as different values, ascending, and the count of each.

        Takes time in proportion to the values and the blocks that they meet, not to what
        is here already.
        """
        bounds = [] if self._later is None else list(self._later)
        start = 0
        while start < len(values):
            place = bisect_right(bounds, values[start])
            end = len(values)
            if place < len(bounds):
                end = bisect_left(values, bounds[place], start)
            bound = bounds[place - 1] if place else -math.inf
            self._add_to(bound, values[start:end], counts[start:end])
            start = end
        self._changed()

    def at(self, index: int) -> float:
        """Return the observation at `index` of the sorted list of all of them."""
        blocks, ends = self.rank()
        place = bisect_right(ends, index)
        block, asked = blocks[place], self._asked
        if asked is None or asked[0] is not block:
            asked = self._asked = block, array("Q", accumulate(block.counts))
        return block.value(bisect_right(asked[1], index - (ends[place] - block.total)))

    def rank(self) -> "tuple[list[_Block], list[int]]":
        """Count observations block by block; asking after it changes nothing."""
        if self._ranked is None:
            blocks = [*self._blocks()]
            self._ranked = blocks, list(accumulate(block.total for block in blocks))
        return self._ranked

    def take_apart(self) -> Iterator[dict[float, int]]:
        """Remove block after block, in order, and yield what was in it.

        What is added meanwhile, also of that which was taken, stays in order; a part of
        it may come once more.
        """
        bound = -math.inf
        taken, self._lowest = self._lowest, _Pairs([], [])
        while True:
            self._forget(taken)
            self._changed()
            yield dict(zip(*taken.unpack(), strict=True))
            later = self._later
            place = 0 if later is None else later.bisect_right(bound)
            if later is None or place == len(later):
                return
            bound, taken = later.popitem(place)

    def check(self) -> None:
        """Assert what must hold between any two calls; for tests."""
        pairs = list(self.items())
        values = [value for value, _ in pairs]
        assert values == sorted(set(values))
        assert self.different == len(values)
        assert all(count > 0 for _, count in pairs)
        assert self.size == sum(block.size for block in self._blocks())
        bounds = [-math.inf, *(self._later or ()), math.inf]
        for number, block in enumerate(self._blocks()):
            values, counts = block.unpack()
            assert len(values) == block.different <= MOST_IN_BLOCK
            assert sum(counts) == block.total
            assert all(bounds[number] <= value < bounds[number + 1] for value in values)

    def _changed(self) -> None:
        self._ranked = self._asked = None

    def _blocks(self) -> "Iterator[_Block]":
        yield self._lowest
        if self._later is not None:
            yield from self._later.values()

    def _add_to(self, bound: float, values: Sequence[float], counts: Sequence[int]) -> None:
        """Add to the block at `bound`, which the values belong into."""
        block: _Block = self._lowest
        if bound > -math.inf and self._later is not None:
            block = self._later[bound]
        self._forget(block)
        if not block.insert(values, counts):
            self._put(bound, *_joined(block, values, counts))
        elif block.different > MOST_IN_BLOCK:
            self._put(bound, *block.unpack())
        else:
            self._remember(block)

    def _put(self, bound: float, values: Sequence[float], counts: Sequence[int]) -> None:
        """Pack ascending `values` into one block at `bound`, or into that and others behind it."""
        number = max(2, len(values) // (MOST_IN_BLOCK // 2)) if len(values) > MOST_IN_BLOCK else 1
        step = -(-len(values) // number)
        for start in range(0, len(values), step):
            block = _pack(values[start : start + step], counts[start : start + step])
            self._remember(block)
            if start == 0 and bound == -math.inf:
                self._lowest = block
                continue
            if self._later is None:
                self._later = SortedDict()
            self._later[values[start] if start else bound] = block

    def _remember(self, block: "_Block") -> None:
        self.size += block.size
        self.different += block.different

    def _forget(self, block: "_Block") -> None:
        self.size -= block.size
        self.different -= block.different


class _Block(Protocol):
    """Neighbouring values with their counts.

    Attributes:
        total: How many observations there are.
        counts: How often values were observed, in their order.
        different: How many different values.
        size: How many bytes they take, about; none while there are none.
    """

    total: int
    counts: "array[int]"

    @property
    def different(self) -> int: ...

    @property
    def size(self) -> int: ...

    def unpack(self) -> tuple[list[float], list[int]]:
        """Return the values in ascending order, and their counts."""

    def value(self, place: int) -> float:
        """Return the value whose count is at `place`."""

    def insert(self, values: Sequence[float], counts: Sequence[int]) -> bool:
        """Add ascending `values`, all of them, or none if the block had better be packed anew."""


class _Table:
    """Integers that lie close together: a count for each from `base` on."""

    __slots__ = ("base", "counts", "different", "total")

    def __init__(self, values: Sequence[float], counts: Sequence[int]) -> None:
        self.base = int(values[0])
        self.different = len(values)
        self.total = sum(counts)
        places = int(values[-1]) - self.base + 1
        self.counts = array(_narrowest(max(counts)), [0]) * places
        for value, count in zip(values, counts, strict=True):
            self.counts[int(value) - self.base] = count

    @property
    def size(self) -> int:
        return len(self.counts) * self.counts.itemsize + BLOCK_BYTES

    def unpack(self) -> tuple[list[float], list[int]]:
        counts, base = self.counts.tolist(), self.base
        values = compress(range(base, base + len(counts)), counts)
        return list(values), list(filter(None, counts))

    def value(self, place: int) -> float:
        return self.base + place

    def insert(self, values: Sequence[float], counts: Sequence[int]) -> bool:
        base, table = self.base, self.counts
        if not (base <= values[0] and values[-1] < base + len(table) and _are_whole(values)):
            return False
        most, different = _REACH[table.typecode], self.different
        value: Any  # the type checker does not know that they are whole now
        for value, added in zip(values, counts, strict=True):
            place = value - base
            count = table[place] + added
            if count == added:
                different += 1
            if count > most:
                table = self.counts = array(_narrowest(count), table)
                most = _REACH[table.typecode]
            table[place] = count
        self.different = different
        self.total += sum(counts)
        return True


class _Pairs:
    """Any numbers: offsets from `base`, which is 0 for floats, and their counts."""

    __slots__ = ("base", "counts", "offsets", "total")

    def __init__(self, values: Sequence[float], counts: Sequence[int]) -> None:
        self.total = sum(counts)
        self.counts = array(_narrowest(max(counts, default=0)), counts)
        self.base = 0
        self.offsets: array[int] | array[float]
        if values and _are_whole(values):
            self.base = int(values[0])
            code = _narrowest(int(values[-1]) - self.base)
            self.offsets = array(code, [int(value) - self.base for value in values])
        else:
            self.offsets = array("d", values)

    @property
    def different(self) -> int:
        return len(self.offsets)

    @property
    def size(self) -> int:
        width = self.offsets.itemsize + self.counts.itemsize
        return len(self.offsets) * width + BLOCK_BYTES if self.offsets else 0

    def unpack(self) -> tuple[list[float], list[int]]:
        return [self.base + offset for offset in self.offsets], self.counts.tolist()

    def value(self, place: int) -> float:
        return self.base + self.offsets[place]

    def insert(self, values: Sequence[float], counts: Sequence[int]) -> bool:
        if len(values) > len(self.offsets) * _FEW or not self._has_room_for(values):
            return False
        base, offsets, known = self.base, self.offsets, self.counts
        most, place = _REACH[known.typecode], 0
        for value, count in zip(values, counts, strict=True):
            offset = value - base
            place = bisect_left(offsets, offset, place)
            is_known = place < len(offsets) and offsets[place] == offset
            there = count + known[place] if is_known else count
            if there > most:
                known = self.counts = array(_narrowest(there), known)
                most = _REACH[known.typecode]
            if is_known:
                known[place] = there
            else:
                offsets.insert(place, offset)  # type: ignore[arg-type]  # there is room for it
                known.insert(place, there)
        self.total += sum(counts)
        return True

    def _has_room_for(self, values: Sequence[float]) -> bool:
        if self.offsets.typecode == "d":
            return True
        reach = self.base + _REACH[self.offsets.typecode]
        return self.base <= values[0] and values[-1] <= reach and _are_whole(values)


def _pack(values: Sequence[float], counts: Sequence[int]) -> _Block:
    is_dense = values[-1] - values[0] < _PLACES * len(values)
    return (_Table if is_dense and _are_whole(values) else _Pairs)(values, counts)


def _joined(
    block: _Block, values: Sequence[float], counts: Sequence[int]
) -> tuple[list[float], list[int]]:
    """Return all that is in `block` and `values`, ascending, and their counts."""
    joined = dict(zip(*block.unpack(), strict=True))
    for value, count in zip(values, counts, strict=True):
        joined[value] = joined.get(value, 0) + count
    ordered = sorted(joined)
    return ordered, list(map(joined.__getitem__, ordered))


def _are_whole(values: Sequence[float]) -> bool:
    return {int, bool}.issuperset(map(type, values))


def _narrowest(number: int) -> str:
    return next(code for code, most in _REACH.items() if number <= most)
