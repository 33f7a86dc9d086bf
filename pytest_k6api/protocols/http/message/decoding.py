"""Undo a response's ``Content-Encoding``: gzip, deflate, br, zstd.

What a body of a few kilobytes decodes to is the server's choice. So a body is decoded in
steps of bounded output: the limit holds after each, and between them the event loop
gets its turn and the request's deadline is looked at. A body that is decoded within
one turn, as nearly all are, costs no trip through the loop.

A decoder is fed as the bytes come. So a body that is read as a stream is decoded by the
same code, and gives what it holds so far with each piece.

Brotli and Zstandard are imported when a response first needs them.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from time import perf_counter_ns
from typing import Protocol

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
    for decoder in _decoders(encodings):
        if not body:
            return body
        decoded = BytesIO()
        steps = chain(decoder.feed(memoryview(body)), decoder.finish())
        try:
            await _take_turns(_write_to(decoded, steps, limit), deadline)
        except DecodingError as error:
            raise DecodingError(error.failure, decoded.getvalue()) from error.__cause__
        body = decoded.getvalue()
    return body


class StreamDecoder:
    """Undoes the encodings of a body that comes in pieces.

    Args:
        encodings: The value of ``Content-Encoding``, as `decode` takes it.
    """

    __slots__ = ("_decoders", "_is_empty")

    def __init__(self, encodings: str) -> None:
        self._decoders = _decoders(encodings)
        self._is_empty = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` adds to the decoded body, in pieces of bounded size.

        Raises:
            DecodingError: The body is broken.
        """
        self._is_empty = False
        return _feed_all(self._decoders, data)

    def finish(self) -> Iterator[bytes]:
        """Yield what is left at the end of the body; an empty body decodes to nothing.

        Raises:
            DecodingError: The body is broken, or ends midway.
        """
        if self._is_empty:
            return
        for number, decoder in enumerate(self._decoders):
            for piece in decoder.finish():
                yield from _feed_all(self._decoders[number + 1 :], piece)


def _feed_all(decoders: "Sequence[_Decoder]", data: bytes) -> Iterator[bytes]:
    if not decoders:
        yield data
        return
    for piece in decoders[0].feed(memoryview(data)):
        if piece:
            yield from _feed_all(decoders[1:], piece)


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


class _Decoder(Protocol):
    """Undoes one encoding."""

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """Yield what `data` adds, which may be nothing."""

    def finish(self) -> Iterator[bytes]:
        """Yield what is left at the end of a body that is not empty."""


def _pieces(body: memoryview, size: int = _STEP) -> Iterator[memoryview]:
    return (body[start : start + size] for start in range(0, len(body), size))


class _Gzip:
    """Members follow one another (RFC 1952, 2.2); zeros behind them are padding."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._is_padded = False

    def feed(self, data: memoryview) -> Iterator[bytes]:
        while data:
            if self._member is None:
                # What tapes were padded with, gzip has ignored ever since.
                self._is_padded = self._is_padded or not data[0]
                if self._is_padded:
                    if data.tobytes().strip(b"\0"):
                        raise _broken("data behind the padding")
                    return
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            piece = data[:_STEP]
            yield from _inflate(self._member, piece)
            data = data[len(piece) - len(self._member.unused_data) :]
            if self._member.eof:
                self._member = None

    def finish(self) -> Iterator[bytes]:
        if self._member is not None:
            yield from _drain(self._member)


class _Deflate:
    """The standard means zlib's format, some servers mean bare deflate.

    The first byte's lower half is zlib's method, always 8.
    """

    def __init__(self) -> None:
        self._start = b""
        self._zlib: zlib._Decompress | None = None

    def feed(self, data: memoryview) -> Iterator[bytes]:
        if self._zlib is None:
            self._start += data.tobytes()
            if len(self._start) < 2:
                return
            data = memoryview(self._start)
            self._zlib = self._begin()
        for piece in _pieces(data):
            if self._zlib.eof:
                return
            yield from _inflate(self._zlib, piece)

    def finish(self) -> Iterator[bytes]:
        if self._zlib is None:
            start = self._start
            self._zlib = self._begin()
            yield from _inflate(self._zlib, memoryview(start))
        yield from _drain(self._zlib)

    def _begin(self) -> "zlib._Decompress":
        start = self._start[:2]
        self._start = b""
        is_zlib = start[0] & 0x0F == 8 and int.from_bytes(start, "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _inflate(decompressor: "zlib._Decompress", piece: memoryview) -> Iterator[bytes]:
    data: bytes | memoryview = piece
    try:
        while True:
            decoded = decompressor.decompress(data, _STEP)
            yield decoded
            data = decompressor.unconsumed_tail
            # The window may hold more than a step gave.
            if decompressor.eof or (not data and len(decoded) < _STEP):
                return
    except zlib.error as error:
        raise _broken(error) from error


def _drain(decompressor: "zlib._Decompress") -> Iterator[bytes]:
    yield from _inflate(decompressor, memoryview(b""))
    if not decompressor.eof:
        raise DecodingError(CLOSED_MIDWAY)


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._error = brotli.error
        self._decompressor = brotli.Decompressor()

    def feed(self, data: memoryview) -> Iterator[bytes]:
        process = self._decompressor.process
        try:
            for piece in _pieces(data):
                yield process(piece, output_buffer_limit=_STEP)
                while not self._decompressor.can_accept_more_data():
                    yield process(b"", output_buffer_limit=_STEP)
        except self._error as error:
            raise _broken(error) from error

    def finish(self) -> Iterator[bytes]:
        try:
            while more := self._decompressor.process(b"", output_buffer_limit=_STEP):
                yield more
        except self._error as error:
            raise _broken(error) from error
        if not self._decompressor.is_finished():
            raise DecodingError(CLOSED_MIDWAY)


class _Zstd:
    """A body may be several frames."""

    def __init__(self) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._factory = zstandard.ZstdDecompressor()
        self._frame = self._factory.decompressobj()

    def feed(self, data: memoryview) -> Iterator[bytes]:
        try:
            for piece in _pieces(data, _ZSTD_PIECE):
                left: bytes | memoryview = piece
                while left:
                    if self._frame.eof:
                        self._frame = self._factory.decompressobj()
                    yield self._frame.decompress(left)
                    left = self._frame.unused_data if self._frame.eof else b""
        except self._error as error:
            raise _broken(error) from error

    def finish(self) -> Iterator[bytes]:
        if not self._frame.eof:
            raise DecodingError(CLOSED_MIDWAY)
        yield from ()


def _broken(reason: object) -> DecodingError:
    return DecodingError(
        RequestFailure(DECOMPRESSION, f"error decompressing response body ({reason})")
    )


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


def _decoders(encodings: str) -> list[_Decoder]:
    """Return the decoders of `encodings`, in the order in which a body needs them."""
    found = []
    for part in reversed(encodings.split(",")):
        name = part.strip().lower()
        if name in _DECODERS:
            found.append(_DECODERS[name]())
        elif name not in _NOTHING:
            break
    return found
