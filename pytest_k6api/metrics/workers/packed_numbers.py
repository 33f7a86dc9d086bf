"""Numbers as bytes: a type code, and as few bytes for each as the greatest one needs."""

import math
import sys
from array import array
from collections.abc import Collection
from typing import Any

import msgspec


class PackedNumbers(msgspec.Struct, array_like=True):
    """Numbers of one type in bytes.

    Attributes:
        code: ``B``, ``H``, ``I`` or ``Q`` for whole numbers from 0 on, of 1 to 8 bytes; ``q`` if
            some are negative; ``d`` if some are floats.
        data: The numbers, little-endian.
    """

    code: str
    data: bytes

    @classmethod
    def of(cls, numbers: Collection[float]) -> "PackedNumbers":
        """Return finite `numbers` packed; integers beyond 64 bits become floats."""
        packed = _as_array(numbers)
        if sys.byteorder == "big":
            packed.byteswap()
        return cls(packed.typecode, packed.tobytes())

    def unpack(self) -> "array[Any]":
        """Return the numbers.

        Raises:
            ValueError: They are damaged, or some are not finite.
        """
        if self.code not in _WHOLE and self.code != "d":
            raise ValueError(f"no numbers are packed as {self.code!r}")
        numbers = array(self.code)
        numbers.frombytes(self.data)
        if sys.byteorder == "big":
            numbers.byteswap()
        if self.code == "d" and not all(map(math.isfinite, numbers)):
            raise ValueError("numbers that are not finite")
        return numbers


_NATURAL = {code: 2 ** (8 * array(code).itemsize) for code in "BHIQ"}
_WHOLE = frozenset((*_NATURAL, "q"))


def _as_array(numbers: Collection[float]) -> "array[Any]":
    least, greatest = min(numbers, default=0), max(numbers, default=0)
    code = "q" if least < 0 else next((c for c, end in _NATURAL.items() if greatest < end), "d")
    try:
        return array(code, numbers)  # floats are told by the error
    except (TypeError, OverflowError):
        return array("d", numbers)
