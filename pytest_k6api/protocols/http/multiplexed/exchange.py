"""One request and its response as a stream of a connection: the client's `Exchange`."""

import math
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from trio.lowlevel import Abort, RaiseCancelT

from pytest_k6api.protocols.http.message.bodies import Nowhere
from pytest_k6api.protocols.http.message.errors import (
    CLOSED_EARLY,
    CLOSED_MIDWAY,
    NetworkError,
    RequestFailure,
)
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.multiplexed.faults import PROTOCOL_ERROR, StreamFault
from pytest_k6api.protocols.http.multiplexed.requests import RequestBlocks
from pytest_k6api.protocols.http.multiplexed.streams import Carrier, Stream
from pytest_k6api.protocols.http.net.batched_io import NEVER

_NOT_MODIFIED = 304

ANY_FIELDS = 1 << 62
"""More bytes of header fields than a peer can limit them to."""


class AnySession(Protocol):
    """The state of a connection, whatever version it speaks.

    Attributes:
        streams: Those under way, by their numbers.
        next_id: The number of the next stream.
        most_fields: Bytes of header fields that the server takes.
    """

    streams: dict[int, Stream]
    next_id: int
    most_fields: int

    @property
    def takes_streams(self) -> bool:
        """Whether another stream may be opened, now or when others have ended."""

    def lose(self, failure: RequestFailure | None, *, is_gone: bool) -> None:
        """End all streams, because the connection has ended."""


SessionT = TypeVar("SessionT", bound=AnySession)


class ExchangeCarrier(Carrier, Protocol):
    """The part of a connection that its exchanges use.

    Attributes:
        ready_at, connecting, handshaking, ended_at, is_open, protocol: See the client's `Connection`.
        max_size: The most bytes that a body may have.
        requests: The blocks of requests.
        spare: Exchanges that are over and serve further requests.
    """

    ready_at: int
    connecting: int
    handshaking: int
    ended_at: int
    is_open: bool
    protocol: str
    max_size: float
    requests: RequestBlocks
    spare: list[Any]  # of its own kind

    @property
    def session(self) -> AnySession:
        """The connection's state."""

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes sent and received since the last call."""


CarrierT = TypeVar("CarrierT", bound=ExchangeCarrier)


class StreamExchange(Stream, Generic[CarrierT]):
    """A stream as the client takes it; it serves another request when it is over.

    Its attributes are `Exchange`'s, and those of `Stream`. A version says, for its class, what
    number its first stream has (`first_id`), and what requests are told that have more fields
    than the server takes (`fields_too_large`), and responses more data than they said (`truncated`).
    """

    first_id: ClassVar[int]
    fields_too_large: ClassVar[RequestFailure]
    truncated: ClassVar[RequestFailure]

    __slots__ = (
        "_carrier", "_has_body", "body", "bytes_received", "bytes_sent", "connecting",
        "handshaking", "head", "is_plain", "lowered", "protocol", "ready_at", "status",
    )  # fmt: skip

    def __init__(self, connection: CarrierT) -> None:
        super().__init__(connection)
        self._carrier = connection
        self.is_eager = False
        self.max_size = connection.max_size
        self.protocol = connection.protocol
        self.ready_at = connection.ready_at
        self.connecting = self.handshaking = 0
        self.is_plain = self._has_body = False
        self.bytes_sent = self.bytes_received = self.status = 0
        self.head = self.lowered = self.body = b""

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
            self._be_spare()
            self._carrier.spare.append(self)

    def _be_spare(self) -> None:
        """Prepare for the next request what the client does not read any more."""

    async def start(self, request: PreparedRequest, deadline: int) -> "StreamedBody":
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
        return StreamedBody(self)

    def _prepare(self, request: PreparedRequest, deadline: int) -> None:
        self.renew(deadline)
        connection = self._carrier
        is_used = self.may_be_unseen = connection.session.next_id > self.first_id
        self.connecting = 0 if is_used else connection.connecting
        self.handshaking = 0 if is_used else connection.handshaking
        self.bytes_sent = self.bytes_received = 0
        self._has_body = request.has_body
        self._forget_response()

    def _forget_response(self) -> None:
        self.status = 0
        self.head = self.lowered = self.body = b""

    def _expect_body(self, *, is_kept: bool) -> None:
        """Be ready for the data of the response; what is not kept may have any size."""
        self.max_size = self._carrier.max_size if is_kept else math.inf
        self._pieces = None if is_kept else Nowhere()

    async def _send_request(self, request: PreparedRequest) -> None:
        carrier, upload = self._carrier, request.upload
        known = carrier.requests.of(request)
        if known.size > carrier.session.most_fields:
            raise NetworkError(self.fields_too_large)
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

    def _abort(self, raise_cancel: RaiseCancelT) -> Abort:
        self.deadline = NEVER  # of a wait that is over
        return super()._abort(raise_cancel)

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
            failure = CLOSED_MIDWAY if self.size < block.length else self.truncated
            raise StreamFault(PROTOCOL_ERROR, failure)
        super().complete()

    def close(self) -> None:
        """Reset the stream, if it is under way; the connection stays."""
        if self.block is not None:
            self.head = self.block.head
        self.reset()
        sent, received = self._carrier.take_counts()
        self.bytes_sent += sent
        self.bytes_received += received


class StreamedBody:
    """The body of a response in pieces: `IncomingBody` of the client."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: StreamExchange[Any]) -> None:
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<StreamedBody of {self._exchange!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether the end of the body was seen."""
        return self._exchange.is_complete and not self._exchange.size_held

    def park(self, deadline: int) -> object | None:
        """Have this task resumed by what comes next; see `IncomingBody.park`."""
        exchange = self._exchange
        if exchange.size_held or exchange.is_complete or exchange.error is not None:
            return None
        exchange.deadline = deadline
        return exchange.park()

    def take(self) -> bytes | None:
        """Return what has come for the body; see `IncomingBody.take`."""
        exchange = self._exchange
        try:
            exchange.go_on()
            data = exchange.receive_nowait()
        except NetworkError:
            exchange.close()
            raise
        finally:
            exchange.deadline = NEVER
        if data is not None:
            exchange.count()
        return data

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
