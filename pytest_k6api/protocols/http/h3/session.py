"""The rules of one HTTP/3 connection: data of its streams in, responses and answers out.

Pure: no socket, no clock. Every frame that a server may send is judged here (RFC 9114); a
server that breaks a rule of the connection is a `Violation`, one of a request ends that.
Everything is bounded: field sections by `MAX_HEAD`, frames of the control stream by 16 KB.
"""

from collections.abc import Callable
from typing import NamedTuple

from pytest_k6api.protocols.http.h3 import errors, frames
from pytest_k6api.protocols.http.h3.qpack import FieldSections
from pytest_k6api.protocols.http.message.errors import CLOSED_MIDWAY, NetworkError, RequestFailure
from pytest_k6api.protocols.http.multiplexed import (
    ANY_FIELDS,
    CANCEL,
    HEAD_TOO_LARGE,
    MAX_HEAD,
    NO_ERROR,
    HeaderBlock,
    Stream,
    StreamFault,
    Violation,
)

_MOST_OF_CONTROL = 16 * 1024
_CODES = {
    NO_ERROR: errors.NO_ERROR,
    CANCEL: errors.REQUEST_CANCELLED,
}
_NOT_ON_CONTROL = frozenset({frames.DATA, frames.HEADERS, frames.PUSH_PROMISE, frames.MAX_PUSH_ID})
_NOT_IN_REQUESTS = frozenset(
    {frames.CANCEL_PUSH, frames.SETTINGS, frames.GOAWAY, frames.MAX_PUSH_ID}
)


class Ended(NamedTuple):
    """A request that this side gives up.

    Attributes:
        id: Its stream.
        code: Why.
        is_complete: Whether the response has come, so that only the upload is left out.
    """

    id: int
    code: int
    is_complete: bool


class _Reading:
    """What was read of one stream up to now.

    Attributes:
        stream: The request; None for a stream of the server's.
        kind: What a stream of the server's is; -1 before it says.
        rest: Bytes that are no whole frame yet.
        left: Bytes of a frame's payload that are still to come.
        is_data: Whether those are the body's; others are passed over.
    """

    __slots__ = ("is_data", "kind", "left", "rest", "stream")

    def __init__(self, stream: Stream | None = None) -> None:
        self.stream = stream
        self.kind = -1
        self.rest = b""
        self.left = 0
        self.is_data = False


