"""A connection that sends and receives independently, for WebSocket, HTTP/2 and event streams.

It shares the batches of `Traffic` with all other connections.
"""

import ssl
import types
from collections.abc import Callable, Generator
from time import perf_counter_ns

import trio
from outcome import Outcome
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task

from pytest_k6api.protocols.http.net.batched_io import (
    FIRST_SIZE,
    Traffic,
    wake_up,
    way_to_park,
)
from pytest_k6api.protocols.http.net.tcp import NonBlockingSocket, receive
from pytest_k6api.protocols.http.net.tls import TlsSocket


class DuplexLine:
    """Sends without waiting for an answer, and receives again and again.

    Attributes:
        received_at: When the data that `receive` returned came in, in perf_counter_ns.
        sent_at: Never 0: it may receive whatever was sent (`Traffic`).
        started_at: When the sending of what was sent last began.
        bytes_sent, bytes_received: Bytes since the line was made, without those of TLS.
        is_open: False once closed.
        is_timed: See `Line`; True unless set.

    Args:
        sock: The connected, non-blocking socket, which is the line's from now on.
        traffic: Sends and receives for it.
    """

    __slots__ = (
        "_all_sent", "_is_interrupted", "_parking", "_tls", "_traffic", "_when_sent",
        "bytes_received", "bytes_sent", "data", "error", "fd", "has_news",
        "is_open", "is_timed", "received_at", "sent_at", "sock", "started_at", "task", "wire",
    )  # fmt: skip

    def __init__(self, sock: NonBlockingSocket, traffic: Traffic) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.task: Task | None = None
        self.wire = b""
        self.data: bytes | None = None
        self.error: Exception | None = None
        self.bytes_sent = self.bytes_received = self.started_at = self.received_at = 0
        self.sent_at = 1
        self.is_open = self.is_timed = True
        self._is_interrupted = False
        self._all_sent: trio.Event | None = None
        self._when_sent: list[Callable[[], None]] = []
        self._parking: object = way_to_park(self._abort)
        self._traffic = traffic
        self._tls = sock if isinstance(sock, TlsSocket) else None
        # Of what waits in the socket `add` makes epoll tell, of what was decrypted it cannot.
        self.has_news = self._tls is not None and self._tls.may_have_more
        traffic.add(self)

    def __repr__(self) -> str:
        return f"<DuplexLine fd={self.fd} {'open' if self.is_open else 'closed'}>"

    def send_soon(self, data: bytes) -> None:
        """Send `data` when the loop comes round, together with what else is to be sent then.

        An error is raised by the next `receive` or `wait_sent`.
        """
        if self.wire:
            self.wire += data
            return
        self.wire = data
        self.started_at = 0
        self._traffic.duplex_outbox.append(self)

    def call_when_sent(self, fn: Callable[[], None]) -> None:
        """Call `fn` when all that waits to be sent was handed to the system, or never will be.

        It was begun at `started_at` then.
        """
        self._when_sent.append(fn)

    async def wait_sent(self) -> None:
        """Wait until everything was handed to the system: a sender's back pressure.

        Raises:
            OSError: It cannot be sent.
            trio.ClosedResourceError: The line was closed, or is interrupted.
        """
        await trio.lowlevel.checkpoint()
        while self.wire and self.error is None and self.is_open:
            if self._is_interrupted:
                raise trio.ClosedResourceError("nothing more is sent over this connection")
            if self._all_sent is None:
                self._all_sent = trio.Event()
                self.call_when_sent(self._all_sent.set)
            await self._all_sent.wait()
        self._check()

    @types.coroutine
    def receive(self) -> Generator[object, Outcome[object], bytes]:
        """Wait for the next bytes and return them; ``b""`` at the end of the stream.

        Raises:
            OSError: The connection is broken.
            trio.BusyResourceError: Another task waits for them.
            trio.ClosedResourceError: The line is closed, or was meanwhile, or it was interrupted.
        """
        if self.error is not None or not self.is_open:
            self._check()
        if self.task is not None:
            raise trio.BusyResourceError("another task is already receiving over this connection")
        # `resume_later`, without the call.
        self.task = current_task()
        if self.has_news:
            self._traffic.duplex_outbox.append(self)
        (yield self._parking).unwrap()
        # `take`, without the call.
        data = self.data
        if data is None:
            self._check()
            raise trio.ClosedResourceError("this connection was closed")
        self.data = None
        size = len(data)
        self.bytes_received += size
        if not 0 < size < FIRST_SIZE or (self._tls is not None and self._tls.may_have_more):
            self.has_news = True
        return data

    def resume_later(self, task: Task) -> None:
        """Have `task`, which is about to sleep, resumed when something comes."""
        self.task = task
        if self.has_news:
            self._traffic.duplex_outbox.append(self)

    def take(self) -> bytes | None:
        """Return what a task was resumed with, and forget it; None for an error, or nothing."""
        data = self.data
        if data is None:
            return None
        self.data = None
        size = len(data)
        self.bytes_received += size
        # epoll is edge-triggered: where there may be more, it would not tell again.
        if not 0 < size < FIRST_SIZE or (self._tls is not None and self._tls.may_have_more):
            self.has_news = True
        return data

    def receive_nowait(self) -> bytes | None:
        """Return what has come while no task waits; ``b""`` at the end, None if nothing has.

        Raises:
            OSError: The connection is broken.
            trio.ClosedResourceError: The line is closed.
        """
        self._check()
        if self.task is not None or not self.has_news:
            return None
        try:
            data, self.received_at = receive(
                self.sock, FIRST_SIZE, self._traffic.clock.offset, self.received_at
            )
        except (BlockingIOError, ssl.SSLWantReadError):
            self.has_news = False
            return None
        self.bytes_received += len(data)
        return data

    def flush(self) -> bool:
        """Send what the socket takes; return whether nothing is left. `Traffic` calls it."""
        wire = self.wire
        if not wire:
            return True
        if self.is_timed and not self.started_at:
            self.started_at = perf_counter_ns()
        try:
            sent = self.sock.send(wire)
            if sent != len(wire):
                sent = self._send_rest(wire, sent)
        except BlockingIOError:
            return False
        # Trio drops an instrument that raises.
        except Exception as error:  # noqa: BLE001
            self.error, self.wire = error, b""
            self._resume()
        else:
            self.bytes_sent += sent
            if sent != len(wire):
                self.wire = wire[sent:]
                return False
            self.wire = b""
        self._end_sending()
        return True

    def _send_rest(self, wire: bytes, sent: int) -> int:
        """Send what the socket takes behind the first `sent` bytes; return how much that is in all."""
        try:
            while sent < len(wire):
                sent += self.sock.send(memoryview(wire)[sent:])
        except BlockingIOError:
            pass
        return sent

    def interrupt(self) -> None:
        """Wake the tasks that receive and send: they get ClosedResourceError.

        Receiving may begin again; sending is not waited for any more.
        """
        self._is_interrupted = True
        self._resume()
        self._end_sending()

    def close(self) -> None:
        """Close the socket at once; tasks that wait get ClosedResourceError."""
        if not self.is_open:
            return
        self.is_open = False
        self.wire = b""
        self._traffic.remove(self)
        self._resume()
        self._end_sending()
        self._parking = None  # it refers to this line
        self.sock.close()

    def unwrap(self) -> None:
        """Do nothing: a wait that ends with a line ended well; see `wake_up`."""

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
        if not self.is_open:
            raise trio.ClosedResourceError("this connection was closed")

    def _resume(self) -> None:
        task, self.task = self.task, None
        if task is not None:
            wake_up(task, self)

    def _end_sending(self) -> None:
        """Tell of it that nothing is left to send."""
        if self._when_sent:
            self._all_sent = None
            told, self._when_sent = self._when_sent, []
            for fn in told:
                fn()

    def _abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        self.task = None
        return Abort.SUCCEEDED
