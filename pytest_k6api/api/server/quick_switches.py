"""The interpreter for the API's thread, soon after it asks for it.

A load test that uses all of a core gives the interpreter to another thread after 5 ms,
and takes it back at that thread's next system call. A reply takes some twenty of them.
While the threads switch quickly it takes a tenth of the time.

Not always: threads that compute, such as those of synchronous scenarios, would then
lose time by switching among each other.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import trio

_QUICK: Final = 0.0002
_MOMENT: Final = 0.1
"""Seconds after a request came, in which most replies are complete."""


@contextmanager
def quick_switches() -> Iterator[None]:
    """Let waiting threads have the interpreter after 0.2 ms, inside of the block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_QUICK)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class QuickMoments:
    """Has threads switch quickly for 0.1 s after each request.

    Not for as long as a reply takes: a stream of events takes as long as its page is open.
    """

    def __init__(self) -> None:
        self._switches = ExitStack()
        self._moment = trio.CancelScope()
        self._begun = trio.Event()

    def begin(self) -> None:
        """Begin a moment, or let the one that has begun last longer."""
        until = trio.current_time() + _MOMENT
        if self._begun.is_set():
            self._moment.deadline = until
        else:
            self._switches.enter_context(quick_switches())
            self._moment = trio.CancelScope(deadline=until)
            self._begun.set()

    async def end_each(self) -> None:
        """End each moment in time, until cancelled."""
        with self._switches:
            while True:
                await self._begun.wait()
                with self._moment:
                    await trio.sleep_forever()
                self._switches.close()
                self._begun = trio.Event()
