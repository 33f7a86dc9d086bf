"""The socket under an HTTP/1.1 connection: it sends all of something, and receives again and again.

`pytest_k6api.protocols.http.net.batched_io` sends and receives for it; where that did not do
everything, the task does it here.
"""

import socket
import ssl
from time import perf_counter_ns

import trio
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    wait_task_rescheduled,
    wait_writable,
)

from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError
from pytest_k6api.protocols.http.net.batched_io import (
    FIRST_SIZE,
    NEVER,
    Traffic,
    wake_up,
    way_to_park,
)
from pytest_k6api.protocols.http.net.tcp import has_ended, receive
from pytest_k6api.protocols.http.net.tls import TlsSocket

_MORE_SIZE = 128 * 1024
# Nanoseconds of sending or receiving after which the loop gets its turn.
_TURN = 500_000
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError)


class Http1Line:
    """A connected socket; see `Line`.

    Attributes beside its:
        deadline: When the request under way is overdue, in perf_counter_ns.
        is_open: False once closed.
        is_reusable: Whether another request may follow.
        bytes_sent, bytes_received: Those of the exchange under way.
        ended_at: When the last of them came.
        parking: What a task yields to Trio to wait for what is received.
    """

    __slots__ = (
        "_tls", "_traffic", "_turned_at",
        "bytes_received", "bytes_sent", "data", "deadline", "ended_at", "error", "fd", "has_news",
        "is_open", "is_reusable", "is_timed", "parking", "received_at", "sent_at", "sock", "started_at",
        "task", "wire",
    )  # fmt: skip

    def __init__(self, sock: socket.socket | TlsSocket, traffic: Traffic) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self._tls = sock if isinstance(sock, TlsSocket) else None
        self.deadline = NEVER
        self.is_open = self.is_reusable = self.is_timed = True
        self.has_news = self._tls is not None and self._tls.is_ahead
        self.wire = b""
        self.task: Task | None = None
        self.data: bytes | None = None
        self.error: Exception | None = None
        self.started_at = self.sent_at = self.received_at = self.ended_at = 0
        self.bytes_sent = self.bytes_received = 0
        # When the task last went on after a wait.
        self._turned_at = 0
        self.parking: object = way_to_park(self._abort)
        self._traffic = traffic
        traffic.add(self)

    def unwrap(self) -> None:
        """Do nothing: a wait that ends with a connection ended well; see `wake_up`."""

    def _abort(self, _raise_cancel: object) -> Abort:
        self.task = None
        self.deadline = NEVER  # of a wait that is over
        return Abort.SUCCEEDED

    def _check_wake(self) -> None:
        """Raise the error that the task was resumed for, if there is one."""
        error, self.error = self.error, None
        if error is not None and not isinstance(error, _WOULD_BLOCK):
            raise error
        # The sweeper resumes an overdue task without data or error.
        if not self.data and perf_counter_ns() >= self.deadline:
            raise NetworkError(TIMED_OUT)

    async def send_all(self, data: memoryview) -> None:
        """Put `data` on the wire, waiting whenever the send buffer is full."""
        while data:
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                await wait_writable(self.fd)
            except ssl.SSLWantReadError:
                await self._renegotiate()
            else:
                self.bytes_sent += sent
                data = data[sent:]
                await self._take_turn()

    async def _renegotiate(self) -> None:
        """Wait for what TLS has for itself, alone: there is one reader of a socket at a time."""
        assert self._tls is not None
        self._traffic.remove(self)
        try:
            await self._tls.renegotiate()
        finally:
            if self.is_open:
                self._traffic.add(self)

    async def _receive_more(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        # epoll is edge-triggered: recv before waiting.
        data: bytes | None = None
        offset = self._traffic.clock.offset
        while data is None:
            try:
                data, self.received_at = receive(self.sock, _MORE_SIZE, offset, self.started_at)
            except _WOULD_BLOCK:
                self.has_news = False
                data = await self._wait()
        self.ended_at = max(self.ended_at, self.received_at)
        self.bytes_received += len(data)
        if len(data) >= _MORE_SIZE:
            self.has_news = True  # more may wait behind it, and its edge was told
        await self._take_turn()
        return data

    def take(self) -> bytes | None:
        """Return what the task was resumed with, ``b""`` at the end of the connection.

        None if it is to wait on.

        Raises:
            NetworkError: The wait is overdue.
            OSError: The connection is broken.
        """
        data, tls = self.data, self._tls
        if tls is not None:
            self._count_tls(tls)
        elif data:
            self.bytes_received += len(data)
        if not data:
            self._check_wake()
            return data
        self._turned_at = self.ended_at = self.received_at
        if len(data) >= FIRST_SIZE:
            self.has_news = True
        return data

    async def receive(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        tls, received = self._tls, self.bytes_received
        try:
            return await self._receive_more()
        finally:
            if tls is not None:
                self.bytes_received = received  # of TLS those on the wire count
                self._count_tls(tls)

    def _count_tls(self, tls: TlsSocket) -> None:
        sent, received = tls.take_counts()
        self.bytes_sent += sent
        self.bytes_received += received
        self.has_news = self.has_news or tls.may_have_more  # and no edge tells of it
        self.is_reusable = self.is_reusable and not tls.is_ahead

    async def _take_turn(self) -> None:
        """Let the loop come round now and then.

        A peer that never pauses is not waited for: the sweeper does not see the task.
        """
        now = perf_counter_ns()
        if now >= self.deadline:
            raise NetworkError(TIMED_OUT)
        if now - self._turned_at > _TURN:
            await trio.lowlevel.checkpoint()
            self._turned_at = perf_counter_ns()

    async def _wait(self) -> bytes | None:
        """Wait for something to be received; return it, or None if there may be something now."""
        self.data = None
        self.task = current_task()
        await wait_task_rescheduled(self._abort)
        self._turned_at = perf_counter_ns()
        self._check_wake()
        return self.data

    def has_ended(self, *, may_err: bool) -> bool:
        """Return whether the server closed the idle connection, or spoke unasked.

        See `Connection.has_ended`.
        """
        # Traffic hears of both when they come, but for what came while the loop was held up.
        if may_err and self._traffic.tells_end and not self.has_news:
            return False
        self.has_news = False
        return (
            has_ended(self.sock) if isinstance(self.sock, socket.socket) else self.sock.has_ended()
        )

    def close(self) -> None:
        """Close the socket at once; a task that waits on it wakes up."""
        if not self.is_open:
            return
        self.is_open = self.is_reusable = False
        self.parking = None  # it refers to this connection
        self._traffic.remove(self)
        if self.deadline != NEVER:
            self.wake()
            self.deadline = NEVER
        self.sock.close()

    def wake(self) -> None:
        """Wake the task that waits on the socket; a wait of Trio's ends in ClosedResourceError."""
        task, self.task = self.task, None
        if task is not None:
            wake_up(task, self)
        else:
            trio.lowlevel.notify_closing(self.fd)
