"""One request and its response over HTTP/2: the client's `Exchange`."""

import math
import types
from collections.abc import Generator
from typing import Protocol

from outcome import Outcome
from trio.lowlevel import current_task

from pytest_k6api.protocols.http.h2 import errors
from pytest_k6api.protocols.http.h2.errors import FIELDS_TOO_LARGE, TRUNCATED, StreamFault
from pytest_k6api.protocols.http.h2.frames import LEAST_FRAME
from pytest_k6api.protocols.http.h2.header_blocks import HeaderBlock
from pytest_k6api.protocols.http.h2.requests import RequestBlock, RequestBlocks
from pytest_k6api.protocols.http.h2.session import Session
from pytest_k6api.protocols.http.h2.streams import Carrier, Stream
from pytest_k6api.protocols.http.message.bodies import Nowhere
from pytest_k6api.protocols.http.message.errors import CLOSED_EARLY, CLOSED_MIDWAY, NetworkError
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.http.net.tls import TlsSocket

_NOT_MODIFIED = 304


class ExchangeCarrier(Carrier, Protocol):
    """The part of a connection that its exchanges use.

    Attributes:
        ready_at, connecting, handshaking, ended_at, is_open, protocol: See the client's `Connection`.
        max_size: The most bytes that a body may have.
        requests: The blocks of requests.
        session: The connection's state.
        starting: Streams of which something is still to be sent.
        spare: Exchanges that are over and serve further requests.
        tls: The socket, if there is TLS over it.
    """

    ready_at: int
    connecting: int
    handshaking: int
    ended_at: int
    is_open: bool
    protocol: str
    max_size: float
    requests: RequestBlocks
    session: Session
    starting: list[Stream]
    spare: "list[Http2Exchange]"
    tls: TlsSocket | None

    def send_soon(self, data: bytes) -> None:
        """Send `data` when the loop comes round."""

    def answer(self) -> None:
        """Send what the session has to say, likewise."""

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes sent and received since the last call."""


class Http2Exchange(Stream):
    """A stream as the client takes it; it serves another request when it is over.

    Its attributes are `Exchange`'s, and those of `Stream`.
    """

    __slots__ = (
        "_carrier", "_has_body", "_is_clean", "_like", "body", "bytes_received", "bytes_sent", "connecting",
        "handshaking", "head", "is_plain", "lowered", "protocol", "ready_at", "status",
    )  # fmt: skip

    def __init__(self, connection: ExchangeCarrier) -> None:
        super().__init__(connection)
        self._carrier = connection
        self.is_eager = False
        self.max_size = connection.max_size
        self.protocol = connection.protocol
        self.ready_at = connection.ready_at
        self.connecting = self.handshaking = 0
        self.is_plain = self._has_body = False
        # Whether it is as `renew` leaves it, but for the times; and what the attributes of the
        # response were taken from, if that was all.
        self._is_clean = False
        self._like: HeaderBlock | None = None
        self.bytes_sent = self.bytes_received = self.status = 0
        self.head = self.lowered = self.body = b""

    # One function, because each call would cost 0.1 µs or more; and what a clean exchange has
    # as it should be is not set again.
    @types.coroutine
    def run(  # noqa: C901, PLR0915
        self, request: PreparedRequest, deadline: int
    ) -> Generator[object, Outcome[object], None]:
        """Send `request` and receive the response; see the client's `Exchange.run`."""
        connection = self._carrier
        session = connection.session
        known = connection.requests.known.get(request.wire)
        if known is None or not known.start or not self._is_clean or not session.takes(known.size):
            yield from self._run_anyhow(request, deadline).__await__()
            return
        self._is_clean = False
        self.has_sent_all = True
        self.deadline = deadline
        self.started_at = self.bytes_sent = self.bytes_received = 0
        self._has_body = request.has_body
        try:
            number = session.open(self)
            connection.starting.append(self)
            connection.send_soon(b"%b%b%b" % (known.start, number.to_bytes(4), known.block))
            first_byte_at, task = 0, current_task()
            while True:
                # `wait`, but for what is done with the data.
                self.task = task
                task.custom_sleep_data = self
                if connection.task is None:
                    connection.resume_later(task)
                (yield self._parking).unwrap()
                self.task = None
                data = connection.take()
                taken = session.take_like_before(number, data) if data else None
                if taken is not None or not data or not session.keep_beginning(number, data):
                    break
                first_byte_at = connection.received_at
            if taken is not None:
                pattern, self.body = taken
                block = pattern.block
                self.ended_at = connection.ended_at = received_at = connection.received_at
                self.first_byte_at = first_byte_at or received_at
                if block is not self._like:
                    self._like = block
                    self.status, self.head, self.is_plain = block.status, block.head, block.is_plain
                    self.lowered = block.lowered
                tls = connection.tls
                if session.answers:
                    connection.answer()
                counts = connection.take_counts() if tls is None else tls.take_counts()
                self.bytes_sent, self.bytes_received = counts
                if self.is_plain:
                    self._is_clean = True
                    connection.spare.append(self)
                return
            self._forget_response()
            self._expect_body(is_kept=request.keeps_body)
            connection.hand_out(data)
            while not self.is_complete:
                self.check()
                yield from self.wait()
        except BaseException:
            self._give_up()
            raise
        self._finish()

    def begin(self, request: PreparedRequest, known: RequestBlock, deadline: int) -> bytes:
        """Open the stream for a request without body, of which `finish` gives the response.

        Args:
            request: The request.
            known: Its block, which fits in a frame.
            deadline: When to give up, in perf_counter_ns.

        Returns:
            What is to be sent.
        """
        connection = self._carrier
        if self._is_clean:  # as in `run`
            self._is_clean = False
            self.deadline = deadline
            self.started_at = self.bytes_sent = self.bytes_received = 0
            self._has_body = request.has_body
            self._forget_response()
        else:
            self._prepare(request, deadline)
        self.has_sent_all = True
        number = connection.session.open(self)
        connection.starting.append(self)
        return b"%b%b%b" % (known.start, number.to_bytes(4), known.block)

    async def finish(self) -> None:
        """Receive the response to what was begun; see the client's `Exchange.run`."""
        try:
            while not self.is_complete:
                self.check()
                await self.wait()
        except BaseException:
            self._give_up()
            raise
        self._finish()

    async def _run_anyhow(self, request: PreparedRequest, deadline: int) -> None:
        """Do the same whatever the request, the connection and the exchange before are like."""
        self._prepare(request, deadline)
        self._expect_body(is_kept=request.keeps_body)
        try:
            await self._send_request(request)
        except BaseException:
            self._give_up()
            raise
        await self.finish()

    def _give_up(self) -> None:
        self.body = self.take_held()
        self.close()

    def _finish(self) -> None:
        self._take_head()
        self.body = self.take_held()
        self.count()
        if self.is_plain:  # the client is done with it before it waits again
            self._renew_cleanly()
            self._carrier.spare.append(self)

    def _renew_cleanly(self) -> None:
        """Be ready for the next request, but for what the client still reads of the last one."""
        started_at, sent_at = self.started_at, self.sent_at
        first_byte_at, ended_at = self.first_byte_at, self.ended_at
        self.renew(NEVER)
        self.started_at, self.sent_at = started_at, sent_at
        self.first_byte_at, self.ended_at = first_byte_at, ended_at
        self.may_be_unseen = True
        # Where a body of one frame may be too large, none is known by the one before.
        self._is_clean = self._carrier.max_size >= LEAST_FRAME
        self._like = None

    async def start(self, request: PreparedRequest, deadline: int) -> "Http2Body":
        """Send `request` and receive the head of the response; see the client's `Exchange.start`."""
        self._prepare(request, deadline)
        self.is_eager = True
        self.max_size = math.inf
        try:
            await self._send_request(request)
            await self.wait_head()
        except BaseException:
            self.close()
            raise
        self._take_head()
        self.count()
        return Http2Body(self)

    def _prepare(self, request: PreparedRequest, deadline: int) -> None:
        self.renew(deadline)
        self._is_clean = False
        connection = self._carrier
        is_used = self.may_be_unseen = connection.session.next_id > 1
        self.connecting = 0 if is_used else connection.connecting
        self.handshaking = 0 if is_used else connection.handshaking
        self.bytes_sent = self.bytes_received = 0
        self._has_body = request.has_body
        self._forget_response()

    def _forget_response(self) -> None:
        self.status = 0
        self.head = self.lowered = self.body = b""
        self._like = None

    def _expect_body(self, *, is_kept: bool) -> None:
        """Be ready for the data of the response; what is not kept may have any size."""
        self.max_size = self._carrier.max_size if is_kept else math.inf
        self._pieces = None if is_kept else Nowhere()

    async def _send_request(self, request: PreparedRequest) -> None:
        carrier, upload = self._carrier, request.upload
        known = carrier.requests.of(request)
        if known.size > carrier.session.most_fields:
            raise NetworkError(FIELDS_TOO_LARGE)
        if not carrier.is_open or not carrier.session.takes_streams:
            raise NetworkError(CLOSED_EARLY, is_stale=True, is_unseen=True)
        self.send_headers(known.block, is_last=not (request.content or upload))
        if request.content:
            await self.send(request.content, is_last=True)
        elif upload is not None:
            await upload.send(self.send, self.deadline, is_framed=False)
            await self.send(b"", is_last=True)

    def _take_head(self) -> None:
        block = self.block
        assert block is not None
        self.status, self.head, self.is_plain = block.status, block.head, block.is_plain
        self.lowered = block.lowered

    def count(self) -> None:
        """Add the bytes that went over the wire since the last time, and tell when they did."""
        sent, received = self._carrier.take_counts()
        self.bytes_sent += sent
        self.bytes_received += received
        self.ended_at = max(self.ended_at, self._carrier.received_at)

    def complete(self) -> None:
        """Take note of the end of the response; see `Stream.complete`."""
        block = self.block
        if (
            block is not None
            and block.length not in (-1, self.size)
            and self._has_body
            and block.status != _NOT_MODIFIED
        ):
            failure = CLOSED_MIDWAY if self.size < block.length else TRUNCATED
            raise StreamFault(errors.PROTOCOL_ERROR, failure.text, failure)
        super().complete()

    def close(self) -> None:
        """Reset the stream, if it is under way; the connection stays."""
        if self.block is not None:
            self.head = self.block.head
        self.reset()
        sent, received = self._carrier.take_counts()
        self.bytes_sent += sent
        self.bytes_received += received


class Http2Body:
    """The body of a response in pieces: `IncomingBody` of the client."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Http2Exchange) -> None:
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<Http2Body of {self._exchange!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether the end of the body was seen."""
        return self._exchange.is_complete and not self._exchange.size_held

    async def receive(self, deadline: int) -> bytes:
        """Return the next bytes of the body; see `IncomingBody.receive`."""
        exchange = self._exchange
        exchange.deadline = deadline
        try:
            data = await exchange.receive()
        except NetworkError:
            exchange.close()
            raise
        finally:
            exchange.deadline = NEVER
        exchange.count()
        return data
