"""An HTTP/3 connection: several exchanges at once over one QUIC connection, a line of `Traffic`.

The rules are the `Http3Session`'s, bytes and datagrams the `QuicSocket`'s. What all streams have to
say in a turn of the loop goes out together, acknowledgements included; whichever task is
resumed hands out what QUIC has received.
"""

import errno
import math
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from time import perf_counter

from qh3.quic.connection import QuicConnectionError
from qh3.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from pytest_k6api.protocols.http.h3 import errors, frames
from pytest_k6api.protocols.http.h3.qpack import PREFIX, FieldSections, encode_fields
from pytest_k6api.protocols.http.h3.quic import (
    MARK,
    RESET_BY_PEER,
    QuicSocket,
    is_refusal,
)
from pytest_k6api.protocols.http.h3.session import Http3Session
from pytest_k6api.protocols.http.h3.timers import QuicTimers
from pytest_k6api.protocols.http.message.errors import CLOSED_EARLY, NetworkError, explain_transfer
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.multiplexed import (
    MAX_HEAD,
    MOST_UNSENT,
    STREAM_WINDOW,
    ExchangeCarrier,
    MultiplexedConnection,
    RequestBlocks,
    Stream,
    StreamExchange,
    Violation,
)
from pytest_k6api.protocols.http.net.batched_io import Traffic

_SETTINGS = frames.number(frames.CONTROL_STREAM) + frames.frame(
    frames.SETTINGS, frames.number(frames.MAX_FIELD_SECTION_SIZE) + frames.number(MAX_HEAD)
)
"""What a client says first. Without the other settings there is no dynamic table, and no push."""


class Http3Shared:
    """What the HTTP/3 connections of a load test share.

    Attributes:
        requests: The field sections of requests.
        sections: Reads those of responses.
        timers: Look after QUIC's.
    """

    __slots__ = ("requests", "sections", "timers")

    def __init__(self) -> None:
        self.requests = RequestBlocks(is_tls=True, encode=encode_fields)
        self.sections = FieldSections()
        self.timers = QuicTimers()

    def __repr__(self) -> str:
        return f"<Http3Shared: {self.sections!r}, {self.timers!r}>"


class Http3Exchange(StreamExchange[ExchangeCarrier]):
    """A request and its response over HTTP/3; see `StreamExchange`."""

    first_id = 0
    fields_too_large, truncated = errors.FIELDS_TOO_LARGE, errors.TRUNCATED

    __slots__ = ()

    def run(self, request: PreparedRequest, deadline: int) -> Awaitable[None]:
        """Send `request` and receive the response; see the client's `Exchange.run`."""
        return self._run_anyhow(request, deadline)


