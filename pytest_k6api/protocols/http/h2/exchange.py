"""One request and its response over HTTP/2: the client's `Exchange`."""

import types
from collections.abc import Generator
from typing import Protocol

from outcome import Outcome
from trio.lowlevel import current_task

from pytest_k6api.protocols.http.h2.errors import FIELDS_TOO_LARGE, TRUNCATED
from pytest_k6api.protocols.http.h2.frames import LEAST_FRAME
from pytest_k6api.protocols.http.h2.session import Session
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.multiplexed import (
    ExchangeCarrier,
    HeaderBlock,
    RequestBlock,
    Stream,
    StreamExchange,
)
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.http.net.tls import TlsSocket


class Http2Carrier(ExchangeCarrier, Protocol):
    """The part of a connection that its exchanges use.

    Attributes:
        session: The connection's state.
        starting: Streams of which something is still to be sent.
        tls: The socket, if there is TLS over it.
    """

    session: Session
    starting: list[Stream]
    tls: TlsSocket | None

    def send_soon(self, data: bytes) -> None:
        """Send `data` when the loop comes round."""

    def answer(self) -> None:
        """Send what the session has to say, likewise."""


class Http2Exchange(StreamExchange[Http2Carrier]):
    """A stream as the client takes it; it serves another request when it is over.

    Its attributes are those of `StreamExchange`.
    """

    first_id = 1
    fields_too_large, truncated = FIELDS_TOO_LARGE, TRUNCATED

    __slots__ = ("_is_clean", "_like")

    def __init__(self, connection: Http2Carrier) -> None:
        # Whether it is as `renew` leaves it, but for the times; and what the attributes of the
        # response were taken from, if that was all.
        self._is_clean = False
        self._like: HeaderBlock | None = None
        super().__init__(connection)

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
            self.first_byte_at = first_byte_at
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
            self.started_at = self.first_byte_at = self.bytes_sent = self.bytes_received = 0
            self._has_body = request.has_body
            self._forget_response()
        else:
            self._prepare(request, deadline)
        self.has_sent_all = True
        number = connection.session.open(self)
        connection.starting.append(self)
        return b"%b%b%b" % (known.start, number.to_bytes(4), known.block)

    def _be_spare(self) -> None:
        started_at, sent_at = self.started_at, self.sent_at
        first_byte_at, ended_at = self.first_byte_at, self.ended_at
        self.renew(NEVER)
        self.started_at, self.sent_at = started_at, sent_at
        self.first_byte_at, self.ended_at = first_byte_at, ended_at
        self.may_be_unseen = True
        # Where a body of one frame may be too large, none is known by the one before.
        self._is_clean = self._carrier.max_size >= LEAST_FRAME
        self._like = None

    def _prepare(self, request: PreparedRequest, deadline: int) -> None:
        self._is_clean = False
        super()._prepare(request, deadline)

    def _forget_response(self) -> None:
        super()._forget_response()
        self._like = None
