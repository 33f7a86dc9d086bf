"""The rules of one HTTP/2 connection: frames in, events for its streams and answers out.

Pure: no socket, no clock. Every frame that a server may send is judged here (RFC 9113);
a server that breaks a rule of the connection is a `Violation`, one of a stream ends that.
Everything is bounded: frames by their size, header blocks by `MAX_HEAD`, answers by the
caller, who ends a connection that does not take them.
"""

from collections.abc import Callable

from pytest_k6api.protocols.http.h2 import errors, frames
from pytest_k6api.protocols.http.h2.frames import LAST_STREAM
from pytest_k6api.protocols.http.h2.header_blocks import ResponseBlocks, UnfinishedBlock
from pytest_k6api.protocols.http.h2.patterns import (
    NO_LEAD,
    AnyPattern,
    Asides,
    CallPattern,
    Pattern,
)
from pytest_k6api.protocols.http.message.errors import CLOSED_MIDWAY, NetworkError, RequestFailure
from pytest_k6api.protocols.http.multiplexed import (
    ANY_FIELDS,
    NO_ERROR,
    PROTOCOL_ERROR,
    STREAM_WINDOW,
    HeaderBlock,
    Stream,
    StreamFault,
    Violation,
)

# Until a server says how many streams it takes at once; and where it never does.
_FIRST_STREAMS = 100
_MOST_STREAMS = 1000
# Bytes of the connection's window that are given back at once.
_REFILL = 1 << 30


