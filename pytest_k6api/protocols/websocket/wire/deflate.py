"""permessage-deflate: its parameters, and both directions of it (RFC 7692).

Pure. What it inflates is bounded by the room that the caller gives, so that a small
frame cannot fill the memory.
"""

import zlib
from dataclasses import dataclass

from pytest_k6api.protocols.websocket.wire.frames import NOT_UTF8, TOO_BIG

EXTENSION = "permessage-deflate"
OFFER = f"{EXTENSION}; client_max_window_bits"
"""The value of ``Sec-WebSocket-Extensions`` that the client sends."""

_TAIL = b"\x00\x00\xff\xff"
_MOST_BITS = 15
# zlib has no raw deflate with less.
_LEAST_BITS = 9
# A window of 4 KiB and 16 KiB of state: with zlib's defaults each session would take 256 KiB.
_OWN_BITS, _MEMORY_LEVEL = 12, 5


class InflateError(Exception):
    """Compressed data that cannot be used.

    Attributes:
        code: The code to close with.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflateTerms:
    """What client and server agreed on.

    Attributes:
        client_bits: The greatest window of the client, as a power of two.
        server_bits: The greatest window of the server.
        client_keeps, server_keeps: Whether the side's window lasts from message to message.
    """

    client_bits: int = _MOST_BITS
    server_bits: int = _MOST_BITS
    client_keeps: bool = True
    server_keeps: bool = True


def read_terms(parameters: dict[str, str]) -> DeflateTerms | None:
    """Return the terms that the server's `parameters` state; None if they are none."""
    known = {"server_no_context_takeover", "client_no_context_takeover",
             "server_max_window_bits", "client_max_window_bits"}  # fmt: skip
    if not parameters.keys() <= known:
        return None
    for name, value in parameters.items():
        is_bits = name.endswith("_bits")
        if is_bits and not (value.isdecimal() and 8 <= int(value) <= _MOST_BITS):
            return None
        if not is_bits and value:
            return None
    return DeflateTerms(
        client_bits=int(parameters.get("client_max_window_bits", _MOST_BITS)),
        server_bits=int(parameters.get("server_max_window_bits", _MOST_BITS)),
        client_keeps="client_no_context_takeover" not in parameters,
        server_keeps="server_no_context_takeover" not in parameters,
    )


class Deflater:
    """Compresses the messages of one session, one after the other."""

    __slots__ = ("_bits", "_compressor", "_keeps")

    def __init__(self, terms: DeflateTerms) -> None:
        self._bits = min(terms.client_bits, _OWN_BITS)
        self._keeps = terms.client_keeps
        self._compressor: zlib._Compress | None = None

    @property
    def is_able(self) -> bool:
        """Whether it can compress: zlib has no window of 256 bytes, messages go as they are then."""
        return self._bits >= _LEAST_BITS

    def deflate(self, message: bytes) -> bytes:
        """Return `message` compressed."""
        compressor = self._compressor
        if compressor is None:
            compressor = zlib.compressobj(wbits=-self._bits, memLevel=_MEMORY_LEVEL)
            if self._keeps:
                self._compressor = compressor
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(_TAIL) or b"\x00"


class Inflater:
    """Decompresses the messages of one session, piece by piece."""

    __slots__ = ("_bits", "_decompressor", "_keeps")

    def __init__(self, terms: DeflateTerms) -> None:
        self._bits = max(terms.server_bits, _LEAST_BITS)
        self._keeps = terms.server_keeps
        self._decompressor = self._new()

    def inflate(self, data: bytes, room: int) -> bytes:
        """Return what the next piece of a message decompresses to.

        Raises:
            InflateError: It is more than `room` bytes, or `data` cannot be decompressed.
        """
        pieces = []
        while True:
            try:
                piece = self._decompressor.decompress(data, room + 1)
            except zlib.error:
                raise InflateError(
                    NOT_UTF8, "the server sent a message that cannot be decompressed"
                ) from None
            room -= len(piece)
            if room < 0:
                raise InflateError(
                    TOO_BIG, "the server sent a message that decompresses to too much"
                )
            pieces.append(piece)
            if not self._decompressor.eof:
                return b"".join(pieces)
            # A block that is marked as the last; others may follow (RFC 7692, 7.2.3.5).
            data = self._decompressor.unused_data
            self._decompressor = self._new()
            if not data:
                return b"".join(pieces)

    def finish(self, room: int) -> bytes:
        """Return what is left of the message, and make ready for the next one."""
        last = self.inflate(_TAIL, room)
        if not self._keeps:
            self._decompressor = self._new()
        return last

    def _new(self) -> "zlib._Decompress":
        return zlib.decompressobj(-self._bits)
