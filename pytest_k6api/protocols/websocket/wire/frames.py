"""Frames as a client writes them, and the codes and rules that both directions share (RFC 6455).

The mask is XORed as one integer: for 100 bytes that takes 0.4 µs, a tenth of what a
loop over the bytes does (``benchmarks/bench_websocket.py``).

Pure, but for the random numbers of the masks.
"""

import os
import struct
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

CONTINUATION, TEXT, BINARY = 0x0, 0x1, 0x2
CLOSE, PING, PONG = 0x8, 0x9, 0xA
FINAL, COMPRESSED = 0x80, 0x40
MOST_CONTROL: Final = 125
"""Bytes of payload that a control frame may have."""

NORMAL, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002
NO_CODE, ABNORMAL, NOT_UTF8, TOO_BIG = 1005, 1006, 1007, 1009

_MEANINGS = {
    NORMAL: "normal closure",
    GOING_AWAY: "going away",
    PROTOCOL_ERROR: "protocol error",
    1003: "unsupported data",
    NO_CODE: "no code",
    ABNORMAL: "no close frame",
    NOT_UTF8: "invalid data",
    1008: "policy violation",
    TOO_BIG: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}

# Bytes that are masked at once: more at once would leave the processor's cache.
_MASKED_AT_ONCE = 8 * 1024
_MASKS_AT_ONCE = 256


class Ping(NamedTuple):
    """A ping of the server, to be answered with the same payload."""

    payload: bytes


class Pong(NamedTuple):
    """A pong of the server, asked for or not."""

    payload: bytes


class Close(NamedTuple):
    """The close frame of the server; `code` is 1005 if it has none."""

    code: int
    reason: str


class Breach(NamedTuple):
    """Bytes that no server may send, and the code to close with."""

    code: int
    text: str


Event = str | bytes | Ping | Pong | Close | Breach
"""What a server may say: text and binary messages are themselves."""


def describe_code(code: int) -> str:
    """Return a close code with its meaning, if it has one: ``1011 (internal error)``."""
    meaning = _MEANINGS.get(code)
    return f"{code} ({meaning})" if meaning else str(code)


def is_code_to_send(code: object) -> bool:
    """Return whether a close frame may carry `code`: 1000 to 4999, without the reserved ones."""
    return isinstance(code, int) and (
        3000 <= code <= 4999 or (NORMAL <= code <= 1014 and code not in (1004, NO_CODE, ABNORMAL))
    )


def _fresh_masks() -> tuple[int, ...]:
    return struct.unpack(f"{_MASKS_AT_ONCE}I", os.urandom(4 * _MASKS_AT_ONCE))


MASKS: Final[Iterator[int]] = chain.from_iterable(iter(_fresh_masks, ()))
"""Random masks for ever, for all sessions; taken from the system many at a time."""


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Return `data` XORed with the four bytes of `mask`, over and over; twice gives `data`."""
    size = len(data)
    if size > _MASKED_AT_ONCE:
        step = _MASKED_AT_ONCE
        pieces = (apply_mask(data[at : at + step], mask) for at in range(0, size, step))
        return b"".join(pieces)
    whole = _integer(mask * ((size + 3) >> 2))
    if beyond := -size & 3:
        whole >>= 8 * beyond
    return (_integer(data) ^ whole).to_bytes(size)


_SHORT = 126
_integer = int.from_bytes  # of big-endian bytes


def _short_head(kind: int, size: int) -> tuple[int, int, int]:
    """Return what makes a frame of a payload and a mask; see `encode_frame`."""
    head = int.from_bytes((FINAL | kind, 0x80 | size))
    # A mask times 0x1_00000001_00000001 is the mask three times.
    repeated = sum(1 << 32 * number for number in range((size + 3) // 4 + 1))
    return head << 8 * (4 + size), repeated, 8 * (-size % 4)


_SHORT_HEADS = {
    kind: [_short_head(kind, size) for size in range(_SHORT)]
    for kind in (TEXT, BINARY, TEXT | COMPRESSED, BINARY | COMPRESSED, CLOSE, PING, PONG)
}


def encode_frame(kind: int, payload: bytes, mask: int) -> bytes:
    """Return one whole, masked frame.

    Args:
        kind: Its opcode, and `COMPRESSED` if `payload` is what permessage-deflate makes of a message.
        payload: Up to 125 bytes for a control frame.
        mask: Of 32 bits.
    """
    size = len(payload)
    if size < _SHORT:
        # Most messages are short: all of the frame is one integer, and the mask, which
        # stands in front of what it masks, is one repetition more of itself.
        head, repeated, beyond = _SHORT_HEADS[kind][size]
        return (_integer(payload) ^ head ^ (mask * repeated >> beyond)).to_bytes(size + 6)
    if size < 1 << 16:
        length = bytes((FINAL | kind, 0x80 | 126)) + size.to_bytes(2)
    else:
        length = bytes((FINAL | kind, 0x80 | 127)) + size.to_bytes(8)
    key = mask.to_bytes(4)
    return b"%b%b%b" % (length, key, apply_mask(payload, key))


def encode_close(code: int, reason: str) -> bytes:
    """Return the payload of a close frame; none for the code 1005. A long reason is cut."""
    if code == NO_CODE:
        return b""
    text = reason.encode("utf-8", "replace")[: MOST_CONTROL - 2]
    return code.to_bytes(2, "big") + text.decode("utf-8", "ignore").encode()


def read_close(payload: bytes) -> Close | Breach:
    """Return what the payload of a close frame says."""
    if not payload:
        return Close(NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not is_code_to_send(code):
        return Breach(
            PROTOCOL_ERROR, f"the server closed with the code {code}, which none may send"
        )
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        return Breach(NOT_UTF8, "the server closed with a reason that is not UTF-8")
