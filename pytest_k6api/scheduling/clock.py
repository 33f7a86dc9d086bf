"""Test-run time: Trio's time since the start, without pauses.

Durations, stages, arrivals and deadlines of a plan are in this time, so no other
code handles pauses: an iteration due 3 s after the start of a pause is due 3 s
after its end, and no arrivals accumulate.

Clocks nest. A scenario's clock runs within the load test's: it starts at 0 with
the scenario, and also stops while only the scenario is paused.
"""

import math
from collections.abc import Callable

import trio

from pytest_k6api.model import ClockReading
from pytest_k6api.scheduling.precise_sleep import HighResolutionTimer
from pytest_k6api.vu import WakeEvent, is_real

# A shorter wait uses no cancel scope and cannot be woken.
_SHORT = 0.0015


class RunClock:
    """Seconds since `start`, without the time it was stopped.

    Stopping or resuming a clock wakes no task: the caller sets the wake events of
    the tasks that wait for it.
    """

    __slots__ = ("_began", "_floor", "_now", "_sleeps_precisely", "_stood_at", "_timer", "_within")

    def __init__(self, within: "RunClock | None" = None) -> None:
        self._within = within
        self._now: Callable[[], float] = trio.current_time
        self._began = 0.0  # in the time of `within`, or Trio's; pauses move it on
        self._stood_at: float | None = 0.0
        self._floor = 0.0
        self._sleeps_precisely = False
        self._timer: HighResolutionTimer | None = None

    def start(self) -> None:
        """Start counting, from 0."""
        # Synchronous virtual users read the clock in their threads, where
        # `trio.current_time` does not work.
        clock = trio.lowlevel.current_clock()
        self._now = clock.current_time
        self._sleeps_precisely = HighResolutionTimer.is_available and is_real(clock)
        self._began, self._floor, self._stood_at = self._outside(), 0.0, None

    def stop(self) -> None:
        """Stop, until `resume` at least."""
        if self._stood_at is None:
            self._stood_at = self.elapsed

    def resume(self) -> None:
        """Continue from the time at which it was stopped."""
        if self._stood_at is not None:
            self._began = self._outside() - self._stood_at
            self._stood_at = None

    def synchronise(self, elapsed: float, moment: float) -> None:
        """Count on as if `elapsed` were reached at `moment` of the time around it, or Trio's.

        Until then it stands at `elapsed`. A clock that is stopped takes it as it is.
        """
        self._floor = elapsed
        if self._stood_at is None:
            self._began = moment - elapsed
        else:
            self._stood_at = elapsed

    @property
    def reading(self) -> ClockReading:
        """What another clock has to be set to in order to read the same."""
        if self._stood_at is not None:
            return ClockReading(self._stood_at, 0.0, is_stopped=True)
        return ClockReading(0.0, self._began, is_stopped=False)

    def set(self, reading: ClockReading) -> None:
        """Read from now on what the clock of `reading` reads; it has been started."""
        if reading.is_stopped:
            self.stop()
        self.synchronise(reading.elapsed, reading.moment)

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped itself."""
        return self._stood_at is not None

    @property
    def is_standing(self) -> bool:
        """Whether it stands still: stopped itself, or with the clock around it."""
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

    async def wait_until(self, elapsed: float, wake: WakeEvent) -> None:
        """Wait until `elapsed` is reached or `wake` is set, whichever comes first.

        After the former, `self.elapsed` is at least `elapsed` in spite of rounding,
        so a task that checks the clock again does not wait twice. An event that is
        set during a wait of about a millisecond takes effect after it.
        """
        moment = self.trio_time(elapsed)
        if self._sleeps_precisely and moment - self._now() < _SHORT:
            await self._sleep_precisely_until(moment)
            is_reached = True
        else:
            with trio.move_on_at(moment) as scope:
                await wake.wait()
            is_reached = scope.cancelled_caught
        if is_reached and not self.is_standing:
            self._floor = max(self._floor, elapsed)

    def close(self) -> None:
        """Close the timer of short waits; the clock must not be waited for afterwards."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()

    async def _sleep_precisely_until(self, moment: float) -> None:
        if self._timer is None:
            self._timer = HighResolutionTimer()
        await self._timer.sleep(moment - self._now())

    def _outside(self) -> float:
        return self._within.elapsed if self._within is not None else self._now()
