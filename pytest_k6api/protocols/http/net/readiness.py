"""Which sockets are ready, asked once in each turn of the loop: by epoll, or by tasks of Trio.

epoll is Linux's. Elsewhere a task for each socket waits as Trio lets any task wait, on
kqueue say, and notes that it was resumed. That costs a turn of Trio's for each receipt
(``benchmarks/bench_http_client.py --without-epoll`` measures it), and nothing else is
different: sockets are read and written together either way.

A ready socket is told by its file descriptor. `Traffic` asks, and chooses the way.
"""

import select
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio
from trio.lowlevel import TrioToken, checkpoint, current_trio_token, wait_readable, wait_writable

HUNG_UP: int = getattr(select, "EPOLLRDHUP", 0)
"""The flag of a socket whose peer sends no more; 0 on a system without epoll."""
_INCOMING: int = getattr(select, "EPOLLIN", 0) | HUNG_UP | getattr(select, "EPOLLET", 0)
_OUTGOING: int = getattr(select, "EPOLLOUT", 0)


class Readable(Protocol):
    """What is received over a socket.

    Attributes:
        fd: The socket's file descriptor.
        has_news: Whether something may be there unread: that is read before more is waited for.
    """

    fd: int
    has_news: bool


class EpollReadiness:
    """Readiness by one descriptor of epoll, in which each socket is registered for its life.

    It is edge-triggered: what came is told once, so recv before waiting.

    Attributes:
        tells_end: Whether `poll` tells of the end of a stream together with its last bytes.
        turns_late: Turns of the loop by which a socket may be ready before `poll` tells of it.
        poll: Called with 0 and the most events to return; returns the descriptor and the
            flags of each socket that is ready.
    """

    tells_end = True
    turns_late = 0

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.poll: Callable[[int, int], list[tuple[int, int]]] = self._epoll.poll

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Have the loop come round whenever a socket is ready, until cancelled."""
        number = self._epoll.fileno()
        task_status.started()
        while True:
            await wait_readable(number)  # `Traffic` has dealt with it by then

    def add(self, line: Readable) -> None:
        """Tell of what comes to `line`, and of what has come since it was connected."""
        try:
            self._epoll.modify(line.fd, _INCOMING)
        except FileNotFoundError:  # it was never dialed here
            self._epoll.register(line.fd, _INCOMING)

    def remove(self, line: Readable) -> None:
        """Do nothing: epoll forgets what is closed."""

    def add_dial(self, fd: int) -> None:
        """Tell when `fd` is connected, or cannot be."""
        self._epoll.register(fd, _OUTGOING | select.EPOLLET)

    def remove_dial(self, fd: int) -> None:
        """Do nothing: what becomes of `fd` is another call's."""

    def add_writer(self, fd: int) -> None:
        """Tell when `fd`, which a line has, takes more to send."""
        self._epoll.modify(fd, _INCOMING | _OUTGOING)

    def remove_writer(self, fd: int) -> None:
        """Undo `add_writer`."""
        self._epoll.modify(fd, _INCOMING)

    def close(self) -> None:
        """Give the system's resource back."""
        self._epoll.close()


class TaskReadiness(trio.abc.Instrument):
    """Readiness by a task for each socket; see `EpollReadiness` for what is as there.

    Trio tells of data for as long as there is some. So where a line left some, its socket
    is not waited for until `has_news` says that everything was read.
    """

    tells_end = False
    turns_late = 3  # a task begins in the first, waits in the second, is resumed in the third

    def __init__(self) -> None:
        self._told: list[tuple[int, int]] = []
        self._readers: dict[int, trio.CancelScope] = {}
        self._writers: dict[int, trio.CancelScope] = {}
        # Lines that left something, and what resumes their tasks.
        self._unread: dict[Readable, trio.Event] = {}
        self._nursery: trio.Nursery | None = None
        self._token: TrioToken | None = None

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Wait for all sockets, until cancelled."""
        self._token = current_trio_token()
        trio.lowlevel.add_instrument(self)
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            trio.lowlevel.remove_instrument(self)

    def poll(self, _timeout: int, _most: int) -> list[tuple[int, int]]:
        """Return the sockets whose tasks were resumed since the last call."""
        told, self._told = self._told, []
        return told

    def add(self, line: Readable) -> None:
        """Tell of what comes to `line`."""
        assert self._nursery is not None
        self._readers[line.fd] = scope = trio.CancelScope()
        self._nursery.start_soon(self._watch, line, scope)

    def remove(self, line: Readable) -> None:
        """Wait for `line` no more: its socket is about to be closed, or another task reads it."""
        self._unread.pop(line, None)
        for scopes in (self._readers, self._writers):
            if line.fd in scopes:
                scopes.pop(line.fd).cancel()

    def add_writer(self, fd: int) -> None:
        """Tell when `fd` takes more to send, or is connected."""
        assert self._nursery is not None
        self._writers[fd] = scope = trio.CancelScope()
        self._nursery.start_soon(self._watch_room, fd, scope)

    def remove_writer(self, fd: int) -> None:
        """Undo `add_writer`."""
        self._writers.pop(fd).cancel()

    add_dial, remove_dial = add_writer, remove_writer

    def close(self) -> None:
        """Do nothing: its tasks ended with `run`."""

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio's signature
        """Go on with lines that have read everything."""
        read = [line for line in self._unread if not line.has_news]
        for line in read:
            self._unread.pop(line).set()
        if read:  # Trio has already decided how long to wait
            assert self._token is not None
            self._token.run_sync_soon(come_round)

    # A descriptor may be another socket's as soon as its watch was cancelled: so that is looked at
    # behind every wait.

    async def _watch(self, line: Readable, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await checkpoint()  # `Traffic` receives
                if line.has_news:
                    self._unread[line] = all_read = trio.Event()
                    await all_read.wait()
                    continue
                with suppress(trio.ClosedResourceError):  # so a line wakes tasks of its own
                    await wait_readable(line.fd)
                if scope.cancel_called:
                    return
                self._told.append((line.fd, 0))

    async def _watch_room(self, fd: int, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await checkpoint()  # `Traffic` sends, or wakes what dials
                with suppress(trio.ClosedResourceError):
                    await wait_writable(fd)
                if scope.cancel_called:
                    return
                self._told.append((fd, 0))


def come_round() -> None:
    """Do nothing: called soon, it has the loop come round."""
