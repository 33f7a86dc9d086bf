"""The load generator itself: its pump, garbage collection while it runs, and whether it was the limit.

A load generator without time left measures itself: iterations wait for its loop, not
for the server. Two readings tell: how late the loop wakes, and what share of a core
it uses.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

_PUMP_PERIOD = 0.05

_LATE = 0.01
_LATE_SHARE = 0.05
_BUSY_SHARE = 0.9
_SHORT = 1.0
_GENERATION_0 = 10_000


class GeneratorProbe:
    """Sums up readings of the load test's loop, taken in every period of the pump.

    Shares are of time, not of readings: a blocked loop takes none. Pure.
    """

    __slots__ = ("_busy", "_elapsed", "_late")

    def __init__(self) -> None:
        self._late = 0.0
        self._busy = 0.0
        self._elapsed = 0.0

    def add(self, late: float, busy: float, elapsed: float) -> None:
        """Add one reading; all in seconds.

        Args:
            late: How much later than due the loop woke.
            busy: CPU time of its thread since the last reading.
            elapsed: Time since the last reading.
        """
        if late > _LATE:
            self._late += late
        self._busy += busy
        self._elapsed += elapsed

    @property
    def busy_share(self) -> float:
        """The share of a core that the generator used, 0 to 1."""
        return self._busy / self._elapsed if self._elapsed else 0.0

    def warnings(self) -> tuple[str, ...]:
        """Return one sentence for each limit that was reached; empty without any."""
        # In the first second most time goes into starting up.
        if self._elapsed < _SHORT:
            return ()
        texts = []
        if self.busy_share > _BUSY_SHARE:
            texts.append(
                f"limited by the generator: it used {self.busy_share:.0%} of a core, so the"
                " service may handle more than this, and iterations last as long as the generator"
                " makes them; use fewer VUs per process, or more processes (--k6-workers)"
            )
        if self._late > _LATE_SHARE * self._elapsed:
            texts.append(
                f"limited by the generator: its event loop was late for {self._late:.1f} of"
                f" {self._elapsed:.1f} seconds, and iterations include that; look for calls that"
                " block the loop (time.sleep, requests, heavy computation) in async scenarios, or"
                " for other processes on its core"
            )
        return tuple(texts)


async def keep_pumping(
    pump: Callable[[], None], record_turn: Callable[[float, float, float], None]
) -> None:
    """Call `pump` every 50 ms until cancelled.

    Args:
        pump: Moves rows of virtual users on.
        record_turn: Called with the reading of each period; see `GeneratorProbe.add`.
    """
    while True:
        began, used = time.monotonic(), time.thread_time()
        due = trio.current_time() + _PUMP_PERIOD
        pump()
        await trio.sleep_until(due)
        late = max(0.0, trio.current_time() - due)
        record_turn(late, time.thread_time() - used, time.monotonic() - began)


@contextmanager
def tuned_gc() -> Iterator[None]:
    """Make Python's cyclic garbage collector run less often inside, and skip existing objects.

    VUs make a dozen tuples for each request, none of them part of a cycle. By default
    700 of them start a collection of the youngest generation; a full collection goes
    through pytest and the suite, and blocks the loop for some milliseconds. With this
    tuning a small GET of ``benchmarks/compare.py`` (workload a) took 3 to 4 % fewer
    instructions. A collector that the user switched off, or tuned further, stays so.

    Enter it before the load test is wired: callbacks tie a load test and its virtual
    users into cycles, and what is frozen is not collected.
    """
    before = gc.get_threshold()
    freezes = gc.isenabled() and not gc.get_freeze_count()
    if freezes:
        gc.freeze()
    if 0 < before[0] < _GENERATION_0:
        gc.set_threshold(_GENERATION_0, *before[1:])
    try:
        yield
    finally:
        # Collected at once, an ended load test leaves no holes between objects that last.
        # Only objects of the load test are looked at, while all others are frozen.
        gc.collect(2 if freezes else 1)
        gc.set_threshold(*before)
        if freezes:
            gc.unfreeze()
