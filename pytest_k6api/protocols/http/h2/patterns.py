"""Responses that repeat the one before them, byte by byte but for stream and body.

To compare takes a tenth of what reading the frames takes. A header block means the same as
the last time if it, and what comes with it, does not both change the dynamic table and refer
to it. Pure.
"""

from typing import NamedTuple

from pytest_k6api.protocols.http.h2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_SIZE,
    HEADERS,
    LEAST_FRAME,
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

    def body_of(self, data: bytes, stream_id: int) -> bytes | None:
        """Return the body, if `data` is such a response as a whole and nothing else."""
        head, block, tail, trailers, _ = self
        number = stream_id.to_bytes(4)
        start = b"%b%b%b" % (head, number, block.wire)
        size_at = len(start)
        begin = size_at + HEADER_SIZE
        if not data.startswith(start) or data[size_at + 3 : begin] != _CALL_DATA + number:
            return None
        end = begin + int.from_bytes(data[size_at : size_at + 3])
        if data[end:] != b"%b%b%b" % (tail, number, trailers.wire) or end - begin > LEAST_FRAME:
            return None
        return data[begin:end]


AnyPattern = Pattern | CallPattern


class Lead(NamedTuple):
    """What a server says of the connection before a response: WINDOW_UPDATE and PING.

    Servers in Go say both with every call.

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
        """Return what stands before the first frame of a stream in `data`.

        Args:
            data: Frames.
            before: What stood there the last time.

        Returns:
            None if any of it needs a closer look.
        """
        if before is not None and data.startswith(before.wire):
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
