"""Undo a response's ``Content-Encoding``: gzip, deflate, br, zstd.

What a body of a few kilobytes decodes to is the server's choice. So a body is decoded in
steps of bounded output: the limit holds after each, and between them the event loop
gets its turn and the request's deadline is looked at. A body that is decoded within
one turn, as nearly all are, costs no trip through the loop.

Brotli and Zstandard are imported when a response first needs them.
"""

import zlib
from collections.abc import Callable, Generator, Iterator
from io import BytesIO
from time import perf_counter_ns

import trio

from pytest_k6api.protocols.http.message.errors import (
    CLOSED_MIDWAY,
    DECOMPRESSION,
    TIMED_OUT,
    NetworkError,
    RequestFailure,
    body_too_large,
)

# Bytes that a step gives, at most; and how many it takes of a body.
_STEP = 64 * 1024
# Zstandard gives all that a piece holds, and four bytes may hold 128 KiB.
_ZSTD_PIECE = 128
# Elements of ``Content-Encoding`` that ask for nothing.
_NOTHING = ("", "identity")
# Nanoseconds after which the loop gets its turn.
_TURN = 1_000_000


class DecodingError(NetworkError):
    """A body that is not what its ``Content-Encoding`` says, or too large, or too slow.

    Attributes:
        content: What was decoded before that.
    """

    def __init__(self, failure: RequestFailure, content: bytes = b"") -> None:
        super().__init__(failure)
        self.content = content


async def decode(body: bytes, encodings: str, *, limit: int | None, deadline: int) -> bytes:
    """Return `body` without its encodings.

    Args:
        body: The bytes as they came.
        encodings: The value of ``Content-Encoding``. One that is not known
            leaves the body as it is, as in k6; empty elements say nothing.
        limit: How many bytes the result may have, and what is between two encodings.
        deadline: When to give up, in perf_counter_ns.

    Raises:
        DecodingError: The body is broken, decodes to more than `limit` bytes, or takes too long.
    """
    names = [part.strip().lower() for part in encodings.split(",")]
    for name in reversed(names):
        if name in _NOTHING:
            continue
        decoder = _DECODERS.get(name)
        if decoder is None or not body:
            return body
        decoded = BytesIO()
        try:
            await _take_turns(_write_to(decoded, decoder(memoryview(body)), limit), deadline)
        except DecodingError as error:
            raise DecodingError(error.failure, decoded.getvalue()) from error.__cause__
        body = decoded.getvalue()
    return body


async def _take_turns(steps: Iterator[object], deadline: int) -> None:
    began = perf_counter_ns()
    for _ in steps:
        now = perf_counter_ns()
        if now - began > _TURN:
            if now >= deadline:
                raise DecodingError(TIMED_OUT)
            await trio.lowlevel.checkpoint()
            began = perf_counter_ns()


def _write_to(decoded: BytesIO, pieces: Iterator[bytes], limit: int | None) -> Iterator[None]:
    for piece in pieces:
        decoded.write(piece)
        if limit is not None and decoded.tell() > limit:
            raise DecodingError(body_too_large(limit))
        yield


def _pieces(body: memoryview, size: int = _STEP) -> Iterator[memoryview]:
    return (body[start : start + size] for start in range(0, len(body), size))


def _inflate(body: memoryview, wbits: int) -> Generator[bytes, None, memoryview]:
    """Yield what `body` holds; return what stands behind it."""
    decompressor = zlib.decompressobj(wbits)
    end = 0
    try:
        for piece in _pieces(body):
            end += len(piece)
            data: bytes | memoryview = piece
            while data:
                yield decompressor.decompress(data, _STEP)
                if decompressor.eof:
                    return body[end - len(decompressor.unused_data) :]
                data = decompressor.unconsumed_tail
        while more := decompressor.decompress(b"", _STEP):  # the window may hold some
            yield more
    except zlib.error as error:
        raise _broken(error) from error
    raise DecodingError(CLOSED_MIDWAY)


def _gunzip(body: memoryview) -> Iterator[bytes]:
    rest = body
    while rest and rest[0]:  # RFC 1952, 2.2: members follow one another
        rest = yield from _inflate(rest, 16 + zlib.MAX_WBITS)
    # What tapes were padded with, gzip has ignored ever since.
    if rest.tobytes().strip(b"\0"):
        raise _broken("data behind the padding")


def _undeflate(body: memoryview) -> Iterator[bytes]:
    # The standard means zlib's format, some servers mean bare deflate. The
    # first byte's lower half is zlib's method, always 8.
    is_zlib = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflate(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _unbrotli(body: memoryview) -> Iterator[bytes]:
    import brotli

    decompressor = brotli.Decompressor()
    try:
        for piece in _pieces(body):
            yield decompressor.process(piece, output_buffer_limit=_STEP)
            while not decompressor.can_accept_more_data():
                yield decompressor.process(b"", output_buffer_limit=_STEP)
        while more := decompressor.process(b"", output_buffer_limit=_STEP):
            yield more
    except brotli.error as error:
        raise _broken(error) from error
    if not decompressor.is_finished():
        raise DecodingError(CLOSED_MIDWAY)


def _unzstd(body: memoryview) -> Iterator[bytes]:
    import zstandard

    factory = zstandard.ZstdDecompressor()
    decompressor = factory.decompressobj()
    try:
        for piece in _pieces(body, _ZSTD_PIECE):
            data: bytes | memoryview = piece
            while data:  # a body may be several frames
                if decompressor.eof:
                    decompressor = factory.decompressobj()
                yield decompressor.decompress(data)
                data = decompressor.unused_data if decompressor.eof else b""
    except zstandard.ZstdError as error:
        raise _broken(error) from error
    if not decompressor.eof:
        raise DecodingError(CLOSED_MIDWAY)


def _broken(reason: object) -> DecodingError:
    return DecodingError(
        RequestFailure(DECOMPRESSION, f"error decompressing response body ({reason})")
    )


_DECODERS: dict[str, Callable[[memoryview], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
