"""Undo a response's ``Content-Encoding``: gzip, deflate, br, zstd.

Brotli and Zstandard are imported when a response first needs them.
"""

import zlib
from collections.abc import Callable
from typing import cast

from pytest_k6api.http.errors import CLOSED_MIDWAY, DECOMPRESSION, Failure, body_too_large

_PIECE = 64 * 1024


class DecodingError(Exception):
    """A body that is not what its ``Content-Encoding`` says.

    Attributes:
        failure: What the response will carry.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def decode(body: bytes, encodings: str, limit: int | None) -> bytes:
    """Return `body` without its encodings.

    Args:
        body: The bytes as they came.
        encodings: The value of ``Content-Encoding``. One that is not known
            leaves the body as it is, as in k6.
        limit: How many bytes the result may have.

    Raises:
        DecodingError: The body is broken, or decodes to more than `limit` bytes.
    """
    names = [name.strip().lower() for name in encodings.split(",")]
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None or not body:
            return body
        body = decoder(body, limit)
    return body


def _inflate(body: bytes, limit: int | None, wbits: int) -> bytes:
    decompressor = zlib.decompressobj(wbits)
    maximum = 0 if limit is None else limit + 1
    try:
        decoded = decompressor.decompress(body, maximum)
    except zlib.error as error:
        raise _broken(error) from None
    _check_size(len(decoded), limit)
    if not decompressor.eof:
        raise DecodingError(CLOSED_MIDWAY)
    return decoded


def _gunzip(body: bytes, limit: int | None) -> bytes:
    return _inflate(body, limit, 16 + zlib.MAX_WBITS)


def _undeflate(body: bytes, limit: int | None) -> bytes:
    # The standard means zlib's format, some servers mean bare deflate. The
    # first byte's lower half is zlib's method, always 8.
    is_zlib = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflate(body, limit, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _unbrotli(body: bytes, limit: int | None) -> bytes:
    import brotli

    decompressor = brotli.Decompressor()
    try:
        decoded = _in_pieces(body, limit, cast("_Process", decompressor.process))
    except brotli.error as error:
        raise _broken(error) from None
    if not decompressor.is_finished():
        raise DecodingError(CLOSED_MIDWAY)
    return decoded


def _unzstd(body: bytes, limit: int | None) -> bytes:
    import zstandard

    factory = zstandard.ZstdDecompressor()
    decompressor = factory.decompressobj()

    def process(piece: bytes) -> bytes:
        nonlocal decompressor
        decoded = b""
        while piece:  # a body may be several frames
            if decompressor.eof:
                decompressor = factory.decompressobj()
            decoded += decompressor.decompress(piece)
            piece = decompressor.unused_data if decompressor.eof else b""
        return decoded

    try:
        decoded = _in_pieces(body, limit, process)
    except zstandard.ZstdError as error:
        raise _broken(error) from None
    if not decompressor.eof:
        raise DecodingError(CLOSED_MIDWAY)
    return decoded


_Process = Callable[[bytes], bytes]


def _in_pieces(body: bytes, limit: int | None, process: _Process) -> bytes:
    # A piece at a time, so that a small body that grows without end is noticed
    # long before it fills the memory.
    pieces: list[bytes] = []
    size = 0
    for start in range(0, len(body), _PIECE):
        piece = process(body[start : start + _PIECE])
        size += len(piece)
        _check_size(size, limit)
        pieces.append(piece)
    return b"".join(pieces)


def _check_size(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise DecodingError(body_too_large(limit))


def _broken(error: Exception) -> DecodingError:
    text = f"error decompressing response body ({error})"
    return DecodingError(Failure(DECOMPRESSION, text))


_DECODERS: dict[str, Callable[[bytes, int | None], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "br": _unbrotli,
    "zstd": _unzstd,
    "identity": lambda body, _limit: body,
}
