"""Reads what a server sends: bytes in, messages and control frames out, as they come.

Fragments are put together, control frames between them come out at once. Text is
checked as it comes, so bad UTF-8 is refused with the piece that has it. Everything is
bounded: a message by `max_size`, known from its head on, a control frame by 125 bytes.
Pure.
"""

import codecs
from collections.abc import Callable
from io import BytesIO, StringIO

from pytest_k6api.protocols.websocket.wire.deflate import InflateError, Inflater
from pytest_k6api.protocols.websocket.wire.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    FINAL,
    MOST_CONTROL,
    NOT_UTF8,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    Breach,
    Close,
    Event,
    Ping,
    Pong,
    read_close,
)

_new_decoder: Callable[[], codecs.IncrementalDecoder] = codecs.getincrementaldecoder("utf-8")
_KINDS = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_WHOLE_TEXT, _WHOLE_BINARY = FINAL | TEXT, FINAL | BINARY
# The second byte of a frame is its length, or tells that it is in the next two or eight bytes.
_LONGEST_SHORT, _LENGTH_IN_TWO = 125, 126
_WHOLE = frozenset((_WHOLE_TEXT, _WHOLE_BINARY))
_BAD_TEXT = Breach(NOT_UTF8, "the server sent text that is not UTF-8")


class _BrokenRuleError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.violation = Breach(code, text)


class _Message:
    """A message of which not all has come."""

    __slots__ = ("_binary", "_decoder", "_inflater", "_room", "_text")

    def __init__(self, kind: int, inflater: Inflater | None, room: int) -> None:
        self._inflater = inflater
        self._room = room
        # Not lists of pieces: of one byte each, they would take 40 times the message's size.
        self._text = StringIO() if kind == TEXT else None
        self._binary = BytesIO()
        self._decoder = _new_decoder() if kind == TEXT else None

    def add(self, piece: bytes, *, is_last: bool) -> None:
        if self._inflater is not None:
            piece = self._inflater.inflate(piece, self._room)
            if is_last:
                piece += self._inflater.finish(self._room - len(piece))
        self._room -= len(piece)
        if self._decoder is None or self._text is None:
            self._binary.write(piece)
        else:
            self._text.write(self._decoder.decode(piece, is_last))

    def check(self, size: int) -> None:
        if self._inflater is None and size > self._room:
            raise _BrokenRuleError(TOO_BIG, "the server sent a message that is too big")

    def value(self) -> str | bytes:
        return self._binary.getvalue() if self._text is None else self._text.getvalue()


