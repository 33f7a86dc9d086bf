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
import types
from collections.abc import Generator
from time import perf_counter_ns

import trio
from outcome import Outcome
from trio.lowlevel import (
    current_task,
)

from pytest_k6api.protocols.http.h1.body import Http1Body
from pytest_k6api.protocols.http.h1.framing import keeps_alive
from pytest_k6api.protocols.http.h1.head_cache import KnownHeads, PlainHead, is_plain, remember
from pytest_k6api.protocols.http.h1.line import Http1Line
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
from pytest_k6api.protocols.http.net.batched_io import FIRST_SIZE, NEVER, Traffic
from pytest_k6api.protocols.http.net.tls import TlsSocket


class Http1Connection(Http1Line):
    """A connected socket and its last exchange: `Connection` and `Exchange` of the client in one."""

    has_room = False

    def begin_all(self, _requests: object, _deadline: int) -> None:
        """Begin nothing: there is one exchange at a time."""

    __slots__ = (
        "_is_streamed", "_known_heads", "_max_size", "_reader", "_says",
        "body", "connecting", "first_byte_at", "handshaking", "head", "is_plain", "is_used",
        "lowered", "protocol", "ready_at", "status",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket | TlsSocket,
        protocol: str,
        max_size: int | None,
        known_heads: KnownHeads,
        traffic: Traffic,
    ) -> None:
        self.ready_at = perf_counter_ns()
        super().__init__(sock, traffic)
        self.protocol = protocol
        self.connecting = self.handshaking = 0
        self.is_used = self.is_plain = False
        self.status = self.first_byte_at = 0
        self.head = self.lowered = self.body = b""
        self._max_size = math.inf if max_size is None else max_size
        self._reader: ResponseReader | None = None
        self._is_streamed = False
        self._known_heads = known_heads
        # What `head` says, if it was known.
        self._says: PlainHead | None = None

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
            if request.upload is None:
                self.task = current_task()
                self._traffic.outbox.append(self)
                (yield self.parking).unwrap()
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
            if self._tls is not None:
                self.bytes_sent, self.bytes_received = self._tls.take_counts()
            failure = self.give_up(error)
            if failure is None:
                raise
            raise failure from error
        self.deadline = NEVER
        if self._tls is not None:
            self._end_tls_exchange(self._tls)

    async def start(self, request: PreparedRequest, deadline: int) -> Http1Body:
        """Send `request` and receive the head of the response; see `Exchange.start`."""
        self._is_streamed = True
        try:
            await self.run(request, deadline)
        finally:
            self._is_streamed = False
        if self.is_plain:  # the whole response was there
            rest, self.body = self.body, b""
            return Http1Body(self, len(rest), rest)
        assert self._reader is not None
        rest, self._reader.rest = self._reader.rest, b""
        return Http1Body(self, self._reader.length, rest)

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
            await reader.read(
                data,
                self._receive_more,
                has_body=has_body,
                is_streamed=self._is_streamed,
                is_kept=request.keeps_body,
            )
        finally:
            self.head = reader.head
        self.body, self.lowered, self.status = reader.body, reader.lowered, reader.status
        self.is_reusable = self.is_reusable and not reader.is_last
        version = self.head[:8].decode("latin-1")
        self.protocol = version + self.protocol[len(version) :]
        if version != "HTTP/1.1":
            self._known_heads = {}  # of its own: a known head would leave `protocol` as it is
        # What fills the buffer is never known: more may wait behind it.
        is_short = not self._is_streamed and len(self.head) + reader.length < FIRST_SIZE
        if has_body and is_short and is_plain(self.lowered):
            says = PlainHead(self.status, reader.length, not keeps_alive(self.lowered))
            remember(self._known_heads, self.head, says)

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

    async def _send_rest(self, data: memoryview, upload: Upload | None) -> None:
        await self.send_all(data)
        if upload is not None:
            await upload.send(self.send_all, self.deadline, is_framed=True)

    def give_up(self, error: BaseException) -> NetworkError | None:
        """Close; return `error` as the client takes it, or None if it is not the network's."""
        overdue = perf_counter_ns() >= self.deadline
        self.ended_at = perf_counter_ns()
        self.body = self._reader.take_partial_body() if self._reader else b""
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
        if tls.may_have_more:  # and no edge tells of it
            self.has_news = True
            if tls.is_ahead:  # the stream ended behind the response
                self.is_reusable = False

    def retire(self) -> None:
        """Close the connection: its one exchange is over."""
        self.close()

    def detach(self) -> tuple[socket.socket | TlsSocket, bytes]:
        """Give the socket away after a 101, with what came behind that; this connection is over."""
        self.is_open = self.is_reusable = False
        self.parking = None
        self._traffic.remove(self)
        return self.sock, self._reader.rest if self._reader is not None else b""
