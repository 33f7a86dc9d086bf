"""Test-run time: Trio's time since the start, standing still while paused.

Everything that a plan says (durations, stages, arrivals, deadlines) is in this
time, so a pause needs no care anywhere else: what was due in 3 s before it is
due in 3 s after it, and nothing has piled up.

Clocks nest. A scenario's clock runs within the load test's: it begins at 0 when
the scenario does, and it also stands still when only the scenario is paused.
"""

import math
from collections.abc import Callable

import trio


class Bell:
    """Wakes the one task that follows a plan, because something has changed.

    A ring that nobody waits for is kept for the next wait: none is lost between
    a look at the state of things and the wait that follows from it.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake the task that waits, or the next that will."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for a ring."""
        await self._event.wait()
        self._event = trio.Event()


class RunClock:
    """Seconds since `start`, less the time it was paused.

    Whoever pauses a clock rings the bells of the tasks that wait by it.
    """

    __slots__ = ("_began", "_floor", "_now", "_stood_at", "_within")

    def __init__(self, within: "RunClock | None" = None) -> None:
        self._within = within
        self._now: Callable[[], float] = trio.current_time
        self._began = 0.0  # in the time of `within`, or Trio's; pauses move it on
        self._stood_at: float | None = 0.0
        self._floor = 0.0

    def start(self) -> None:
        """Begin to count, from 0."""
        # Synchronous virtual users look at the clock from their threads, where
        # `trio.current_time` is not to be had.
        self._now = trio.lowlevel.current_clock().current_time
        self._began, self._floor, self._stood_at = self._outside(), 0.0, None

    def stop(self) -> None:
        """Stand still, until `resume` at least."""
        if self._stood_at is None:
            self._stood_at = self.elapsed

    def resume(self) -> None:
        """Go on from where it stood."""
        if self._stood_at is not None:
            self._began = self._outside() - self._stood_at
            self._stood_at = None

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still by itself."""
        return self._stood_at is not None

    @property
    def is_standing(self) -> bool:
        """Whether it stands still, itself or with the clock around it."""
        return self._stood_at is not None or (self._within is not None and self._within.is_standing)

    @property
    def elapsed(self) -> float:
        """Seconds counted so far."""
        if self._stood_at is not None:
            return self._stood_at
        return max(self._floor, self._outside() - self._began)

    def trio_time(self, elapsed: float) -> float:
        """Return the Trio time at which `elapsed` is reached; infinity while standing."""
        if self._stood_at is not None:
            return math.inf
        outside = elapsed + self._began
        return self._within.trio_time(outside) if self._within is not None else outside

    async def wait_until(self, elapsed: float, bell: Bell) -> None:
        """Wait until `elapsed` is reached, or until `bell` rings, whichever is first.

        After the former, `self.elapsed` is at least `elapsed`, whatever rounding
        does: a task that looks whether its time has come never waits in vain.
        """
        with trio.move_on_at(self.trio_time(elapsed)) as scope:
            await bell.wait()
        if scope.cancelled_caught and not self.is_standing:
            self._floor = max(self._floor, elapsed)

    def _outside(self) -> float:
        return self._within.elapsed if self._within is not None else self._now()
