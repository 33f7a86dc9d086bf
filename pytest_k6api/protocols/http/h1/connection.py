"""One kept-alive HTTP/1.1 connection: it sends a request and reads the response.

This is the hot path of the package (``benchmarks/bench_http_client.py``
has the figures), written for few operations rather than few lines:

- no cancel scope, no task and no nursery: the load test's one sweeper looks at
  `deadline` and wakes the task that waits below;
- no system call either: `pytest_k6api.protocols.http.net.batched_io` sends the request and receives
  the first bytes of the response, together with those of all other connections.
  The task itself deals with the unusual (a body made while it is sent, a response
  in many pieces, an error);
- a response whose head is known is not parsed at all, others are by
  `pytest_k6api.protocols.http.h1.response_reader`.

Times are ``time.perf_counter_ns``, taken beside the system calls.
"""

import math
import socket
import ssl
import types
from collections.abc import Generator
from time import perf_counter_ns

import trio
from outcome import Outcome
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from pytest_k6api.protocols.http.h1.framing import keeps_alive
from pytest_k6api.protocols.http.h1.head_cache import KnownHeads, PlainHead, is_plain, remember
from pytest_k6api.protocols.http.h1.response_reader import ResponseReader
from pytest_k6api.protocols.http.message.bodies import Upload
from pytest_k6api.protocols.http.message.errors import (
    CLOSED_EARLY,
    CLOSED_MIDWAY,
    TIMED_OUT,
    NetworkError,
    explain_transfer,
    is_end_of_tls,
    is_gone,
)
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.net.batched_io import FIRST_SIZE, Traffic, wake_up, way_to_park
from pytest_k6api.protocols.http.net.tcp import has_ended, receive
from pytest_k6api.protocols.http.net.tls import TlsSocket

NEVER = 1 << 63
_MORE_SIZE = 128 * 1024
# Nanoseconds of sending or receiving after which the loop gets its turn.
_TURN = 500_000
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError)


