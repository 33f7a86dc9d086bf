"""Decoder of chunked bodies, fed as the bytes come (RFC 9112, 7.1).

Chunk extensions and padding are skipped, trailers too. What the clients of the field
refuse (bare LF behind a size, more than 16 digits, data that goes on behind its
chunk) is refused: a reader that guesses where a chunk ends gives a wrong body.

Pure: bytes in, bytes out; the words of errors are k6's and never hold a byte of the body.

Source: Go 1.23, ``net/http/internal/chunked.go``.
"""

import re
from collections.abc import Callable

from pytest_k6api.protocols.http.message.errors import GENERIC, NetworkError, RequestFailure

# RFC 9112 lets white space stand around the size; an extension is whatever follows ";".
_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*+(?:;[^\r]*+)?+")
_HEX = re.compile(rb"[0-9a-fA-F]{17}")
_LONGEST_LINE = 4096
_MOST_TRAILERS = 64 * 1024


class ChunkedBody:
    """A body under way.

    Attributes:
        is_complete: Whether its end was seen.
        rest: What came behind it.

    Args:
        write: Takes the body's bytes, piece by piece.
    """

    __slots__ = ("_expect", "_left", "_line", "_trailers", "_write", "is_complete", "rest")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.is_complete = False
        self.rest = b""
        self._write = write
        # Bytes of the chunk that are still to come.
        self._left = 0
        # The beginning of a line whose end is still to come.
        self._line = b""
        self._trailers = 0
        self._expect: Callable[[ChunkedBody, bytes, int], int] = ChunkedBody._read_size

    def __repr__(self) -> str:
        return f"<ChunkedBody {'complete' if self.is_complete else 'under way'}>"

    @property
    def is_between(self) -> bool:
        """Whether a chunk begins with the next byte."""
        return self._expect is _READ_SIZE and not self._line and not self.is_complete

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of which there is at least one.

        Raises:
            NetworkError: These are no chunks.
        """
        if self._line:
            data, self._line = self._line + data, b""
        position, size = 0, len(data)
        while position < size and not self.is_complete:
            position = self._expect(self, data, position)
        if self.is_complete:
            self.rest = data[position:]

    def _read_size(self, data: bytes, start: int) -> int:
        end = data.find(b"\n", start)
        if end < 0:
            return self._keep(data, start, _LONGEST_LINE, "header line too long")
        found = _SIZE.match(data, start, end)
        if found is None or data[found.end() : end] != b"\r":
            raise _bad_size(data[start:end])
        if end - start > _LONGEST_LINE:
            raise _malformed("header line too long")
        left = int(found[1], 16)
        start = end + 1
        end = start + left
        if left and data[end : end + 2] == b"\r\n":  # most are here as a whole
            self._write(data[start:end])
            return end + 2
        self._left = left
        self._expect = ChunkedBody._read_data if left else ChunkedBody._read_trailer
        return start

    def _read_data(self, data: bytes, start: int) -> int:
        piece = data[start : start + self._left]
        self._write(piece)
        self._left -= len(piece)
        if not self._left:
            self._expect = ChunkedBody._read_end
        return start + len(piece)

    def _read_end(self, data: bytes, start: int) -> int:
        end = data[start : start + 2]
        if end == b"\r\n":
            self._expect = ChunkedBody._read_size
            return start + 2
        if end != b"\r":
            raise _malformed("malformed chunked encoding")
        self._line = end
        return len(data)

    def _read_trailer(self, data: bytes, start: int) -> int:
        end = data.find(b"\n", start)
        if end < 0:
            return self._keep(data, start, _MOST_TRAILERS, "trailer too large")
        line = data[start:end].removesuffix(b"\r")
        self._trailers += end - start
        if self._trailers > _MOST_TRAILERS:
            raise _malformed("trailer too large")
        if not line:
            self.is_complete = True
        elif b":" not in line and line[:1] not in (b" ", b"\t"):
            raise _malformed("malformed MIME header: missing colon in the trailer")
        return end + 1

    def _keep(self, data: bytes, start: int, limit: int, text: str) -> int:
        if len(data) - start > limit:
            raise _malformed(text)
        self._line = data[start:]
        return len(data)


_READ_SIZE = ChunkedBody._read_size


def take_lone(data: bytes) -> bytes:
    """Return what is in `data` if that is one whole chunk and begins as most do, else ``b""``.

    Event streams come like this. Without a pattern and the state of a body, of which the
    processor's caches know nothing, it takes half of the time.
    """
    start = data.find(b"\r\n") + 2
    size = len(data) - start - 2
    if data[:start] == b"%x\r\n" % size and data[-2:] == b"\r\n":
        return data[start:-2]
    return b""


def _bad_size(line: bytes) -> NetworkError:
    if _SIZE.fullmatch(line):
        return _malformed("chunked line ends with bare LF")
    if line == b"\r":
        return _malformed("empty hex number for chunk length")
    if _HEX.match(line):
        return _malformed("http chunk length too large")
    return _malformed("invalid byte in chunk length")


def _malformed(text: str) -> NetworkError:
    return NetworkError(RequestFailure(GENERIC, text))
