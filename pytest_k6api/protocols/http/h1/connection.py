"""One kept-alive HTTP/1.1 connection: put a request on the wire, take the response off.

This is the hot path of the whole product (``benchmarks/bench_http_client.py``
has the figures), written for few operations rather than few lines:

- no cancel scope, no task and no nursery: `deadline` is looked at by the load
  test's one sweeper, which wakes whoever waits below;
- no system call either: `pytest_k6api.protocols.http.net.batched_io` sends the request and receives
  the first bytes of the response, together with those of all other connections.
  What is unusual (a body made while it is sent, a response in many pieces, an
  error) is dealt with here, by the task itself;
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
from pytest_k6api.protocols.http.message.errors import (
    CLOSED_EARLY,
    CLOSED_MIDWAY,
    TIMED_OUT,
    NetworkError,
    explain_transfer,
    is_end_of_tls,
    is_gone,
)
from pytest_k6api.protocols.http.message.uploads import Upload
from pytest_k6api.protocols.http.net.batched_io import Traffic, wake_up, way_to_park
from pytest_k6api.protocols.http.net.tcp import count_tcp_bytes, has_ended, receive, tell_arrivals

NEVER = 1 << 63
_MORE_SIZE = 128 * 1024
# Nanoseconds of sending or receiving after which the loop gets its turn.
_TURN = 500_000
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A connected socket, and what the last exchange over it gave.

    Attributes:
        protocol: What its responses are tagged with: ``HTTP/1.1``, followed by
            k6's TLS version if there is one.
        deadline: When the exchange under way is overdue, in perf_counter_ns.
        connecting, handshaking: Nanoseconds that TCP and TLS took.
        is_used: Whether a request went over it before the present one.
        is_open: False once closed.
        is_reusable: Whether another request may follow the last exchange.
        status, head, body: The response: its head is everything up to the blank
            line, its body is without chunks but still encoded.
        is_plain: Whether the head was known, and says nothing about the body but its
            length.
        lowered: The head in lower case, to look header names up in; not if `is_plain`.
        started_at, sent_at: When the sending of the request began, and when it had
            been written; 0 until then.
        first_byte_at, ended_at: When the first byte of the response was there, and
            the last.
        bytes_sent, bytes_received: The exchange's bytes on the wire; the first
            exchange's include the TLS handshake.
        ready_at: When the connection was open, in perf_counter_ns.
        task, wire, data, error, received_at, has_news: What `Traffic` needs; see `traffic.Line`.
    """

    __slots__ = (
        "_known_heads", "_max_size", "_parking", "_reader", "_says", "_traffic",
        "_turned_at", "_wire_received", "_wire_sent",
        "body", "bytes_received", "bytes_sent", "connecting", "data", "deadline", "ended_at",
        "error", "fd", "first_byte_at", "handshaking", "has_news", "head", "is_open", "is_plain",
        "is_reusable", "is_tls", "is_used", "lowered", "protocol", "ready_at", "received_at",
        "sent_at", "sock", "started_at", "status", "task", "wire",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        protocol: str,
        max_size: int | None,
        known_heads: KnownHeads,
        traffic: Traffic | None = None,
    ) -> None:
        self.ready_at = perf_counter_ns()
        self.sock = sock
        self.fd = sock.fileno()
        self.is_tls = isinstance(sock, ssl.SSLSocket)
        self.protocol = protocol
        self.deadline = NEVER
        self.connecting = self.handshaking = 0
        self.is_used = self.is_plain = self.has_news = False
        self.is_open = self.is_reusable = True
        self.status = 0
        self.wire = self.head = self.lowered = self.body = b""
        self.task: Task | None = None
        self.data: bytes | None = None
        self.error: Exception | None = None
        self.started_at = self.sent_at = self.received_at = 0
        self.first_byte_at = self.ended_at = 0
        self.bytes_sent = self.bytes_received = self._wire_sent = self._wire_received = 0
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
            tell_arrivals(sock)
            traffic.add(self)

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "busy" if self.deadline != NEVER else "idle"
        return f"<Connection {self.protocol} fd={self.fd} {state}>"

    # One function, because each call would cost 0.1 µs or more, and a generator
    # that is awaited, because a coroutine could only await one that yields.
    @types.coroutine
    def exchange(  # noqa: C901, PLR0915
        self, wire: bytes, deadline: int, *, has_body: bool = True, upload: Upload | None = None
    ) -> Generator[object, Outcome[object], None]:
        """Send `wire` and receive the response into the attributes.

        Args:
            wire: The request's head and, unless `upload` sends it, its body.
            deadline: When to give up, in perf_counter_ns.
            has_body: False for HEAD, whose response has only a head.
            upload: What sends the body, if it is not in `wire`.

        Raises:
            NetworkError: There is no usable response. The connection is closed
                then, and also when the task is cancelled.
        """
        self.deadline = deadline
        self.wire = wire
        self.data = b""
        self.bytes_sent = self.bytes_received = 0
        self.started_at = self.sent_at = self.first_byte_at = 0
        try:
            traffic = self._traffic
            if traffic is not None and upload is None:
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
                if known is not None and known[1] == len(data) - len(head) and has_body:
                    self.is_plain = True
                    self.head, self._says = head, known
                    self.body = data[len(head) :]
                    self.status = known[0]
                    self.is_reusable = not known[2]
                    self.deadline = NEVER
                    if self.is_tls:
                        self._count_wire()
                    return
            yield from self._read(data, has_body=has_body, upload=upload).__await__()
        except BaseException as error:
            failure = self._give_up(error)
            if failure is None:
                raise
            raise failure from error
        self.deadline = NEVER
        if self.is_tls:
            self._count_wire()

    async def _read(self, data: bytes, *, has_body: bool, upload: Upload | None) -> None:
        """Receive a response of which `data` is there, and parse it."""
        self.is_plain = False
        self._says = None
        self.head = self.body = b""
        self._turned_at = perf_counter_ns()
        if not data:
            data = await self._exchange_alone(upload)
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
        if has_body and is_plain(self.lowered):
            says = PlainHead(self.status, len(self.body), not keeps_alive(self.lowered))
            remember(self._known_heads, self.head, says)

    def unwrap(self) -> None:
        """Do nothing: a wait that ends with a connection ended well; see `wake_up`."""

    def _abort(self, _raise_cancel: object) -> Abort:
        self.task = None
        return Abort.SUCCEEDED

    async def _exchange_alone(self, upload: Upload | None) -> bytes:
        """Do what `Traffic` did not do, or not to its end; return the first bytes received."""
        if not self.bytes_sent:
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
        """Return what the peer said before it closed and `broken` was raised by sending.

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
        """Raise what the task was woken for, if it was for no good."""
        error, self.error = self.error, None
        if error is not None and not isinstance(error, _WOULD_BLOCK):
            raise error
        # The sweeper wakes who is overdue without a word.
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
            except _WOULD_BLOCK as error:
                if isinstance(error, ssl.SSLWantReadError):
                    await wait_readable(self.fd)
                else:
                    await wait_writable(self.fd)
            else:
                self.bytes_sent += sent
                data = data[sent:]
                await self._take_turn()

    async def _receive_more(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        # First `recv`, then wait: an edge is told once, and TLS holds bytes that
        # the socket no longer shows.
        data: bytes | None = None
        offset = 0 if self._traffic is None else self._traffic.clock.offset
        while data is None:
            try:
                data, self.received_at = receive(self.sock, _MORE_SIZE, offset, self.started_at)
            except (BlockingIOError, ssl.SSLWantReadError):
                data = await self._wait()
            except ssl.SSLWantWriteError:
                await wait_writable(self.fd)
        self.ended_at = max(self.ended_at, self.received_at)
        self.bytes_received += len(data)
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
        """Close; return `error` in the client's words, or None if it is not the network's."""
        overdue = perf_counter_ns() >= self.deadline
        self.ended_at = perf_counter_ns()
        self.body = self._reader.take_partial_body() if self._reader else b""
        if self.is_tls:
            self._count_wire()
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

    def _count_wire(self) -> None:
        """Replace the exchange's byte counts by what TCP carried, TLS records included."""
        counts = count_tcp_bytes(self.sock)
        if counts is not None:
            sent, received = counts
            self.bytes_sent, self._wire_sent = sent - self._wire_sent, sent
            self.bytes_received, self._wire_received = received - self._wire_received, received

    def has_ended(self, *, may_err: bool) -> bool:
        """Tell whether the server closed the idle connection, or spoke unasked.

        Args:
            may_err: Whether it is no harm to miss what came a moment ago. The answer then
                costs no system call, as a rule.
        """
        # Traffic hears of both when they come, but for what came while the loop was held up,
        # and what lies unread behind the last response, as the end of TLS may.
        if may_err and self._traffic is not None and not self.has_news:
            return False
        self.has_news = False
        return has_ended(self.sock)

    def close(self) -> None:
        """Close the socket at once; whoever waits on it wakes up."""
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
        """Wake who waits on the socket; a wait of Trio's ends in ClosedResourceError."""
        task, self.task = self.task, None
        if task is not None:
            wake_up(task, self)
        else:
            trio.lowlevel.notify_closing(self.fd)