class Http1Connection:
    """A connected socket and its last exchange: `Connection` and `Exchange` of the client in one.

    Attributes beside theirs:
        task, wire, data, error, received_at, has_news: For `Traffic`; see `Line`.
    """

    __slots__ = (
        "_known_heads", "_max_size", "_parking", "_reader", "_says", "_tls", "_traffic",
        "_turned_at",
        "body", "bytes_received", "bytes_sent", "connecting", "data", "deadline", "ended_at",
        "error", "fd", "first_byte_at", "handshaking", "has_news", "head", "is_open", "is_plain",
        "is_reusable", "is_used", "lowered", "protocol", "ready_at", "received_at",
        "sent_at", "sock", "started_at", "status", "task", "wire",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket | TlsSocket,
        protocol: str,
        max_size: int | None,
        known_heads: KnownHeads,
        traffic: Traffic | None = None,
    ) -> None:
        self.ready_at = perf_counter_ns()
        self.sock = sock
        self.fd = sock.fileno()
        self._tls = sock if isinstance(sock, TlsSocket) else None
        self.protocol = protocol
        self.deadline = NEVER
        self.connecting = self.handshaking = 0
        self.is_used = self.is_plain = False
        self.is_open = self.is_reusable = True
        self.has_news = self._tls is not None and self._tls.is_ahead
        self.status = 0
        self.wire = self.head = self.lowered = self.body = b""
        self.task: Task | None = None
        self.data: bytes | None = None
        self.error: Exception | None = None
        self.started_at = self.sent_at = self.received_at = 0
        self.first_byte_at = self.ended_at = 0
        self.bytes_sent = self.bytes_received = 0
        self._max_size = math.inf if max_size is None else max_size
        self._reader: ResponseReader | None = None
        self._known_heads = known_heads
        # What `head` says, if it was known.
        self._says: PlainHead | None = None
        # When the task last went on after a wait.
        self._turned_at = 0
        self._parking: object = way_to_park(self._abort)
        self._traffic = traffic
        if traffic is not None:
            traffic.add(self)

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "busy" if self.deadline != NEVER else "idle"
        return f"<Http1Connection {self.protocol} fd={self.fd} {state}>"

    def open_exchange(self) -> "Http1Connection":
        """Return this connection: it has one exchange at a time."""
        return self

    # One function, because each call would cost 0.1 µs or more, and a generator
    # that is awaited, because a coroutine could only await one that yields.
    @types.coroutine
    def run(  # noqa: C901, PLR0915
        self, request: PreparedRequest, deadline: int
    ) -> Generator[object, Outcome[object], None]:
        """Send `request` and receive the response; see `Exchange.run`."""
        self.deadline = deadline
        self.wire = request.wire
        self.data = b""
        self.is_used = self.ended_at > 0
        self.bytes_sent = self.bytes_received = 0
        self.started_at = self.sent_at = self.first_byte_at = 0
        try:
            traffic = self._traffic
            if traffic is not None and request.upload is None:
                self.task = current_task()
                traffic.outbox.append(self)
                (yield self._parking).unwrap()
            data = self.data
            if data:
                self.first_byte_at = self.ended_at = self.received_at
                self.bytes_received = len(data)
                head, known = self.head, self._says
                # Most heads are the last one, byte for byte, for as long as its second
                # lasts: to see that takes 0.25 µs less than to look it up.
                if known is None or not data.startswith(head):
                    head = data[: data.find(b"\r\n\r\n") + 4]
                    known = self._known_heads.get(head)
                if known is not None and known[1] == len(data) - len(head) and request.has_body:
                    self.is_plain = True
                    self.head, self._says = head, known
                    self.body = data[len(head) :]
                    self.status = known[0]
                    self.is_reusable = not known[2]
                    self.deadline = NEVER
                    if self._tls is not None:
                        self._end_tls_exchange(self._tls)
                    return
            yield from self._read(data, request).__await__()
        except BaseException as error:
            failure = self._give_up(error)
            if failure is None:
                raise
            raise failure from error
        self.deadline = NEVER
        if self._tls is not None:
            self._end_tls_exchange(self._tls)

    async def _read(self, data: bytes, request: PreparedRequest) -> None:
        """Receive a response of which `data` is there, and parse it."""
        has_body = request.has_body
        self.is_plain = False
        self._says = None
        self.head = self.body = b""
        self._turned_at = perf_counter_ns()
        if not data:
            data = await self._exchange_alone(request.upload)
        self.has_news = self.has_news or len(data) >= FIRST_SIZE  # as in `_receive_more`
        if not data:
            self.first_byte_at = 0
            raise NetworkError(CLOSED_EARLY, is_stale=self.is_used)
        reader = self._reader
        if reader is None:  # many a short-lived connection never needs one
            reader = self._reader = ResponseReader(self._max_size)
        try:
            await reader.read(data, self._receive_more, has_body=has_body)
        finally:
            self.head = reader.head
        self.body, self.lowered, self.status = reader.body, reader.lowered, reader.status
        self.is_reusable = self.is_reusable and not reader.is_last
        version = self.head[:8].decode("latin-1")
        self.protocol = version + self.protocol[len(version) :]
        if version != "HTTP/1.1":
            self._known_heads = {}  # of its own: a known head would leave `protocol` as it is
        # What fills the buffer is never known: more may wait behind it.
        is_short = len(self.head) + len(self.body) < FIRST_SIZE
        if has_body and is_short and is_plain(self.lowered):
            says = PlainHead(self.status, len(self.body), not keeps_alive(self.lowered))
            remember(self._known_heads, self.head, says)

    def unwrap(self) -> None:
        """Do nothing: a wait that ends with a connection ended well; see `wake_up`."""

    def _abort(self, _raise_cancel: object) -> Abort:
        self.task = None
        return Abort.SUCCEEDED

    async def _exchange_alone(self, upload: Upload | None) -> bytes:
        """Do what `Traffic` did not do, or not to its end; return the first bytes received."""
        if not self.started_at:
            self.started_at = perf_counter_ns()
        try:
            self._check_wake()
            if upload is not None or self.bytes_sent != len(self.wire):
                await self._send_rest(memoryview(self.wire)[self.bytes_sent :], upload)
                self.sent_at = perf_counter_ns()
        except OSError as error:
            if self.sent_at or not is_gone(error):
                raise
            data = await self._receive_last_words(error)
        else:
            data = await self._receive_more()
        self.first_byte_at = self.ended_at
        return data

    async def _receive_last_words(self, broken: OSError) -> bytes:
        """Return what the peer sent before it closed and `broken` was raised by sending.

        A server may close before it has read everything: its answer (413, say) or its
        TLS alert tells more than the broken pipe.
        """
        self.is_reusable = False
        self.sent_at = perf_counter_ns()
        try:
            data = await self._receive_more()
        except OSError as error:
            if not is_gone(error):
                raise
            data = b""
        if not data:
            self.sent_at = 0
            raise broken
        return data

    def _check_wake(self) -> None:
        """Raise the error that the task was resumed for, if there is one."""
        error, self.error = self.error, None
        if error is not None and not isinstance(error, _WOULD_BLOCK):
            raise error
        # The sweeper resumes an overdue task without data or error.
        if not self.data and perf_counter_ns() >= self.deadline:
            raise NetworkError(TIMED_OUT)

    async def _send_rest(self, data: memoryview, upload: Upload | None) -> None:
        await self.send_all(data)
        if upload is not None:
            await upload.send(self.send_all, self.deadline)

    async def send_all(self, data: memoryview) -> None:
        """Put `data` on the wire, waiting whenever the send buffer is full."""
        while data:
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                await wait_writable(self.fd)
            except ssl.SSLWantReadError:
                assert self._tls is not None
                await self._tls.renegotiate()
            else:
                self.bytes_sent += sent
                data = data[sent:]
                await self._take_turn()

    async def _receive_more(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        # epoll is edge-triggered: recv before waiting.
        data: bytes | None = None
        offset = 0 if self._traffic is None else self._traffic.clock.offset
        while data is None:
            try:
                data, self.received_at = receive(self.sock, _MORE_SIZE, offset, self.started_at)
            except _WOULD_BLOCK:
                data = await self._wait()
        self.ended_at = max(self.ended_at, self.received_at)
        self.bytes_received += len(data)
        if len(data) >= _MORE_SIZE:
            self.has_news = True  # more may wait behind it, and its edge was told
        await self._take_turn()
        return data

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
        if self._traffic is None:
            await wait_readable(self.fd)
            return None
        self.data = None
        self.task = current_task()
        await wait_task_rescheduled(self._abort)
        self._turned_at = perf_counter_ns()
        self._check_wake()
        return self.data

    def _give_up(self, error: BaseException) -> NetworkError | None:
        """Close; return `error` as the client takes it, or None if it is not the network's."""
        overdue = perf_counter_ns() >= self.deadline
        self.ended_at = perf_counter_ns()
        self.body = self._reader.take_partial_body() if self._reader else b""
        if self._tls is not None:
            self.bytes_sent, self.bytes_received = self._tls.take_counts()
        self.close()
        if isinstance(error, trio.ClosedResourceError) and overdue:
            return NetworkError(TIMED_OUT)
        if isinstance(error, OSError):
            if self.first_byte_at and is_end_of_tls(error):
                return NetworkError(CLOSED_MIDWAY)
            return NetworkError(
                explain_transfer(error, "read" if self.sent_at else "write"),
                is_stale=self.is_used and not self.first_byte_at and is_gone(error),
            )
        return error if isinstance(error, NetworkError) else None

    def _end_tls_exchange(self, tls: TlsSocket) -> None:
        self.bytes_sent, self.bytes_received = tls.take_counts()
        if tls.is_ahead:  # the stream ended behind the response
            self.is_reusable = False

    def has_ended(self, *, may_err: bool) -> bool:
        """Return whether the server closed the idle connection, or spoke unasked.

        See `Connection.has_ended`.
        """
        # Traffic hears of both when they come, but for what came while the loop was held up.
        if may_err and self._traffic is not None and not self.has_news:
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
        self._parking = None  # it refers to this connection
        if self._traffic is not None:
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
