"""Timing of a load test: a stopwatch, an event that wakes a task repeatedly, loop ticks."""

import math
import time
from collections.abc import Callable

import trio


def is_real(clock: trio.abc.Clock) -> bool:
    """Return whether `clock` runs in real time."""
    second = clock.deadline_to_sleep_time(clock.current_time() + 1.0)
    return math.isclose(second, 1.0, abs_tol=0.1)


def stopwatch() -> Callable[[], float]:
    """Return a function that reads seconds, for differences only, in every thread.

    Trio's real clock equals Python's counter, but is slower: it is written in Python.
    """
    clock = trio.lowlevel.current_clock()
    return time.perf_counter if is_real(clock) else clock.current_time


class WakeEvent:
    """An event that wakes one task repeatedly, because some state has changed.

    If it is set while no task waits, the next wait returns at once: a change between
    reading the state and waiting is not lost.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Wake the task that waits, or the next that will."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until it is set, and clear it."""
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
