"""Due times of the arrival-rate executors, as closed forms. Pure.

Iterations are numbered from 0 and due at seconds from their scenario's start.
A due time is computed from its number alone, so neither rounding errors nor the
lateness of a busy machine accumulate.

Source: k6 v1.1.0, ``lib/executor/constant_arrival_rate.go`` and
``ramping_arrival_rate.go``.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pytest_k6api.scheduling.segments import ExecutionSegment

# Rounding error of a whole number of iterations.
_ROUNDING = 1e-9


class Arrivals(Protocol):
    """Due times of iterations: numbers from 0, seconds from the scenario's start."""

    @property
    def total(self) -> float:
        """Number of iterations that fall due; infinity if there is no end."""

    def due_at(self, number: int) -> float:
        """Return the due time of iteration `number`."""

    def started_by(self, elapsed: float) -> float:
        """Return the number of iterations due by `elapsed`, as a real number."""

    def rate_at(self, elapsed: float) -> float:
        """Return the target rate at `elapsed`, in iterations per second."""


@dataclass(frozen=True, slots=True)
class ConstantArrivals:
    """Iterations at a constant rate; the first at once, none at the very end.

    Attributes:
        rate: Iterations per second; 0 means none.
        end: Seconds from the scenario's start when no more fall due.
        start: Due time of the first.
    """

    rate: float
    end: float = math.inf
    start: float = 0.0

    @property
    def total(self) -> float:
        """Number of iterations that fall due before `end`."""
        if not self.rate or self.end <= self.start:
            return 0
        if self.end == math.inf:
            return math.inf
        return math.ceil((self.end - self.start) * self.rate - _ROUNDING)

    def due_at(self, number: int) -> float:
        """Return the due time of iteration `number`."""
        return self.start + number / self.rate

    def started_by(self, elapsed: float) -> float:
        """Return the number of iterations due by `elapsed`, the first at 0."""
        return max(0.0, elapsed - self.start) * self.rate

    def rate_at(self, elapsed: float) -> float:
        """Return the target rate at `elapsed`, in iterations per second."""
        return self.rate if elapsed < self.end else 0.0


@dataclass(frozen=True, slots=True)
class _RateStage:
    start: float
    duration: float
    rate: float
    change: float
    area: float
    area_before: float

    @property
    def slope(self) -> float:
        return self.change / self.duration

    def area_by(self, elapsed: float) -> float:
        x = min(max(elapsed - self.start, 0.0), self.duration)
        return self.area_before + x * (self.rate + self.slope * x / 2)

    def reaches(self, area: float) -> float:
        y = area - self.area_before
        root = math.sqrt(max(0.0, self.rate * self.rate + 2 * self.slope * y))
        # Solving for x as (root - rate) / slope would divide by zero on a flat
        # stage and cancel badly on a nearly flat one; this form does neither.
        return self.start + min(self.duration, 2 * y / (self.rate + root))


class RampingArrivals:
    """Iterations at a rate that ramps: one is due whenever the area under it is whole.

    The first of a constant 10/s is therefore due at 0.1 s, and one that falls on
    the very end is still due: there are as many iterations as the area has units.
    """

    __slots__ = ("_areas", "_stages", "_whole")

    def __init__(self, start_rate: float, stages: Iterable[tuple[float, float]]) -> None:
        """Ramp from `start_rate` through pairs of duration and target rate, all per second."""
        self._stages: list[_RateStage] = []
        rate, at, area = start_rate, 0.0, 0.0
        for duration, target in stages:
            if duration:
                added = duration * (rate + target) / 2
                self._stages.append(_RateStage(at, duration, rate, target - rate, added, area))
                at, area = at + duration, area + added
            rate = target
        self._areas = [stage.area_before for stage in self._stages]
        self._whole = math.floor(area * (1 + 1e-12) + _ROUNDING)

    @property
    def total(self) -> float:
        """Number of iterations that fall due."""
        return self._whole

    def due_at(self, number: int) -> float:
        """Return the due time of iteration `number`."""
        area = number + 1.0
        index = bisect_right(self._areas, area - _ROUNDING) - 1
        # Skip stages without load: the area is reached in the stage where it last grew.
        while self._stages[index].area <= 0:
            index -= 1
        return self._stages[index].reaches(area)

    def started_by(self, elapsed: float) -> float:
        """Return the number of iterations due by `elapsed`."""
        stage = self._stage_at(elapsed)
        return stage.area_by(elapsed) if stage else 0.0

    def rate_at(self, elapsed: float) -> float:
        """Return the target rate at `elapsed`, in iterations per second."""
        stage = self._stage_at(elapsed)
        if stage is None or elapsed > stage.start + stage.duration:
            return 0.0
        return stage.rate + stage.slope * (elapsed - stage.start)

    def _stage_at(self, elapsed: float) -> _RateStage | None:
        index = bisect_right(self._stages, elapsed, key=lambda stage: stage.start) - 1
        return self._stages[index] if index >= 0 else None


class ArrivalCursor:
    """Cursor over the due times of one instance's share of the arrivals.

    Attributes:
        due: Due time of the next one; infinity after the last.
    """

    __slots__ = ("_arrivals", "_number", "_share", "_total", "due")

    def __init__(self, arrivals: Arrivals, share: ExecutionSegment, after: float = -1.0) -> None:
        """Start at the first that is due later than `after`."""
        self._arrivals = arrivals
        self._share = share
        self._total = arrivals.total
        self._number = -1
        if after >= 0 and self._total:
            # One lower than the last that was due, in case of rounding.
            self._number += share.scale(max(0, math.floor(arrivals.started_by(after)) - 1))
        self.due = -math.inf
        while self.due <= after:
            self.advance()

    def advance(self) -> None:
        """Move to the next one."""
        self._number += 1
        position = self._share.position(self._number)
        self.due = self._arrivals.due_at(position) if position < self._total else math.inf

    def take_rest(self) -> int:
        """Move to the end; return the number skipped, of arrivals that have an end."""
        left = max(0, self._share.scale(int(self._total)) - self._number)
        self._number += left
        self.due = math.inf
        return left
