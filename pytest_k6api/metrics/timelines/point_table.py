"""A bounded table of whole numbers by the second.

A row covers `width` seconds: 1, and when there would be more than `MOST_POINTS` rows,
each two are joined, so that it becomes 2, 4, and so on. What joining means is told for
each column: counts add up, a greatest value is the greatest of both.

Packed into one array. Pure: the caller says what time it is.
"""

import operator
from array import array
from collections.abc import Callable, Sequence

MOST_POINTS = 3_600

Join = Callable[[int, int], int]

ADD: Join = operator.add
GREATEST: Join = max


class PointTable:
    """Columns of whole numbers from 0 on, one row for each second or more.

    Attributes:
        width: Seconds that a row covers.

    Args:
        joins: For each column, how two of its numbers become one.
        code: The type of the array: ``I`` for 4 bytes to a number, ``Q`` for 8.
    """

    __slots__ = ("_data", "_joins", "_largest", "width")

    def __init__(self, joins: Sequence[Join], code: str = "I") -> None:
        self.width = 1
        self._joins = joins
        self._data = array(code)
        self._largest = 2 ** (8 * self._data.itemsize) - 1

    def __len__(self) -> int:
        return len(self._data) // len(self._joins)

    def add(self, second: int, numbers: Sequence[int]) -> None:
        """Join `numbers`, one for each column, to the row that covers `second`.

        A number that does not fit is kept as the greatest that does.
        """
        while second // self.width >= MOST_POINTS:
            self._fold()
        stride = len(self._joins)
        start = second // self.width * stride
        missing = start + stride - len(self._data)
        if missing > 0:
            self._data.frombytes(bytes(missing * self._data.itemsize))
        for offset, (join, number) in enumerate(zip(self._joins, numbers, strict=True), start):
            self._data[offset] = min(join(self._data[offset], number), self._largest)

    def columns(self, length: int) -> list[list[int]]:
        """Return the columns, each filled with zeros up to `length`."""
        stride = len(self._joins)
        missing = [0] * (length - len(self))
        return [self._data[index::stride].tolist() + missing for index in range(stride)]

    def copy(self, width: int = 1) -> "PointTable":
        """Return a copy, the rows of which cover at least `width` seconds, a power of two."""
        copied = PointTable(self._joins, self._data.typecode)
        copied.width, copied._data = self.width, self._data[:]
        while copied.width < width:
            copied._fold()
        return copied

    def _fold(self) -> None:
        stride = len(self._joins)
        if len(self) % 2:
            self._data.frombytes(bytes(stride * self._data.itemsize))
        folded = array(self._data.typecode, bytes(len(self._data) // 2 * self._data.itemsize))
        for index, join in enumerate(self._joins):
            column = self._data[index::stride]
            joined = map(join, column[::2], column[1::2])
            folded[index::stride] = array(
                folded.typecode, [min(number, self._largest) for number in joined]
            )
        self._data = folded
        self.width *= 2
