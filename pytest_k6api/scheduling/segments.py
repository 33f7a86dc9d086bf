"""Execution segments: the part of a load test that an independent instance runs.

Of every L VUs or iterations a segment owns fixed positions, so that instances
that do not communicate add up to exactly the whole. ``0:1/2`` of ``0,1/2,3/4,1`` owns the positions 0 and 2 of
every 4.

Pure: fractions and integers. Assigning L positions happens once per sequence;
every later call costs a bisection at most.

Source: k6 v1.1.0, ``lib/execution_segment.go``.
"""

import math
import re
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from pytest_k6api.model import OptionError

# Python reads no integer of more than 4,300 digits, and nobody needs so many.
_PERCENT = re.compile(r"(\d{1,100})%")
_NUMBER = re.compile(r"\d{1,100}/0{0,100}[1-9]\d{0,100}|\d{1,100}(?:\.\d{0,100})?|\.\d{1,100}")

# Positions are assigned one by one; more than this would delay the start.
_MAX_POSITIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class ExecutionSegment:
    """One segment of a sequence that covers the whole load test.

    Attributes:
        bounds: Ends of segments, from 0 to 1, ascending.
        index: Index of this segment among those between the bounds.

    >>> half = ExecutionSegment((Fraction(0), Fraction(1, 2), Fraction(1)), 0)
    >>> [half.scale(vus) for vus in range(5)], [half.position(n) for n in range(3)]
    ([0, 1, 1, 2, 2], [0, 2, 4])
    """

    bounds: tuple[Fraction, ...] = (Fraction(0), Fraction(1))
    index: int = 0

    def __post_init__(self) -> None:
        if (
            self.bounds[0] != 0
            or self.bounds[-1] != 1
            or list(self.bounds) != sorted(set(self.bounds))
        ):
            raise OptionError(
                f"an execution segment sequence ascends from 0 to 1, got {_spell(self.bounds)!r}"
            )
        if not 0 <= self.index < len(self.bounds) - 1:
            raise OptionError(f"there is no segment {self.index} in {_spell(self.bounds)!r}")

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole load test."""
        return len(self.bounds) == 2

    @property
    def fraction(self) -> float:
        """Its share of the whole."""
        return float(self.bounds[self.index + 1] - self.bounds[self.index])

    def scale(self, value: int) -> int:
        """Return how many of the first `value` VUs or iterations belong to this segment."""
        if self.is_whole:
            return value
        period, owned = _deal(self.bounds)[self.index]
        rounds, rest = divmod(value, period)
        return rounds * len(owned) + bisect_left(owned, rest)

    def position(self, number: int) -> int:
        """Return the position in the whole of this segment's element `number`, both from 0."""
        if self.is_whole:
            return number
        period, owned = _deal(self.bounds)[self.index]
        rounds, rest = divmod(number, len(owned))
        return rounds * period + owned[rest]

    def recut(self, value: int) -> "ExecutionSegment | None":
        """Return this segment of a sequence in proportion to the shares of `value`.

        Iterations are shared out as the VUs that run them: if one of three instances
        has no VU, the others run all iterations.

        Returns:
            None if this segment has no share of `value`.
        """
        shares = [
            ExecutionSegment(self.bounds, index).scale(value)
            for index in range(len(self.bounds) - 1)
        ]
        if not shares[self.index]:
            return None
        bounds = [Fraction(0)]
        for share in filter(None, shares):
            bounds.append(bounds[-1] + Fraction(share, value))
        empty_before = shares[: self.index].count(0)
        return ExecutionSegment(tuple(bounds), self.index - empty_before)

    def __str__(self) -> str:
        return f"{self.bounds[self.index]}:{self.bounds[self.index + 1]}"


WHOLE = ExecutionSegment()
"""The segment that is the whole load test."""


def equal_segment(index: int, count: int) -> ExecutionSegment:
    """Return the segment `index`, from 0, of `count` of the same length.

    >>> [equal_segment(index, 2).position(3) for index in range(2)]
    [6, 7]
    """
    return ExecutionSegment(tuple(Fraction(part, count) for part in range(count + 1)), index)


def read_segment(segment: str, sequence: str = "") -> ExecutionSegment:
    """Read k6's texts of a segment and of the sequence it belongs to.

    Args:
        segment: ``A:B``, or ``B`` for ``0:B``; fractions, decimals or whole percents.
        sequence: ``0,1/4,1``; left out, the sequence is the segment and the parts
            before and after it.

    Returns:
        The segment; `WHOLE` if both texts are empty.

    Raises:
        OptionError: A text cannot be read, or the sequence lacks the segment.
    """
    if not segment.strip():
        if sequence.strip():
            raise OptionError(
                f"the execution segment sequence {sequence!r} says nothing without a segment;"
                " write the part to be run too, such as '0:1/4'"
            )
        return WHOLE
    start_text, colon, end_text = segment.strip().rpartition(":")
    start = _read_part(start_text, segment) if colon else Fraction(0)
    end = _read_part(end_text, segment)
    if not start < end <= 1:
        raise OptionError(
            f"an execution segment A:B has 0 <= A < B <= 1, got {segment!r}; write '0:1/4'"
        )
    points = {Fraction(0), Fraction(1), start, end}
    if sequence.strip():
        written = [_read_part(part, sequence) for part in sequence.split(",")]
        if (start, end) not in pairwise(written):
            raise OptionError(
                f"the execution segment sequence {sequence!r} does not contain the segment"
                f" {segment!r}"
            )
        bounds = [*([Fraction(0)] if written[0] else []), *written]
        bounds += [Fraction(1)] if written[-1] != 1 else []
    else:
        bounds = sorted(points)
    return ExecutionSegment(tuple(bounds), bounds.index(start))


def _read_part(text: str, whole: str) -> Fraction:
    text = text.strip()
    if percent := _PERCENT.fullmatch(text):
        return Fraction(int(percent[1]), 100)
    if not _NUMBER.fullmatch(text):
        raise OptionError(
            f"cannot read {text!r} in the execution segment {whole!r}; write a fraction such as"
            " '1/4', a decimal such as '0.25' or a whole percentage such as '25%'"
        )
    return Fraction(text)


def _spell(bounds: tuple[Fraction, ...]) -> str:
    return ",".join(str(bound) for bound in bounds)


@lru_cache(maxsize=32)
def _deal(bounds: tuple[Fraction, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return for each segment the period of the sequence and the positions that it owns.

    The longest segment comes first; each takes a position as soon as it has less
    than its share of those before it.
    """
    lengths = [end - start for start, end in pairwise(bounds)]
    period = math.lcm(*(length.denominator for length in lengths))
    if period > _MAX_POSITIONS:
        raise OptionError(
            f"the execution segment sequence {_spell(bounds)!r} repeats only after {period}"
            f" elements, {_MAX_POSITIONS} are the most; write simpler fractions"
        )
    shares = [int(length * period) for length in lengths]
    order = sorted(range(len(lengths)), key=lambda index: -shares[index])
    owned: list[list[int]] = [[] for _ in lengths]
    for position in range(period):
        # Some segment always lacks its share: together they have all positions.
        taker = next(
            index for index in order if len(owned[index]) * period <= position * shares[index]
        )
        owned[taker].append(position)
    return tuple((period, tuple(positions)) for positions in owned)
