"""An HTTP/2 connection: several exchanges at once over one line of `Traffic`.

The rules are the `Session`'s. Here bytes come and go: what all streams have to say in a turn
of the loop goes out in one system call, and whichever task is resumed with bytes hands them
to the streams.
"""

from collections.abc import Sequence

from pytest_k6api.protocols.http.h2 import errors, frames
from pytest_k6api.protocols.http.h2.calls import CallStream
from pytest_k6api.protocols.http.h2.exchange import Http2Exchange
from pytest_k6api.protocols.http.h2.header_blocks import ResponseBlocks
from pytest_k6api.protocols.http.h2.hpack import NO_TABLE, encode_block
from pytest_k6api.protocols.http.h2.session import Session
from pytest_k6api.protocols.http.h2.together import Http2Together
from pytest_k6api.protocols.http.message.errors import explain_transfer, is_end_of_tls, is_gone
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.multiplexed import (
    MAX_HEAD,
    MOST_UNSENT,
    STREAM_WINDOW,
    MultiplexedConnection,
    RequestBlocks,
    SharedBlocks,
    Stream,
    Violation,
)
from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.tcp import NonBlockingSocket

# Bytes that wait to be sent, beyond which a peer that asks without end and does not read is left.
_FAR_TOO_MUCH = 1024 * 1024

_GREETING = (
    frames.PREFACE
    + frames.settings(
        {
            frames.ENABLE_PUSH: 0,
            frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            frames.MAX_HEADER_LIST_SIZE: MAX_HEAD,
        }
    )
    + frames.window_update(0, frames.MAX_WINDOW - frames.DEFAULT_WINDOW)
)
"""What a client says first. Windows are so large that they hold nothing up."""


class Http2Caches:
    """What the HTTP/2 connections of a load test share: header blocks, both ways."""

    __slots__ = ("clear", "responses", "tls")

    def __init__(self) -> None:
        self.responses = SharedBlocks()
        self.tls, self.clear = (
            RequestBlocks(is_tls=is_tls, encode=encode_block, start_of=frames.start_of_whole)
            for is_tls in (True, False)
        )

    def __repr__(self) -> str:
        return f"<Http2Caches of {self.responses!r}>"


class Http2Connection(MultiplexedConnection[Session]):
    """One connection; see `Connection` of the client for what that uses.

    Attributes:
        requests: The blocks of requests.
        calls: Calls that are over and serve again.
        tls: The socket, if there is TLS over it.

    Args:
        sock: The connected socket.
        protocol: k6's tags ``proto`` and ``tls_version``.
        max_size: The most bytes that a response's body may have; None for no limit.
        caches: Those of the load test.
        traffic: Sends and receives.
    """

    __slots__ = ("_counted", "calls", "requests", "tls")

    def __init__(
        self,
        sock: NonBlockingSocket,
        protocol: str,
        max_size: int | None,
        caches: Http2Caches,
        traffic: Traffic,
    ) -> None:
        session = Session(ResponseBlocks(caches.responses))
        super().__init__(sock, protocol, max_size, session, traffic)
        self.tls = self._tls
        self.requests = caches.clear if self._tls is None else caches.tls
        self.calls: list[CallStream] = []
        self._counted = (0, 0)
        self.send_soon(_GREETING)

    def open_exchange(self) -> Http2Exchange:
        """Return what the next request runs in."""
        return self.spare.pop() if self.spare else Http2Exchange(self)

    def open_call(self) -> CallStream:
        """Return what the next call of a protocol over HTTP/2 runs in."""
        return self.calls.pop() if self.calls else CallStream(self)

    def begin_all(self, requests: Sequence[PreparedRequest], deadline: int) -> Http2Together | None:
        """Send all of `requests` for one task; see the client's `Connection.begin_all`."""
        session, known = self.session, self.requests.known
        blocks = [known.get(request.wire) for request in requests]
        is_easy = all(block and block.start and session.takes(block.size) for block in blocks)
        if not is_easy or not self.has_room:
            return None
        if len(session.streams) + len(requests) > session.most_streams:
            return None
        together = Http2Together(self)
        together.begin(zip(requests, filter(None, blocks), strict=True), deadline)
        return together

    @property
    def has_room(self) -> bool:
        """Whether another exchange may be opened beside those under way."""
        return self.is_open and self.is_reusable and self.session.has_room

    def open_stream(self, stream: Stream, block: bytes, *, is_last: bool) -> None:
        """Give `stream` a number and send its header block."""
        number = self.session.open(stream)
        if number == 1:
            block = NO_TABLE + block
        self.starting.append(stream)
        self.send_soon(frames.header_frames(number, block, frames.LEAST_FRAME, is_last=is_last))

    def room_for(self, stream: Stream) -> int:
        """Return how many bytes of data can be sent now; 0 or less for none."""
        unsent = MOST_UNSENT - len(self.wire)
        self._is_congested = self._is_congested or unsent <= 0
        return min(stream.send_window, self.session.send_window, unsent)

    def put_data(self, stream: Stream, data: memoryview, *, is_last: bool) -> None:
        """Send `data`, for which there is room."""
        stream.send_window -= len(data)
        self.session.send_window -= len(data)
        if stream not in self.starting:
            self.starting.append(stream)
        size = min(self.session.frame_size, MOST_UNSENT)
        self.send_soon(frames.data_frames(stream.id, data, size, is_last=is_last))

    def end_stream(self, stream: Stream, code: int) -> None:
        """Reset `stream`, and see whether the server is there at all; no-op if it has ended."""
        if stream.id not in self.session.streams:
            return
        self.session.end(stream, code)
        # A server that says nothing to one stream may say something to the next; one that
        # does not even answer a PING in the meantime does not.
        if not self.session.probe():
            self.is_reusable = False
        self.answer()

    def refill(self, stream: Stream) -> None:
        """Let more of `stream` come, whose data was taken."""
        if stream.id in self.session.streams:
            self.session.refill(stream)
            self.answer()

    def _receive(self, data: bytes) -> None:
        session = self.session
        try:
            session.receive(data)
        except Violation as violation:
            self._break(violation)
            return
        if session.answers:
            self.answer()
        if session.goaway is not None:
            self.is_reusable = False

    def answer(self) -> None:
        """Send what the session has to say, when the loop comes round."""
        answers, self.session.answers = self.session.answers, b""
        if len(self.wire) + len(answers) > _FAR_TOO_MUCH:
            self._break(Violation(errors.ENHANCE_YOUR_CALM, "answers that are not taken"))
        elif self.is_open:
            self.send_soon(answers)

    def _break(self, violation: Violation) -> None:
        self.send_soon(frames.goaway(violation.code))
        self.flush()
        failure = violation.failure or errors.connection_failure(violation.code, str(violation))
        self.session.lose(failure, is_gone=False)
        self.close()

    def _lose(self, error: Exception | None) -> None:
        """Tell the streams that the connection has ended, by `error` or properly."""
        failure = None
        # What the server said last tells more than how it closed.
        if isinstance(error, OSError) and not is_end_of_tls(error) and self.session.goaway is None:
            failure = explain_transfer(error, "read")
        gone = error is None or (isinstance(error, OSError) and is_gone(error))
        self.session.lose(failure, is_gone=gone)
        self.close()

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes sent and received since the last call."""
        if self._tls is not None:
            return self._tls.take_counts()
        sent, received = self._counted
        self._counted = self.bytes_sent, self.bytes_received
        return self.bytes_sent - sent, self.bytes_received - received

    def close(self) -> None:
        """Close the socket at once; streams under way fail."""
        super().close()
        self.calls.clear()
