"""A bounded table of whole numbers by the second.

A row covers `width` seconds: 1, and when there would be more than `most_points` rows,
each two are joined, so that it becomes 2, 4, and so on. What joining means is told for
each column: counts add up, a greatest value is the greatest of both.

Each column takes as few bytes for a number as its greatest one needs. The caller
says what time it is.
"""

import operator
from array import array
from collections.abc import Callable, Sequence

MOST_POINTS = 3_600

Join = Callable[[int, int], int]

ADD: Join = operator.add
GREATEST: Join = max

_EMPTY = array("B")
_CODES = {code: 2 ** (8 * array(code).itemsize) for code in "BHIQ"}


class PointTable:
    """Columns of whole numbers from 0 on, one row for each second or more.

    Attributes:
        width: Seconds that a row covers.

    Args:
        joins: For each column, how two of its numbers become one.
        most_points: The greatest number of rows.
    """

    __slots__ = ("_columns", "_first", "_joins", "_most_points", "width")

    def __init__(self, joins: Sequence[Join], most_points: int = MOST_POINTS) -> None:
        self.width = 1
        self._most_points = most_points
        self._first = 0  # row of a copy that leaves out those before
        self._joins = joins
        # Most load tests fill few columns; the others share one that stays empty.
        self._columns = [_EMPTY] * len(joins)

    def add(self, second: int, numbers: Sequence[int]) -> None:
        """Join `numbers`, one for each column, to the row that covers `second`."""
        while second // self.width >= self._most_points:
            self._fold()
        place = second // self.width
        for index, number in enumerate(numbers):
            if not number:
                continue  # it changes neither a sum nor a maximum
            column = self._columns[index]
            if column is _EMPTY:
                column = self._columns[index] = array("B")
            missing = place + 1 - len(column)
            if missing > 0:
                column.frombytes(bytes(missing * column.itemsize))
            joined = self._joins[index](column[place], number)
            if joined >= _CODES[column.typecode]:
                column = self._columns[index] = array(_narrowest(joined), column)
            column[place] = joined

    def columns(self, length: int, first: int = 0) -> list[list[int]]:
        """Return the columns from row `first` on, each filled with zeros up to `length`."""
        start, end = first - self._first, length - self._first
        return [
            column[start:].tolist() + [0] * (end - max(start, len(column)))
            for column in self._columns
        ]

    def copy(self, width: int = 1, since: int = 0) -> "PointTable":
        """Return a copy, to be read.

        Args:
            width: Seconds that its rows cover at the least, a power of two.
            since: A second: rows that end before it may be left out.
        """
        copied = PointTable(self._joins, self._most_points)
        copied.width = self.width
        copied._first = first = since // self.width if self.width >= width else 0
        copied._columns = [column[first:] if column else _EMPTY for column in self._columns]
        while copied.width < width:
            copied._fold()
        return copied

    def _fold(self) -> None:
        self._columns = [
            _folded(column, join) if column else _EMPTY
            for column, join in zip(self._columns, self._joins, strict=True)
        ]
        self.width *= 2


def _folded(column: "array[int]", join: Join) -> "array[int]":
    odd = column[1::2]
    if len(column) % 2:
        odd.append(0)
    joined = list(map(join, column[::2], odd))
    return array(_narrowest(max(joined, default=0)), joined)


def _narrowest(number: int) -> str:
    return next(code for code, end in _CODES.items() if number < end)