class Session:
    """One connection's state.

    Attributes:
        streams: Those under way, by their numbers.
        answers: Bytes to send; the caller takes them.
        next_id: The number of the next stream.
        send_window: Bytes of bodies that the server takes now, in all streams together.
        first_window: The same of a new stream.
        frame_size: Bytes of a frame that it takes.
        most_streams: Streams that it takes at once.
        most_fields: Bytes of header fields that it takes.
        goaway: Its GOAWAY, once there was one.
        is_greeted: Whether the server has said its SETTINGS.
        is_probed: Whether a PING of ours waits for its answer.
    """

    __slots__ = (
        "_asides", "_begun", "_consumed", "_latest", "_pattern", "_rest", "answers", "blocks", "first_window",
        "frame_size", "goaway", "is_greeted", "is_probed", "most_fields", "most_streams", "next_id",
        "send_window", "streams",
    )  # fmt: skip

    def __init__(self, blocks: ResponseBlocks) -> None:
        self.blocks = blocks
        self.streams: dict[int, Stream] = {}
        self.answers = self._rest = b""
        self.next_id = 1
        self.send_window = self.first_window = frames.DEFAULT_WINDOW
        self.frame_size = frames.LEAST_FRAME
        self.most_streams = _FIRST_STREAMS
        self.most_fields = ANY_FIELDS
        self.goaway: frames.Goaway | None = None
        self.is_probed = self.is_greeted = False
        self._begun: UnfinishedBlock | None = None
        self._consumed, self._asides = 0, Asides()
        # The block that came last; and the response that did, if the next may be known by it.
        self._latest: HeaderBlock | None = None
        self._pattern: AnyPattern | None = None

    def __repr__(self) -> str:
        return f"<Session with {len(self.streams)} of {self.most_streams} streams>"

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened now."""
        return len(self.streams) < self.most_streams and self.takes_streams

    def takes(self, size: int) -> bool:
        """Return whether a small request with `size` bytes of fields is sent without another look."""
        return self.goaway is None and size <= self.most_fields and 1 < self.next_id <= LAST_STREAM

    @property
    def takes_streams(self) -> bool:
        """Whether another stream may be opened, now or when others have ended."""
        return self.goaway is None and self.next_id <= LAST_STREAM

    def open(self, stream: Stream) -> int:
        """Give `stream` a number, which is returned."""
        number = stream.id = self.next_id
        self.next_id += 2
        stream.send_window = self.first_window
        self.streams[number] = stream
        return number

    def end(self, stream: Stream, code: int) -> None:
        """Forget `stream`, and tell the server if it goes on there; no-op if it was forgotten."""
        if self.streams.pop(stream.id, None) is not None:
            self.answers += frames.reset(stream.id, code)

    def receive(self, data: bytes) -> None:
        """Take the next bytes, of which there is at least one.

        Raises:
            Violation: The connection ends.
        """
        data = self._rest + data
        start, end = self._take_repeated(data), len(data)
        while end - start >= 9:
            high, low, kind, flags, number = frames.read_header(data, start)
            stop = start + 9 + (high << 16 | low)
            if stop - start > frames.LEAST_FRAME + 9:
                raise errors.frame_too_large(data, is_first=not self.is_greeted)
            if stop > end:
                break
            number &= LAST_STREAM
            if not self.is_greeted or self._begun is not None:
                self._check_place(kind, number)
            handle = _HANDLERS.get(kind)
            if handle is not None:  # others are ignored (5.5)
                try:
                    handle(self, flags, number, data[start + 9 : stop])
                except StreamFault as fault:
                    self._fail(number, fault)
            start = stop
        self._rest = data[start:]

    def _check_place(self, kind: int, number: int) -> None:
        begun = self._begun
        if begun is not None and (kind != frames.CONTINUATION or number != begun.stream_id):
            raise Violation(PROTOCOL_ERROR, "a header block that is interrupted")
        if not self.is_greeted and kind != frames.SETTINGS:
            raise Violation(PROTOCOL_ERROR, "no SETTINGS at first")

    def _fail(self, number: int, fault: StreamFault) -> None:
        stream = self.streams.pop(number, None)
        if stream is not None:
            self.answers += frames.reset(number, fault.code)
            failure = fault.failure or errors.stream_failure(fault.code, str(fault))
            stream.fail(NetworkError(failure))

    def _find(self, number: int, name: str) -> Stream | None:
        """Return the stream `number`, None if it is over."""
        stream = self.streams.get(number)
        if stream is None and (number >= self.next_id or number % 2 == 0):
            raise Violation(PROTOCOL_ERROR, f"{name} of a stream that was never opened")
        return stream

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._consume(size)
        if flags & frames.PADDED:
            payload = frames.without_padding(payload)
        stream = self._find(number, "DATA")
        if stream is None:
            return
        stream.take_data(payload)
        if flags & frames.END_STREAM:
            self._complete(stream)
            # A block that came in between may have changed the table.
            if stream.size == size and stream.block is not None and stream.block is self._latest:
                self._pattern = Pattern.of(stream.block, size)
        else:
            stream.owed += size
            self.refill(stream)

    def _consume(self, size: int) -> None:
        """Count bytes that the connection's window has lost, and give them back at some time."""
        self._consumed += size
        if self._consumed > _REFILL:
            self.answers += frames.window_update(0, self._consumed)
            self._consumed = 0

    def refill(self, stream: Stream) -> None:
        """Give the window of `stream` back, if much of it was used and taken."""
        if stream.owed > STREAM_WINDOW // 2 and stream.is_drained:
            self.answers += frames.window_update(stream.id, stream.owed)
            stream.owed = 0

    def take_like_before(self, number: int, data: bytes) -> tuple[AnyPattern, bytes] | None:
        """Return what `data` is like and its body, if that is the response before, and no more.

        Most responses are, but for their bodies. Stream `number` is the only one, and over then.
        """
        pattern = self._pattern
        stream = self.streams.get(number)
        if pattern is None or stream is None or len(self.streams) != 1:
            return None
        data, lead, body = self._rest + data, NO_LEAD, None
        if type(pattern) is Pattern and data[8:9] != b"\0":
            body = pattern.body_of(data, number)
        elif found := self._asides.read(pattern, data, stream, self.send_window):
            lead, body = found
        if body is None:
            return None
        if lead is not NO_LEAD:
            self.send_window += lead.credit
            self.answers += lead.answers
        for block in pattern.changed:
            self.blocks.pass_over(block)
        self._consumed += len(body)
        if self._consumed > _REFILL:
            self._pattern = None  # the next response is read, and the window given back
        self.streams.clear()
        self._rest = b""
        return pattern, body

    def keep_beginning(self, number: int, data: bytes) -> bool:
        """Keep `data` for the next call, if it is the head of such a response; return whether it is.

        Servers in Go send head and body one after the other.
        """
        pattern = self._pattern
        if not isinstance(pattern, Pattern) or self._rest or len(self.streams) != 1:
            return False
        if not pattern.begins_with(data, number):
            return False
        self._rest = data
        return True

    def _take_repeated(self, data: bytes) -> int:
        """Take all responses in front that are like the one before; return where they end."""
        pattern, start = self._pattern, 0
        while isinstance(pattern, Pattern):
            number = int.from_bytes(data[start + 5 : start + frames.HEADER_SIZE])
            stream = self.streams.get(number)
            end = start + pattern.length
            body = None if stream is None else pattern.body_of(data[start:end], number)
            if stream is None or body is None or not stream.take_whole(pattern.block, body):
                break
            for block in pattern.changed:
                self.blocks.pass_over(block)
            self._consume(len(body))
            del self.streams[number]
            start = end
        return start

    def _complete(self, stream: Stream) -> None:
        stream.complete()
        self.streams.pop(stream.id, None)
        if not stream.has_sent_all:  # the rest of the upload is not wanted (8.1)
            self.answers += frames.reset(stream.id, NO_ERROR)

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        self._pattern = None
        payload = frames.block_of_headers(flags, payload)
        if flags & frames.END_HEADERS:
            self._take_block(number, flags, payload)
        else:
            self._begun = UnfinishedBlock(number, flags, payload)

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        begun = self._begun
        if begun is None:
            raise Violation(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        begun.add(flags, payload)
        if flags & frames.END_HEADERS:
            self._begun = None
            self._take_block(number, begun.flags, bytes(begun.block))

    def _take_block(self, number: int, flags: int, wire: bytes) -> None:
        stream = self._find(number, "HEADERS")
        # Also of a stream that is over: the table goes on.
        before, block = self._latest, self.blocks.read(wire)
        self._latest = block
        if stream is None:
            return
        stream.take_block(block, is_last=bool(flags & frames.END_STREAM))
        if flags & frames.END_STREAM:
            self._complete(stream)
            if stream.size and stream.block is not None and stream.block is before:
                self._pattern = CallPattern.of(stream.block, block)

    def _on_reset(self, _flags: int, number: int, payload: bytes) -> None:
        frames.check(frames.RST_STREAM, number, payload)
        if self._find(number, "RST_STREAM") is None:
            return
        stream = self.streams.pop(number)
        code = int.from_bytes(payload)
        is_unseen = code == errors.REFUSED_STREAM
        failure = errors.stream_failure(code)
        stream.fail(NetworkError(failure, is_stale=is_unseen, is_unseen=is_unseen))

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        frames.check(frames.SETTINGS, number, payload)
        if len(payload) % 6 or (flags & frames.ACK and payload):
            raise Violation(errors.FRAME_SIZE_ERROR, "SETTINGS of another size")
        if flags & frames.ACK:
            return
        if not self.is_greeted:
            self.is_greeted = True
            self.most_streams = _MOST_STREAMS
        for name, value in frames.read_settings(payload):
            self._set(name, value)
        self.answers += frames.frame(frames.SETTINGS, frames.ACK, 0)

    def _set(self, name: int, value: int) -> None:
        if name == frames.MAX_CONCURRENT_STREAMS:
            self.most_streams = value
        elif name == frames.MAX_HEADER_LIST_SIZE:
            self.most_fields = value
        elif name == frames.MAX_FRAME_SIZE:
            self.frame_size = value
        elif name == frames.INITIAL_WINDOW_SIZE:
            self._resize_windows(value)

    def _resize_windows(self, size: int) -> None:
        change, self.first_window = size - self.first_window, size
        for stream in self.streams.values():
            stream.send_window += change
            if stream.send_window > frames.MAX_WINDOW:
                raise Violation(errors.FLOW_CONTROL_ERROR, "a window of more than 2 GiB")
            stream.notify_sender()

    def _on_push(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise Violation(PROTOCOL_ERROR, "PUSH_PROMISE, which was declined")

    def _on_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise Violation(PROTOCOL_ERROR, "PRIORITY of no stream")
        if len(payload) != 5:
            raise StreamFault(errors.FRAME_SIZE_ERROR, "PRIORITY that has not five bytes")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        frames.check(frames.PING, number, payload)
        if flags & frames.ACK:
            self.is_probed = False
        else:
            self.answers += frames.frame(frames.PING, frames.ACK, 0, payload)

    def probe(self) -> bool:
        """Ask whether the server is there; return False if it has not answered the last time."""
        if self.is_probed:
            return False
        self.is_probed = True
        self.answers += frames.frame(frames.PING, 0, 0, bytes(8))
        return True

    def _on_goaway(self, _flags: int, number: int, payload: bytes) -> None:
        frames.check(frames.GOAWAY, number, payload)
        last_id, code = self.goaway = frames.read_goaway(payload)
        failure = errors.goaway_failure(code)
        for stream in [stream for stream in self.streams.values() if stream.id > last_id]:
            del self.streams[stream.id]
            stream.fail(NetworkError(failure, is_stale=True, is_unseen=True))

    def _on_window_update(self, _flags: int, number: int, payload: bytes) -> None:
        frames.check(frames.WINDOW_UPDATE, number, payload)
        increment = int.from_bytes(payload) & LAST_STREAM
        fault = StreamFault if number else Violation
        stream = self._find(number, "WINDOW_UPDATE") if number else None
        if not increment:
            raise fault(PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        if number:
            if stream is not None:
                stream.send_window += increment
        else:
            self.send_window += increment
        window = self.send_window if stream is None else stream.send_window
        if window > frames.MAX_WINDOW:
            raise fault(errors.FLOW_CONTROL_ERROR, "a window of more than 2 GiB")
        for waiting in [stream] if stream is not None else [*self.streams.values()]:
            waiting.notify_sender()

    def lose(self, failure: RequestFailure | None, *, is_gone: bool) -> None:
        """End all streams, because the connection has ended.

        Args:
            failure: Why; None if the server has said all that there is to say.
            is_gone: Whether the server has closed it, perhaps before it saw the requests.
        """
        ended = CLOSED_MIDWAY if self.goaway is None else errors.goaway_failure(self.goaway.code)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            is_stale = is_gone and stream.may_be_unseen and self.goaway is None
            stream.fail(NetworkError(failure or ended, is_stale=is_stale))


_HANDLERS: dict[int, Callable[[Session, int, int, bytes], None]] = {
    frames.DATA: Session._on_data,
    frames.HEADERS: Session._on_headers,
    frames.PRIORITY: Session._on_priority,
    frames.RST_STREAM: Session._on_reset,
    frames.SETTINGS: Session._on_settings,
    frames.PUSH_PROMISE: Session._on_push,
    frames.PING: Session._on_ping,
    frames.GOAWAY: Session._on_goaway,
    frames.WINDOW_UPDATE: Session._on_window_update,
    frames.CONTINUATION: Session._on_continuation,
}
