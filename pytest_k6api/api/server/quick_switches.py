"""The interpreter for the API's thread, soon after it asks for it.

A load test that uses all of a core gives the interpreter back only to a thread that has waited
for the switch interval, 5 ms, without seeing it free. Its loop lets go of it for some
microseconds in each of its turns, and each time the wait begins anew: it may last for
hundreds of turns, at each of the twenty system calls of a reply. So the interval has to be
shorter than a turn.

Not always: threads that compute, such as those of synchronous scenarios, would then
lose time by switching among each other.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import trio

_QUICK: Final = 0.00001
_MOMENT: Final = 0.1
"""Seconds after a request came, in which most replies are complete."""


@contextmanager
def quick_switches() -> Iterator[None]:
    """Let waiting threads have the interpreter at once, inside of the block."""
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