class FrameReader:
    """Reads the frames of one server, in whatever pieces they come.

    Behind a close frame or a violation it reads no more.

    Args:
        max_size: Bytes that a message may have, decompressed.
        inflater: Decompresses messages; None if compression was not agreed on.
    """

    __slots__ = (
        "_has_ended", "_inflater", "_is_final", "_left", "_max_size", "_message", "_most_whole",
        "_rest",
    )  # fmt: skip

    def __init__(self, max_size: int, inflater: Inflater | None = None) -> None:
        self._max_size = max_size
        self._inflater = inflater
        # The start of a frame whose head, or whose whole for a control frame, has not come.
        self._rest = b""
        # Bytes that the current data frame still lacks.
        self._left = 0
        self._is_final = False
        self._message: _Message | None = None
        self._has_ended = False
        # Bytes behind its first two that a frame may have to be read in one step; -1 in the
        # middle of something, and at the end.
        self._most_whole = max_size

    def __repr__(self) -> str:
        return f"<FrameReader {'at its end' if self._has_ended else 'open'}>"

    def read_whole(self, data: bytes) -> str | bytes | None:
        """Return the message if `data`, the next bytes, is one frame of up to 64 KiB with all of it.

        That is the most frequent case by far. None if it is not: then `feed` reads them.
        """
        size = len(data) - 2
        if not 0 <= size <= self._most_whole:
            return None
        length, start = data[1], 2
        if length > _LONGEST_SHORT:
            if length != _LENGTH_IN_TWO:
                return None
            length, start = int.from_bytes(data[2:4]) + 2, 4
        if length == size:
            kind = data[0]
            if kind == _WHOLE_TEXT:
                try:
                    return data[start:].decode()
                except UnicodeDecodeError:  # `feed` tells of it
                    return None
            if kind == _WHOLE_BINARY:
                return data[start:]
        return None

    def feed(self, data: bytes) -> list[Event]:
        """Return what `data`, the next bytes of the server, completes; in its order."""
        events: list[Event] = []
        if not self._has_ended:
            try:
                self._read(data, events)
            except _BrokenRuleError as error:
                self._end(error.violation, events)
            except InflateError as error:
                self._end(Breach(error.code, str(error)), events)
            except UnicodeDecodeError:
                self._end(_BAD_TEXT, events)
        is_between = self._message is None and not (self._rest or self._has_ended)
        self._most_whole = self._max_size if is_between else -1
        return events

    def _end(self, last: Breach | Close, events: list[Event]) -> None:
        self._has_ended = True
        self._rest, self._message = b"", None
        events.append(last)

    def _read(self, data: bytes, events: list[Event]) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, size = 0, len(data)
        while at < size and not self._has_ended:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._add(piece, events)
                continue
            start = self._read_frame(data, at, events)
            if start < 0:
                self._rest = data[at:]
                return
            at = start

    def _read_frame(self, data: bytes, at: int, events: list[Event]) -> int:
        """Read the head at `at`; return where to go on, -1 if too little has come."""
        first = data[at]
        kind = first & 0x0F
        self._check_first(first, kind)
        if len(data) - at < 2:
            return -1
        length = data[at + 1]
        if length & 0x80:
            raise _BrokenRuleError(PROTOCOL_ERROR, "the server sent a frame that is masked")
        if kind >= CLOSE:
            return self._read_control(kind, data, at, length, events)
        start = at + 2
        if length > _LONGEST_SHORT:
            start += 2 if length == _LENGTH_IN_TWO else 8
            if len(data) < start:
                return -1
            length = int.from_bytes(data[at + 2 : start])
        end = start + length
        if first in _WHOLE and end <= len(data) and length <= self._max_size:
            # All of a message, which needs nothing that grows.
            payload = data[start:end]
            events.append(payload.decode() if kind == TEXT else payload)
            return end
        self._begin(first, kind, length)
        if not length:
            self._add(b"", events)
        return start

    def _check_first(self, first: int, kind: int) -> None:
        if kind not in _KINDS:
            raise _BrokenRuleError(
                PROTOCOL_ERROR, f"the server sent a frame with the reserved opcode {kind}"
            )
        allowed = COMPRESSED if self._inflater is not None and kind in (TEXT, BINARY) else 0
        if first & 0x70 & ~allowed:
            raise _BrokenRuleError(
                PROTOCOL_ERROR, "the server sent a frame with a reserved bit set"
            )
        if kind >= CLOSE and not first & FINAL:
            raise _BrokenRuleError(PROTOCOL_ERROR, "the server sent a control frame in fragments")
        if kind == CONTINUATION and self._message is None:
            raise _BrokenRuleError(PROTOCOL_ERROR, "the server sent a fragment of no message")
        if kind in (TEXT, BINARY) and self._message is not None:
            raise _BrokenRuleError(
                PROTOCOL_ERROR, "the server began a message before the one before had ended"
            )

    def _read_control(
        self, kind: int, data: bytes, at: int, length: int, events: list[Event]
    ) -> int:
        if length > MOST_CONTROL:
            raise _BrokenRuleError(
                PROTOCOL_ERROR, f"the server sent a control frame of more than {MOST_CONTROL} bytes"
            )
        end = at + 2 + length
        if len(data) < end:
            return -1
        payload = data[at + 2 : end]
        if kind == CLOSE:
            self._end(read_close(payload), events)
        else:
            events.append(Ping(payload) if kind == PING else Pong(payload))
        return end

    def _begin(self, first: int, kind: int, length: int) -> None:
        if length >> 63:
            raise _BrokenRuleError(
                PROTOCOL_ERROR, "the server sent a frame with an impossible length"
            )
        if self._message is None:
            inflater = self._inflater if first & COMPRESSED else None
            self._message = _Message(kind, inflater, self._max_size)
        self._message.check(length)
        self._is_final = bool(first & FINAL)
        self._left = length

    def _add(self, piece: bytes, events: list[Event]) -> None:
        """Add `piece` to the message; it may be the last of it."""
        assert self._message is not None
        is_last = self._is_final and not self._left
        self._message.add(piece, is_last=is_last)
        if is_last:
            events.append(self._message.value())
            self._message = None
