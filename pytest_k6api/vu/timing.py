"""Readings of the clock that a load test runs by, and an event that wakes a task again and again."""

import math
import time
from collections.abc import Callable

import trio


def is_real(clock: trio.abc.Clock) -> bool:
    """Return whether `clock` goes on by itself, a second in each second."""
    second = clock.deadline_to_sleep_time(clock.current_time() + 1.0)
    return math.isclose(second, 1.0, abs_tol=0.1)


def stopwatch() -> Callable[[], float]:
    """Return what tells seconds, for the difference of two readings, in every thread.

    Trio's real clock goes as Python's counter does, but is written in Python.
    """
    clock = trio.lowlevel.current_clock()
    return time.perf_counter if is_real(clock) else clock.current_time


class WakeEvent:
    """Wakes the one task that follows a plan, because something has changed.

    A ring that nobody waits for is kept for the next wait: none is lost between
    a look at the state of things and the wait that follows from it.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Wake the task that waits, or the next that will."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for a ring."""
        await self._event.wait()
        self._event = trio.Event()


class LoopTicks(trio.abc.Instrument):
    """Counts the passes of the Trio loop it is added to.

    An iteration that never waits would starve its load test: no other VU, no
    deadline and no Ctrl-C would get through. A checkpoint after every iteration
    would prevent that, for 2 µs; comparing this count costs nothing, and it has
    nearly always changed.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio's signature
        """Count one pass; Trio calls it in each."""
        self.count += 1
