"""Wake the tasks whose sockets became readable, many at a time.

`trio.lowlevel.wait_readable` arms its epoll entry anew for every wait: a system
call for each request (``benchmarks/bench_http_client.py`` measures both ways).
A `Readiness` registers a socket once, edge-triggered, for the connection's life;
one task waits for all of them and wakes who is due. That task is one more step
on the way, so with few connections waiting directly is better.

Linux only: elsewhere, `is_available` is False and everybody waits directly.
"""

import select
import sys
from collections.abc import Callable
from typing import Any

import trio
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
)

# Only Linux has it.
_HUNG_UP: int = getattr(select, "EPOLLRDHUP", 0)
_MOST_EVENTS = 4096


class Readiness:
    """The readable sockets of one load test.

    An edge is reported once. So a reader drains its socket before it waits
    again, and an edge that finds nobody waiting is kept for the next wait.

    Attributes:
        waiting: Who waits, by file descriptor. The hot path puts itself in and
            then awaits ``wait_task_rescheduled`` with what `aborter` returns.
        missed: The file descriptors whose edge found nobody waiting.
    """

    is_available = sys.platform == "linux"

    def __init__(self) -> None:
        self.waiting: dict[int, Task] = {}
        self.missed: set[int] = set()
        self._epoll = select.epoll() if self.is_available else None

    def __repr__(self) -> str:
        return f"<Readiness, {len(self.waiting)} waiting>"

    async def run(self) -> None:
        """Wake whoever's socket is readable, until cancelled."""
        assert self._epoll is not None
        waiting, missed = self.waiting, self.missed
        poll = self._epoll.poll
        number = self._epoll.fileno()
        while True:
            await wait_readable(number)
            for fd, events in poll(0, _MOST_EVENTS):
                task = waiting.pop(fd, None)
                if task is not None:
                    reschedule(task)
                # The end of a stream may share its edge with the last bytes of a
                # response; the next request must still meet it.
                if task is None or events & _HUNG_UP:
                    missed.add(fd)

    def add(self, fd: int) -> None:
        """Watch `fd` until it is closed."""
        assert self._epoll is not None
        self.missed.discard(fd)
        self._epoll.register(fd, select.EPOLLIN | _HUNG_UP | select.EPOLLET)

    def aborter(self, fd: int) -> Callable[[Any], Abort]:
        """Return what ends the wait for `fd` when its task is cancelled."""

        def abort(_raise_cancel: Any) -> Abort:
            self.waiting.pop(fd, None)
            return Abort.SUCCEEDED

        return abort

    async def wait(self, fd: int) -> None:
        """Wait until `fd` was readable once since the last wait ended, or somebody woke it."""
        if fd in self.missed:
            self.missed.discard(fd)
            await trio.lowlevel.checkpoint()
            return
        self.waiting[fd] = current_task()
        await wait_task_rescheduled(self.aborter(fd))

    def wake(self, fd: int) -> None:
        """Wake who waits for `fd`, so that it looks at its clock."""
        task = self.waiting.pop(fd, None)
        if task is not None:
            reschedule(task)

    def close(self) -> None:
        """Give the system's resource back."""
        if self._epoll is not None:
            self._epoll.close()