class Http3Connection(MultiplexedConnection[Http3Session]):
    """One connection; see `Connection` of the client for what that uses.

    Attributes:
        requests: The field sections of requests.
        due_at: When QUIC's timers are looked at next.

    Args:
        sock: The socket; its handshake is over.
        max_size: The most bytes that a response's body may have; None for no limit.
        shared: What the connections of a load test share.
        traffic: Sends and receives.
    """

    __slots__ = ("_counted", "_heard", "_quic", "_socket", "_timers", "due_at", "requests")

    def __init__(
        self,
        sock: QuicSocket,
        max_size: int | None,
        shared: Http3Shared,
        traffic: Traffic,
    ) -> None:
        session = Http3Session(shared.sections)
        super().__init__(sock, "HTTP/3.0 tls1.3", max_size, session, traffic)
        self._socket, self._quic = sock, sock.quic
        self.requests = shared.requests
        self.due_at = math.inf
        self._timers = shared.timers
        self._counted = (0, 0)
        # Datagrams that had come when a request was given up.
        self._heard = -1
        self._quic.send_stream_data(
            self._quic.get_next_available_stream_id(is_unidirectional=True), _SETTINGS
        )
        self.send_soon(MARK)

    def open_exchange(self) -> Http3Exchange:
        """Return what the next request runs in."""
        return self.spare.pop() if self.spare else Http3Exchange(self)

    def begin_all(self, _requests: Sequence[PreparedRequest], _deadline: int) -> None:
        """Begin nothing: each request has a task of its own."""

    @property
    def has_room(self) -> bool:
        """Whether another exchange may be opened beside those under way."""
        session = self.session
        is_willing = self.is_open and self.is_reusable and session.takes_streams
        return is_willing and session.next_id >> 2 < self._quic.max_concurrent_bidi_streams

    @property
    def deadline(self) -> int:
        """When the first of the streams is overdue; 0 if something has come and nobody waits."""
        if self.has_news and self.task is None and self.is_open:
            return 0
        return super().deadline

    def wake(self) -> None:
        """Resume the tasks of overdue streams, and acknowledge what nobody waits for.

        Or a server would take a slow reader for one that is gone.
        """
        if self.has_news and self.task is None and self.is_open:
            self._read_news()
        super().wake()

    def send_soon(self, data: bytes) -> None:
        """Send what QUIC has to say when the loop comes round; `data` is a mark."""
        if not self.wire:
            super().send_soon(data)

    def open_stream(self, stream: Stream, block: bytes, *, is_last: bool) -> None:
        """Give `stream` a number and send its field section."""
        number = self._quic.get_next_available_stream_id()
        self._write(number, frames.frame(frames.HEADERS, PREFIX + block), is_last=is_last)
        self.session.open(stream, number)
        self.starting.append(stream)

    def _write(self, number: int, data: bytes, *, is_last: bool) -> None:
        try:
            self._quic.send_stream_data(number, data, is_last)
        except (QuicConnectionError, ValueError, AssertionError) as error:
            self.is_reusable = False  # it has ended, or its streams are used up
            raise NetworkError(CLOSED_EARLY, is_stale=True, is_unseen=True) from error
        self.send_soon(MARK)

    def room_for(self, stream: Stream) -> int:
        """Return how many bytes of data can be sent now; 0 or less for none."""
        room = MOST_UNSENT - self._quic.get_send_buffer_size(stream.id)
        self._is_congested = self._is_congested or room <= 0
        return room

    def put_data(self, stream: Stream, data: memoryview, *, is_last: bool) -> None:
        """Send `data`, for which there is room."""
        if stream.id in self.session.stopped:
            return
        if stream not in self.starting:
            self.starting.append(stream)
        wire = frames.frame(frames.DATA, bytes(data)) if data else b""
        self._write(stream.id, wire, is_last=is_last)

    def end_stream(self, stream: Stream, code: int) -> None:
        """Reset `stream`, and see whether the server is there at all; no-op if it has ended."""
        if stream.id not in self.session.streams:
            return
        self.session.end(stream, code)
        # Each request that is given up makes the server say something, be it only that it
        # has heard so. One that has said nothing since the last time is not there.
        heard = self._socket.datagrams_received
        if heard == self._heard:
            self.is_reusable = False
        self._heard = heard
        self._answer()
        self._resume_if_drained()

    def refill(self, _stream: Stream) -> None:
        """Let more come, if it is what was taken that stood in the way."""
        self._resume_if_drained()

    def _resume_if_drained(self) -> None:
        if not self._socket.is_paused or self._is_full():
            return
        try:
            self._socket.resume()
        except OSError as error:
            self._lose(error)
            return
        self.has_news = True
        self._receive(MARK)
        self.appoint()

    def _is_full(self) -> bool:
        streams = self.session.streams.values()
        return any(each.is_eager and each.size_held > STREAM_WINDOW for each in streams)

    def take(self) -> bytes | None:
        """Return what a task was resumed with; see `DuplexLine.take`."""
        data = super().take()
        if self._socket.may_have_more:
            self.has_news = True
        return data

    def flush(self) -> bool:
        """Send what QUIC has to say; see `DuplexLine.flush`."""
        is_done = super().flush()
        if self.is_open:
            self._timers.watch(self, self._socket.timer)
        return is_done

    def _receive(self, _data: bytes) -> None:
        session = self.session
        try:
            for event in self._socket.take_events():
                self._take_event(event)
        except Violation as violation:
            self._break(violation)
            return
        if session.goaway is not None:
            self.is_reusable = False
        if session.ended or session.unwanted:
            self._answer()
        if self._socket.has_ended:
            self._end()
        else:
            self._go_on()

    def _go_on(self) -> None:
        """See to it that the server can send more, and those who wait to send go on."""
        session = self.session
        if self._is_congested:
            self._is_congested = False
            for stream in session.streams.values():
                stream.notify_sender()
        if session.streams:
            if self._is_full():
                self._socket.pause()
            self.send_soon(MARK)  # or the server would wait for acknowledgements
        else:
            self._timers.watch(self, self._socket.timer)

    def _take_event(self, event: QuicEvent) -> None:
        session = self.session
        if isinstance(event, StreamDataReceived):
            session.receive(event.stream_id, event.data, is_last=event.end_stream)
        elif isinstance(event, StreamReset):
            session.reset(event.stream_id, event.error_code)
        elif isinstance(event, StopSendingReceived):
            session.stop(event.stream_id, event.error_code)

    def _answer(self) -> None:
        """Tell the server which streams go no further."""
        session = self.session
        ended, session.ended = session.ended, []
        unwanted, session.unwanted = session.unwanted, []
        with suppress(QuicConnectionError, ValueError, AssertionError):
            for number in unwanted:
                self._quic.stop_stream(number, errors.STREAM_CREATION_ERROR)
        for request in ended:
            with suppress(QuicConnectionError, ValueError, AssertionError):
                self._quic.reset_stream(request.id, request.code)
            if not request.is_complete:
                with suppress(QuicConnectionError, ValueError, AssertionError):
                    self._quic.stop_stream(request.id, request.code)
        if self.is_open:
            self.send_soon(MARK)

    def _break(self, violation: Violation) -> None:
        failure = violation.failure or errors.connection_failure(violation.code, str(violation))
        self.session.lose(failure, is_gone=False)
        self._socket.close(violation.code)
        self.close()

    def _end(self) -> None:
        """Tell the streams that one of the sides has ended the connection."""
        failure = self._socket.failure
        with suppress(OSError):
            self._socket.flush()
        self.session.lose(failure, is_gone=failure in {None, RESET_BY_PEER})
        self.close()

    def _lose(self, error: Exception | None) -> None:
        if isinstance(error, OSError) and is_refusal(error):
            error = ConnectionResetError(errno.ECONNRESET, "")
        failure = explain_transfer(error, "read") if isinstance(error, OSError) else None
        self.session.lose(failure, is_gone=isinstance(error, ConnectionResetError))
        self.close()

    def fire(self) -> float:
        """Do what is due by QUIC's timers; return when to look again."""
        sock = self._socket
        due = math.inf
        try:
            if sock.timer <= perf_counter():
                sock.handle_timer()
            # While it owes a response, a server shall not think that nobody is there.
            due = sock.stay_connected() if self.session.streams else sock.timer
        except BlockingIOError:
            self.send_soon(MARK)
        except OSError as error:
            self._lose(error)
        if self.is_open and sock.has_events:
            self._receive(MARK)
            self.appoint()
        return due

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes of datagrams sent and received since the last call."""
        sent, received = self._counted
        sock = self._socket
        self._counted = sock.bytes_sent, sock.bytes_received
        return sock.bytes_sent - sent, sock.bytes_received - received