class Http3Session:
    """One connection's state.

    Attributes:
        streams: Those of requests under way, by their numbers.
        ended: Requests to reset, which the caller takes.
        unwanted: Streams of the server's that it is to stop, likewise.
        stopped: Requests of which the server wants no more, though it answers them.
        next_id: The number of the next request's stream.
        most_fields: Bytes of header fields that the server takes.
        goaway: The first stream that the server has not dealt with, once it said so.
    """

    __slots__ = (
        "_block", "_is_greeted", "_kinds", "_like", "_readings", "_sections", "ended", "goaway", "most_fields", "next_id",
        "stopped", "streams", "unwanted",
    )  # fmt: skip

    def __init__(self, sections: FieldSections) -> None:
        self._sections = sections
        self.streams: dict[int, Stream] = {}
        self.ended: list[Ended] = []
        self.unwanted: list[int] = []
        self.stopped: set[int] = set()
        self.next_id = 0
        self.most_fields = ANY_FIELDS
        self.goaway: int | None = None
        self._is_greeted = False
        self._readings: dict[int, _Reading] = {}
        self._kinds: set[int] = set()
        # The last HEADERS that were no trailers, and what they say.
        self._like = b""
        self._block: HeaderBlock | None = None

    def __repr__(self) -> str:
        return f"<Http3Session with {len(self.streams)} streams>"

    @property
    def takes_streams(self) -> bool:
        """Whether another request may be made, now or when others have ended."""
        return self.goaway is None

    def open(self, stream: Stream, number: int) -> None:
        """Take note of `stream`, which has the number `number`."""
        stream.id = number
        self.next_id = number + 4
        self.streams[number] = stream
        self._readings[number] = _Reading(stream)

    def end(self, stream: Stream, code: int) -> None:
        """Forget `stream`, and have the server told; no-op if it was forgotten."""
        if self._forget(stream.id) is not None:
            self.ended.append(
                Ended(stream.id, _CODES.get(code, errors.MESSAGE_ERROR), is_complete=False)
            )

    def _forget(self, number: int) -> Stream | None:
        self._readings.pop(number, None)
        self.stopped.discard(number)
        return self.streams.pop(number, None)

    def receive(self, number: int, data: bytes, *, is_last: bool) -> None:
        """Take the next data of the stream `number`, and its end if `is_last`.

        Raises:
            Violation: The connection ends.
        """
        reading = self._readings.get(number)
        if reading is None:
            reading = self._begin(number)
            if reading is None:
                return
        stream = reading.stream
        if stream is None:
            self._read_unidirectional(reading, number, data, is_last=is_last)
            return
        try:
            if is_last and data.startswith(self._like) and self._take_like(reading, stream, data):
                return
            self._read_request(reading, stream, data)
            if is_last:
                self._complete(reading, stream)
        except StreamFault as fault:
            self._fail(number, fault)

    def _begin(self, number: int) -> _Reading | None:
        """Return how to read a stream of the server's; None for a request that is over."""
        if number & 3 == 1:
            raise Violation(errors.STREAM_CREATION_ERROR, "a request of the server's")
        if number & 3 == 0:
            return None
        reading = self._readings[number] = _Reading()
        return reading

    def _fail(self, number: int, fault: StreamFault) -> None:
        stream = self._forget(number)
        if stream is not None:
            code = _CODES.get(fault.code, errors.MESSAGE_ERROR)
            self.ended.append(Ended(number, code, is_complete=False))
            failure = fault.failure or errors.stream_failure(code, str(fault))
            stream.fail(NetworkError(failure))

    def _read_request(self, reading: _Reading, stream: Stream, data: bytes) -> None:
        if reading.rest:
            data = reading.rest + data
            reading.rest = b""
        position = 0
        while position < len(data):
            if reading.left:
                position = self._take_payload(reading, stream, data, position)
                continue
            kind, after = frames.read_number(data, position)
            size, start = frames.read_number(data, after)
            if kind < 0 or size < 0:
                break
            if kind == frames.HEADERS:
                if size > 2 * MAX_HEAD:
                    raise Violation(errors.EXCESSIVE_LOAD, HEAD_TOO_LARGE)
                if start + size > len(data):
                    break
                self._take_section(stream, data[position : start + size], size)
                position = start + size
            else:
                self._check_place(kind, stream)
                reading.is_data = kind == frames.DATA
                reading.left, position = size, start
        reading.rest = data[position:]

    def _take_like(self, reading: _Reading, stream: Stream, data: bytes) -> bool:
        """Take a whole response at once whose head is that of one before; False if it is none."""
        block, start = self._block, len(self._like)
        if block is None or reading.rest or reading.left or stream.block is not None:
            return False
        if start < len(data):
            kind, after = frames.read_number(data, start)
            size, start = frames.read_number(data, after)
            if kind != frames.DATA or size != len(data) - start:
                return False
        body = data[start:]
        if block.length not in {-1, len(body)} or not stream.take_whole(block, body):
            return False
        self._forget(stream.id)
        return True

    def _take_payload(self, reading: _Reading, stream: Stream, data: bytes, position: int) -> int:
        """Take the data of a frame that is there, or pass it over; return what follows it."""
        piece = data[position : position + reading.left]
        reading.left -= len(piece)
        if reading.is_data:
            stream.take_data(piece)
        return position + len(piece)

    def _check_place(self, kind: int, stream: Stream) -> None:
        if kind == frames.PUSH_PROMISE:
            raise Violation(errors.ID_ERROR, "PUSH_PROMISE, which was never allowed")
        if kind in _NOT_IN_REQUESTS or kind in frames.OF_HTTP2:
            raise Violation(errors.FRAME_UNEXPECTED, f"a frame {kind:#x} of a request")
        if kind == frames.DATA and (stream.block is None or stream.trailers is not None):
            where = "before HEADERS" if stream.block is None else "behind trailers"
            raise Violation(errors.FRAME_UNEXPECTED, f"DATA {where}")

    def _take_section(self, stream: Stream, frame: bytes, size: int) -> None:
        block = self._sections.read(frame[len(frame) - size :])
        if stream.trailers is not None:
            raise Violation(errors.FRAME_UNEXPECTED, "HEADERS behind trailers")
        # Behind trailers nothing may come, but only the end of the stream tells that it does not.
        stream.take_block(block, is_last=stream.block is not None)
        if stream.trailers is None:
            self._like, self._block = frame, stream.block

    def _complete(self, reading: _Reading, stream: Stream) -> None:
        if reading.rest or reading.left:
            raise Violation(errors.FRAME_ERROR, "a stream that ends within a frame")
        stream.complete()
        self._forget(stream.id)
        if not stream.has_sent_all:  # the rest of the upload is not wanted (4.1)
            self.ended.append(Ended(stream.id, errors.NO_ERROR, is_complete=True))

    def _read_unidirectional(
        self, reading: _Reading, number: int, data: bytes, *, is_last: bool
    ) -> None:
        if reading.kind < 0:
            data = reading.rest + data
            kind, position = frames.read_number(data, 0)
            if kind < 0:
                reading.rest = data
                if is_last:
                    del self._readings[number]
                return
            reading.rest, data = b"", data[position:]
            self._set_kind(reading, number, kind)
        if reading.kind == frames.CONTROL_STREAM:
            self._read_control(reading, data)
        elif reading.kind == frames.ENCODER_STREAM and data.strip(b"\x20"):
            # All that may be said without a dynamic table is that its size is 0.
            raise Violation(errors.ENCODER_STREAM_ERROR, "an entry for a table of no size")
        if is_last:
            if reading.kind in self._kinds:
                raise Violation(errors.CLOSED_CRITICAL_STREAM, "the end of a critical stream")
            del self._readings[number]

    def _set_kind(self, reading: _Reading, number: int, kind: int) -> None:
        if kind == frames.PUSH_STREAM:
            raise Violation(errors.ID_ERROR, "a push, which was never allowed")
        reading.kind = kind
        if kind > frames.DECODER_STREAM:
            self.unwanted.append(number)
            return
        if kind in self._kinds:
            raise Violation(errors.STREAM_CREATION_ERROR, "a second stream of its kind")
        self._kinds.add(kind)

    def _read_control(self, reading: _Reading, data: bytes) -> None:
        data = reading.rest + data
        position = 0
        while position < len(data):
            if reading.left:
                passed = min(reading.left, len(data) - position)
                reading.left -= passed
                position += passed
                continue
            kind, after = frames.read_number(data, position)
            size, start = frames.read_number(data, after)
            if kind < 0 or size < 0:
                break
            self._check_control(kind, size)
            handle = _HANDLERS.get(kind)
            if handle is None:  # others are ignored (9)
                reading.left, position = size, start
                continue
            if start + size > len(data):
                break
            handle(self, data[start : start + size])
            position = start + size
        reading.rest = data[position:]

    def _check_control(self, kind: int, size: int) -> None:
        if not self._is_greeted and kind != frames.SETTINGS:
            raise Violation(errors.MISSING_SETTINGS, "no SETTINGS at first")
        if kind in _NOT_ON_CONTROL or kind in frames.OF_HTTP2:
            raise Violation(errors.FRAME_UNEXPECTED, f"a frame {kind:#x} of the connection")
        if kind in _HANDLERS and size > _MOST_OF_CONTROL:
            raise Violation(errors.EXCESSIVE_LOAD, f"a frame {kind:#x} of {size} bytes")

    def _on_settings(self, payload: bytes) -> None:
        if self._is_greeted:
            raise Violation(errors.FRAME_UNEXPECTED, "SETTINGS once more")
        self._is_greeted = True
        settings = frames.read_settings(payload)
        if settings is None:
            raise Violation(errors.FRAME_ERROR, "SETTINGS that are cut")
        names = [name for name, _ in settings]
        if len(set(names)) < len(names) or not frames.SETTINGS_OF_HTTP2.isdisjoint(names):
            raise Violation(errors.SETTINGS_ERROR, "a setting twice, or one of HTTP/2")
        self.most_fields = dict(settings).get(frames.MAX_FIELD_SECTION_SIZE, ANY_FIELDS)

    def _on_goaway(self, payload: bytes) -> None:
        first, end = frames.read_number(payload, 0)
        if first < 0 or end != len(payload):
            raise Violation(errors.FRAME_ERROR, "GOAWAY that is no number")
        if first & 3 or (self.goaway is not None and first > self.goaway):
            raise Violation(errors.ID_ERROR, "GOAWAY with a number that it may not have")
        self.goaway = first
        for number in [number for number in self.streams if number >= first]:
            stream = self._forget(number)
            assert stream is not None
            self.ended.append(Ended(number, errors.REQUEST_CANCELLED, is_complete=False))
            stream.fail(NetworkError(errors.GOAWAY, is_stale=True, is_unseen=True))

    def _on_cancel_push(self, _payload: bytes) -> None:
        raise Violation(errors.ID_ERROR, "CANCEL_PUSH of what was never promised")

    def reset(self, number: int, code: int) -> None:
        """Take note that the server sends no more of the stream `number`.

        Raises:
            Violation: It is one that the connection depends on.
        """
        reading = self._readings.get(number)
        if reading is not None and reading.stream is None and reading.kind in self._kinds:
            raise Violation(errors.CLOSED_CRITICAL_STREAM, "the end of a critical stream")
        stream = self._forget(number)
        if stream is None:
            return
        if not stream.has_sent_all:
            self.ended.append(Ended(number, errors.REQUEST_CANCELLED, is_complete=True))
        is_unseen = code == errors.REQUEST_REJECTED
        failure = errors.stream_failure(code)
        stream.fail(NetworkError(failure, is_stale=is_unseen, is_unseen=is_unseen))

    def stop(self, number: int, code: int) -> None:
        """Take note that the server takes no more of the stream `number`.

        Raises:
            Violation: It is one that the connection depends on.
        """
        stream = self.streams.get(number)
        if stream is None:
            if number & 3 == 2:
                raise Violation(errors.CLOSED_CRITICAL_STREAM, "the end of a critical stream")
            return
        if code != errors.NO_ERROR:
            self.reset(number, code)
            return
        # The response goes on, and the rest of the upload is left out.
        self.stopped.add(number)

    def lose(self, failure: RequestFailure | None, *, is_gone: bool) -> None:
        """End all requests, because the connection has ended.

        Args:
            failure: Why; None if the server has said all that there is to say.
            is_gone: Whether the server has closed it, perhaps before it saw the requests.
        """
        if failure is None:
            failure = CLOSED_MIDWAY if self.goaway is None else errors.GOAWAY
        streams, self.streams = self.streams, {}
        self._readings.clear()
        self.stopped.clear()
        for stream in streams.values():
            is_stale = is_gone and stream.may_be_unseen and stream.block is None
            stream.fail(NetworkError(failure, is_stale=is_stale))


_HANDLERS: dict[int, Callable[[Http3Session, bytes], None]] = {
    frames.SETTINGS: Http3Session._on_settings,
    frames.GOAWAY: Http3Session._on_goaway,
    frames.CANCEL_PUSH: Http3Session._on_cancel_push,
}
