"""Ctrl-C while a load test runs: once to end it properly, twice to end it now.

Python's own handler would raise KeyboardInterrupt somewhere inside Trio and
lose the results; this one hands the wish to the load test. A third Ctrl-C is
for code that never gives the loop a chance, and raises.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import trio

ENDING = (
    "stopping: running iterations may finish within their graceful stop, then teardown runs;"
    " Ctrl-C again interrupts them"
)
STOPPING = "stopping now: iterations are interrupted, teardown runs"


@contextmanager
def interrupts(
    finish: Callable[[], None], stop: Callable[[], None]
) -> Iterator[Callable[[], bool]]:
    """Call `finish` on the first Ctrl-C and `stop` on the second, in the running Trio loop.

    Enter it inside ``trio.run``, in the main thread; elsewhere it does nothing.
    The value tells whether there was a Ctrl-C.
    """
    token = trio.lowlevel.current_trio_token()
    seen = 0

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 2:
            raise KeyboardInterrupt
        token.run_sync_soon(finish if seen == 1 else stop)

    try:
        before = signal.signal(signal.SIGINT, handle)
    except ValueError:  # not the main thread: Ctrl-C is somebody else's there
        yield lambda: False
        return
    try:
        yield lambda: seen > 0
    finally:
        signal.signal(signal.SIGINT, before)
