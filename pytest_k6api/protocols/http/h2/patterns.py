"""Responses that repeat the one before them, byte by byte but for stream and body.

To compare takes a tenth of what reading the frames takes. A header block means the same as
the last time if it, and what comes with it, does not both change the dynamic table and refer
to it. Pure.
"""

from typing import NamedTuple, Protocol

from pytest_k6api.protocols.http.h2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_SIZE,
    HEADERS,
    LEAST_FRAME,
    MAX_WINDOW,
    PING,
    WINDOW_UPDATE,
    frame,
    read_header,
)
from pytest_k6api.protocols.http.multiplexed import HeaderBlock

_OF_CONNECTION = bytes(4)
_SIZES = {WINDOW_UPDATE: 4, PING: 8}
_CALL_DATA = bytes([DATA, 0])
_ENDS = bytes([HEADERS, END_HEADERS | END_STREAM])
_BEGINS = bytes([HEADERS, END_HEADERS])


class Pattern(NamedTuple):
    """A response of one HEADERS and one DATA frame.

    Attributes:
        head, data: The first five bytes of both frames.
        block: The header block.
        size: Bytes of the body.
        changed: The block, if it changes the dynamic table.
        length: Bytes of both frames.
        trailers: None.
    """

    head: bytes
    block: HeaderBlock
    data: bytes
    size: int
    changed: tuple[HeaderBlock, ...]
    length: int
    trailers: None = None

    @classmethod
    def of(cls, block: HeaderBlock, size: int) -> "Pattern | None":
        """Return the pattern of a response; None if the next may mean something else by it."""
        if (block.changes and block.refers) or block.length not in (-1, size):
            return None
        head = len(block.wire).to_bytes(3) + _BEGINS
        last = b"%b%c%c" % (size.to_bytes(3), DATA, END_STREAM)
        length = 2 * HEADER_SIZE + len(block.wire) + size
        return cls(head, block, last, size, (block,) if block.changes else (), length)

    def body_of(self, data: bytes, stream_id: int) -> bytes | None:
        """Return the body, if `data` is such a response as a whole and nothing else."""
        head, block, last, size, *_ = self
        number = stream_id.to_bytes(4)
        start = b"%b%b%b%b%b" % (head, number, block.wire, last, number)
        if len(data) != len(start) + size or not data.startswith(start):
            return None
        return data[len(start) :]

    def split(self, data: bytes, stream_id: int) -> tuple[bytes, bytes] | None:
        """Return the body, behind which there is nothing, if `data` is such a response."""
        body = self.body_of(data, stream_id)
        return None if body is None else (body, b"")

    def begins_with(self, data: bytes, stream_id: int) -> bool:
        """Return whether `data` is the first frame of such a response."""
        return data == b"%b%b%b" % (self.head, stream_id.to_bytes(4), self.block.wire)


class CallPattern(NamedTuple):
    """A response of HEADERS, one DATA frame of any size, and trailers, as those of gRPC are.

    Attributes:
        head, tail: The first five bytes of the first frame and of the last.
        block, trailers: Their header blocks.
        changed: Those of them that change the dynamic table.
    """

    head: bytes
    block: HeaderBlock
    tail: bytes
    trailers: HeaderBlock
    changed: tuple[HeaderBlock, ...]

    @classmethod
    def of(cls, block: HeaderBlock, trailers: HeaderBlock) -> "CallPattern | None":
        """Return the pattern of a response; None if the next may mean something else by it."""
        changed = tuple(each for each in (block, trailers) if each.changes)
        if (changed and (block.refers or trailers.refers)) or block.length != -1:
            return None
        head, tail = len(block.wire).to_bytes(3), len(trailers.wire).to_bytes(3)
        return cls(head + _BEGINS, block, tail + _ENDS, trailers, changed)

    def split(self, data: bytes, stream_id: int) -> tuple[bytes, bytes] | None:
        """Return the body and what is behind the response, if `data` begins with such a response."""
        head, block, tail, trailers, _ = self
        number = stream_id.to_bytes(4)
        start = b"%b%b%b" % (head, number, block.wire)
        size_at = len(start)
        begin = size_at + HEADER_SIZE
        if not data.startswith(start) or data[size_at + 3 : begin] != _CALL_DATA + number:
            return None
        end = begin + int.from_bytes(data[size_at : size_at + 3])
        last = b"%b%b%b" % (tail, number, trailers.wire)
        if not data.startswith(last, end) or end - begin > LEAST_FRAME:
            return None
        return data[begin:end], data[end + len(last) :]


AnyPattern = Pattern | CallPattern


class Lead(NamedTuple):
    """What a server says of the connection around a response: WINDOW_UPDATE and PING.

    Servers in Go say both before the response to each call, grpcio's behind it.

    Attributes:
        wire: Its frames.
        credit: How much the connection's window grows.
        answers: The frames to answer with.
    """

    wire: bytes
    credit: int
    answers: bytes

    @classmethod
    def of(cls, data: bytes, before: "Lead | None") -> "Lead | None":
        """Return what `data` says of the connection, up to the first frame of a stream.

        Args:
            data: Frames.
            before: What it was the last time.

        Returns:
            None if any of it needs a closer look.
        """
        if before is not None and data.startswith(before.wire):
            end = len(before.wire)
            if data[end + 8 : end + 9] != b"\0":  # it says no more than that
                return before
        at, credit, answers = 0, 0, b""
        while data[at + 5 : at + HEADER_SIZE] == _OF_CONNECTION:
            high, size, kind, flags, _ = read_header(data, at)
            begin, at = at + HEADER_SIZE, at + HEADER_SIZE + size
            if high or _SIZES.get(kind) != size or flags or at > len(data):
                return None
            if kind == PING:
                answers += frame(PING, ACK, 0, data[begin:at])
                continue
            increment = int.from_bytes(data[begin:at])
            if not increment:
                return None
            credit += increment
        return cls(data[:at], credit, answers)


NO_LEAD = Lead(b"", 0, b"")


class Taker(Protocol):
    """The part of a stream that is asked for.

    Attributes:
        id: Its number.
        max_size: The most bytes of data that may come.
    """

    id: int
    max_size: float


class Asides:
    """Reads responses with what is said of the connection around them, mostly what was said before."""

    __slots__ = ("_before", "_behind")

    def __init__(self) -> None:
        self._before: Lead | None = None
        self._behind: Lead | None = None

    def read(
        self, pattern: AnyPattern, data: bytes, stream: Taker, window: int
    ) -> tuple[Lead, bytes] | None:
        """Return what is said of the connection, and the body.

        Args:
            pattern: What the response should be like.
            data: Frames.
            stream: The one that waits for it.
            window: The connection's window.

        Returns:
            None if any of it needs a closer look.
        """
        lead: Lead | None = NO_LEAD
        if data[8:9] == b"\0":  # a stream's number is odd: it is of the connection
            lead = self._before = Lead.of(data, self._before)
        taken = lead and pattern.split(data[len(lead.wire) :], stream.id)
        if lead is None or taken is None:
            return None
        body, rest = taken
        credit, answers = lead.credit, lead.answers
        if rest:
            behind = self._behind = Lead.of(rest, self._behind)
            if behind is None or len(behind.wire) != len(rest):
                return None
            credit, answers = credit + behind.credit, answers + behind.answers
        if len(body) > stream.max_size or window + credit > MAX_WINDOW:
            return None
        return (lead if not rest else Lead(b"", credit, answers)), body
