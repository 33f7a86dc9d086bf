"""Frames of HTTP/2: their numbers, and the bytes of those that a client sends.

Pure (RFC 9113, sections 4 and 6). Nothing here is checked but what a peer sends as padding:
a client's frames are ours.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from pytest_k6api.protocols.http.h2.errors import (
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
)
from pytest_k6api.protocols.http.multiplexed import PROTOCOL_ERROR, Violation

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
PRIORITIZED = 0x20

ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 2, 3, 4
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 5, 6

HEADER_SIZE = 9
DEFAULT_WINDOW = 65_535
MAX_WINDOW = LAST_STREAM = (1 << 31) - 1
LEAST_FRAME = 16_384
"""Bytes of a frame that every peer takes, and the most that we take."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

read_header = struct.Struct(">BHBBL").unpack_from
"""Length (its high byte, and the rest), type, flags and stream of the frame at an offset."""

_SETTING = struct.Struct(">HL")


class Goaway(NamedTuple):
    """What the server said last.

    Attributes:
        last_id: The last stream that it may have seen.
        code: Why it goes.
    """

    last_id: int
    code: int


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return b"%b%c%c%b%b" % (
        len(payload).to_bytes(3),
        kind,
        flags,
        stream_id.to_bytes(4),
        payload,
    )


def settings(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


def read_settings(payload: bytes) -> Iterable[tuple[int, int]]:
    """Yield the settings of a frame, whose payload is a multiple of six bytes.

    Raises:
        Violation: A value is out of range.
    """
    for name, value in _SETTING.iter_unpack(payload):
        if name == MAX_FRAME_SIZE and not LEAST_FRAME <= value < 1 << 24:
            raise Violation(PROTOCOL_ERROR, f"MAX_FRAME_SIZE of {value}")
        if name == INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            raise Violation(FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE of {value}")
        yield name, value


def window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame; of the connection, if `stream_id` is 0."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4))


def reset(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4))


def read_goaway(payload: bytes) -> Goaway:
    """Return what the payload of a GOAWAY frame says.

    Raises:
        Violation: It is too short.
    """
    if len(payload) < 8:
        raise Violation(FRAME_SIZE_ERROR, "GOAWAY of less than eight bytes")
    return Goaway(int.from_bytes(payload[:4]) & LAST_STREAM, int.from_bytes(payload[4:8]))


def goaway(code: int) -> bytes:
    """Return the GOAWAY frame of a client, which has seen no stream of the server's."""
    return frame(GOAWAY, 0, 0, bytes(4) + code.to_bytes(4))


def header_frames(stream_id: int, block: bytes, size: int, *, is_last: bool) -> bytes:
    """Return a HEADERS frame, and CONTINUATION frames where `block` needs them.

    Args:
        stream_id: The stream that it opens.
        block: The encoded fields.
        size: Bytes that a frame may have.
        is_last: Whether no body follows.
    """
    last = END_STREAM if is_last else 0
    if len(block) <= size:
        return frame(HEADERS, END_HEADERS | last, stream_id, block)
    pieces = [block[start : start + size] for start in range(0, len(block), size)]
    frames = [frame(HEADERS, last, stream_id, pieces[0])]
    frames += [frame(CONTINUATION, 0, stream_id, piece) for piece in pieces[1:-1]]
    return b"".join([*frames, frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1])])


def start_of_whole(block: bytes) -> bytes:
    """Return the first bytes of the HEADERS frame that is a whole request; ``b""`` if `block` is too long."""
    if len(block) > LEAST_FRAME:
        return b""
    return b"%b%c%c" % (len(block).to_bytes(3), HEADERS, END_HEADERS | END_STREAM)


def data_frames(
    stream_id: int, data: bytes | memoryview, size: int, *, is_last: bool = False
) -> bytes:
    """Return DATA frames of up to `size` bytes; one that is empty for no data."""
    frames = []
    for start in range(0, len(data) or 1, size):
        piece = bytes(data[start : start + size])
        flags = END_STREAM if is_last and start + size >= len(data) else 0
        frames.append(frame(DATA, flags, stream_id, piece))
    return b"".join(frames)


_OF_CONNECTION = {SETTINGS: "SETTINGS", PING: "PING", GOAWAY: "GOAWAY"}
_SIZES = {
    RST_STREAM: (4, "RST_STREAM that has not four bytes"),
    PING: (8, "PING that has not eight bytes"),
    WINDOW_UPDATE: (4, "WINDOW_UPDATE that has not four bytes"),
}


def check(kind: int, stream_id: int, payload: bytes) -> None:
    """Check where a frame stands and how large it is, for kinds in which both are fixed.

    Raises:
        Violation: It is a stream's and belongs to the connection, or has another size.
    """
    if stream_id and kind in _OF_CONNECTION:
        raise Violation(PROTOCOL_ERROR, f"{_OF_CONNECTION[kind]} of a stream")
    size, flaw = _SIZES.get(kind, (len(payload), ""))
    if len(payload) != size:
        raise Violation(FRAME_SIZE_ERROR, flaw)


def without_padding(payload: bytes, extra: int = 0) -> bytes:
    """Return the content of a padded frame, without `extra` bytes in front.

    Raises:
        Violation: There is more padding than frame.
    """
    if not payload:
        raise Violation(FRAME_SIZE_ERROR, "a padded frame without the length of its padding")
    end = len(payload) - payload[0]
    if end < 1 + extra:
        raise Violation(PROTOCOL_ERROR, "more padding than the frame has bytes")
    return payload[1 + extra : end]


def block_of_headers(flags: int, payload: bytes) -> bytes:
    """Return the header block of a HEADERS frame, or the first part of it.

    Raises:
        Violation: Padding or priority do not fit into the frame.
    """
    extra = 5 if flags & PRIORITIZED else 0
    if flags & PADDED:
        return without_padding(payload, extra)
    if len(payload) < extra:
        raise Violation(FRAME_SIZE_ERROR, "HEADERS that end in their priority")
    return payload[extra:]
