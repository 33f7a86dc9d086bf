"""Moments after requests in which the API's thread has the interpreter as soon as it wants it."""

from contextlib import ExitStack
from typing import Final

import trio

from pytest_k6api.quick_switches import quick_switches

_MOMENT: Final = 0.1
"""Seconds after a request came, in which most replies are complete."""


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
