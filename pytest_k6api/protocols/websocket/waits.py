"""What tasks wait for in a session: a message, the answer to a request, a pong, the end."""

from collections.abc import Callable

import trio

from pytest_k6api.protocols.http import RequestFailure
from pytest_k6api.protocols.websocket.failures import overdue
from pytest_k6api.protocols.websocket.wire.frames import Event

Message = str | bytes
Match = Callable[[Message], object]
Takes = Callable[[Event], object]


class Wait:
    """A task that waits for something of the server.

    Attributes:
        deadline: When it is overdue, in perf_counter_ns.
        overdue: The failure of the session if it is.
        takes: Tells whether an event is what it waits for.
        event: That event; None before.
        error: What `takes` raised; None if it did not.
        began: When what it waits for was sent, in perf_counter_ns; 0 before.
        ended: When the event came.
    """

    __slots__ = ("_alarm", "began", "deadline", "ended", "error", "event", "overdue", "takes")

    def __init__(self, takes: Takes, deadline: float, late: str) -> None:
        self.takes = takes
        self.deadline = deadline
        self.overdue: RequestFailure = overdue(late)
        self.event: Event | None = None
        self.error: Exception | None = None
        self.began = self.ended = 0
        self._alarm: trio.Event | None = None

    @property
    def is_over(self) -> bool:
        """Whether the event has come, or never will be found."""
        return self.event is not None or self.error is not None

    def offer(self, event: Event, at: int) -> bool:
        """Take `event`, which came at `at`, if it is what the task waits for."""
        try:
            if not self.takes(event):
                return False
        except Exception as error:  # noqa: BLE001 - raised in the task that waits
            self.error = error
            self.wake()
            return False
        self.event, self.ended = event, at
        self.wake()
        return True

    def begin(self, at: int) -> None:
        """Learn that what it waits for an answer to was sent at `at`."""
        self.began = at

    async def sleep(self) -> None:
        """Wait to be woken."""
        self._alarm = trio.Event()
        await self._alarm.wait()

    def wake(self) -> None:
        """Let the task look whether something has changed."""
        if self._alarm is not None:
            self._alarm.set()
