"""Reads one response from bytes as they come; the caller receives.

The head is kept in its canonical form, for `pytest_k6api.protocols.http.message.response` to read when
it is asked to. This reader deals with all that a server may send: a response in many
pieces, 1xx before it, a body that ends with the connection, bytes that are no HTTP.
Heads that are known do not come this far. Everything is bounded: heads, 1xx and
trailers by their bytes, the body by `max_size`, and time by the function that receives.
"""

from collections.abc import Awaitable, Callable
from io import BytesIO

from pytest_k6api.protocols.http.h1.chunks import ChunkedBody
from pytest_k6api.protocols.http.h1.framing import (
    CHUNKED,
    SWITCHING_PROTOCOLS,
    UNTIL_CLOSE,
    body_length,
    canonical,
    check_start,
    end_of_head,
    is_informational,
    keeps_alive,
)
from pytest_k6api.protocols.http.message.bodies import Nowhere
from pytest_k6api.protocols.http.message.errors import (
    CLOSED_MIDWAY,
    NetworkError,
    body_too_large,
    head_too_large,
)

# Less than k6 takes, as curl does: every byte of it may cost its reader one more look.
MAX_HEAD = 128 * 1024

_HTTP = b"HTTP/"
# Bytes in which a status line has ended, as a rule, and is judged in any case.
_LONGEST_START = 4096

Receive = Callable[[], Awaitable[bytes]]


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Attributes:
        status, head, body: The response that was read: its head is everything up to
            the blank line, canonical; its body is without chunks but still encoded.
        lowered: The head in lower case, to look header names up in.
        is_last: Whether no other response may follow on the connection.
        length: Bytes of the body; `CHUNKED` or `UNTIL_CLOSE` where the head does not tell.
        rest: The bytes behind the response, or behind its head if that was read without its body.

    Args:
        max_size: The most bytes that a body may have.
    """

    __slots__ = (
        "_is_kept", "_max_size", "_pieces", "body", "head", "is_last", "length", "lowered", "rest", "status",
    )  # fmt: skip

    def __init__(self, max_size: float) -> None:
        self.status = self.length = 0
        self.head = self.lowered = self.body = self.rest = b""
        self.is_last = False
        self._max_size = max_size
        self._is_kept = True
        # A body in pieces. Not a list of them: of one byte each, they would take 40
        # times the body's size; and its value is given out without being copied.
        self._pieces: BytesIO | None = None

    def __repr__(self) -> str:
        return f"<ResponseReader of {self.status or 'nothing yet'}>"

    async def read(
        self,
        data: bytes,
        receive: Receive,
        *,
        has_body: bool,
        is_streamed: bool = False,
        is_kept: bool = True,
    ) -> None:
        """Read a response into the attributes.

        Args:
            data: Its first bytes; at least one.
            receive: Returns the next bytes of the connection; none at its end.
            has_body: False for HEAD, whose response has only a head.
            is_streamed: Whether to leave the body to another reader.
            is_kept: Whether to keep the body; one that is not may have any size.

        Raises:
            NetworkError: It is no response, is too large, or ends midway.
        """
        self.head = self.body = b""
        self._pieces = None
        self._is_kept = is_kept
        end = end_of_head(data)
        if end >= 0:
            self._take_head(data[:end])
            rest = data[end:]
        if end < 0 or is_informational(self.status):
            rest = await self._read_head(data, receive)
        lowered = self.lowered
        self.length = length = body_length(self.status, lowered) if has_body else 0
        if is_streamed:
            pass
        elif length == CHUNKED:
            rest = await self._read_chunks(rest, receive)
        elif length == len(rest):
            self._check_size(length)
            self.body, rest = rest if is_kept else b"", b""
        elif length == UNTIL_CLOSE:
            rest = await self._read_until_close(rest, receive)
        else:
            self._check_size(length)
            rest = await self._read_exactly(length, rest, receive)
        self.rest = rest
        # What comes behind a response was not asked for.
        if (
            (rest and not is_streamed)
            or self.status == SWITCHING_PROTOCOLS
            or not keeps_alive(lowered)
        ):
            self.is_last = True

    def take_partial_body(self) -> bytes:
        """Return what there is of the body, and forget it; after a failure."""
        pieces, self._pieces = self._pieces, None
        return pieces.getvalue() if pieces is not None else b""

    def _take_head(self, head: bytes) -> None:
        head = canonical(head)
        self.head = head
        self.lowered = head.lower()
        self.status = int(head[9:12])

    async def _read_head(self, data: bytes, receive: Receive) -> bytes:
        """Take the head that follows the 1xx responses in `data`; return what is behind it."""
        heads = bytearray(data)
        start = looked_at = 0
        received = len(data)
        while True:
            end = end_of_head(heads, max(start, looked_at - 2))
            if end >= 0:
                self._take_head(bytes(heads[start:end]))
                if not is_informational(self.status):
                    return bytes(heads[end:])
                self.head, start, looked_at = b"", end, end
                continue
            looked_at = len(heads) - start
            del heads[:start]
            start = 0
            _check_beginning(heads)
            if received > MAX_HEAD:
                raise NetworkError(head_too_large(MAX_HEAD))
            data = await receive()
            if not data:
                _check_beginning(heads, is_all=bool(heads))
                raise NetworkError(CLOSED_MIDWAY)
            received += len(data)
            heads += data

    async def _read_exactly(self, length: int, rest: bytes, receive: Receive) -> bytes:
        pieces = self._start_body()
        missing = length
        while missing > len(rest):
            pieces.write(rest)
            missing -= len(rest)
            rest = await receive()
            if not rest:
                raise NetworkError(CLOSED_MIDWAY)
        pieces.write(rest[:missing])
        self.body = self.take_partial_body()
        return rest[missing:]

    async def _read_until_close(self, rest: bytes, receive: Receive) -> bytes:
        pieces = self._start_body()
        size = 0
        while rest or not size:
            pieces.write(rest)
            size += len(rest)
            self._check_size(size)
            rest = await receive()
            if not rest:
                break
        self.body = self.take_partial_body()
        self.is_last = True
        return b""

    async def _read_chunks(self, rest: bytes, receive: Receive) -> bytes:
        pieces = self._start_body()
        chunks = ChunkedBody(pieces.write)
        while True:
            if rest:
                chunks.feed(rest)
            self._check_size(pieces.tell())
            if chunks.is_complete:
                self.body = self.take_partial_body()
                return chunks.rest
            rest = await receive()
            if not rest:
                raise NetworkError(CLOSED_MIDWAY)

    def _start_body(self) -> BytesIO:
        self._pieces = pieces = BytesIO() if self._is_kept else Nowhere()
        return pieces

    def _check_size(self, size: int) -> None:
        if size > self._max_size and self._is_kept:
            raise NetworkError(body_too_large(int(self._max_size)))


def _check_beginning(heads: bytearray, *, is_all: bool = False) -> None:
    """Refuse what cannot become a head, as soon as its first line is there."""
    line, found, _ = heads[:_LONGEST_START].partition(b"\n")
    if found or len(heads) >= _LONGEST_START or (is_all and not line.startswith(_HTTP)):
        check_start(bytes(line.removesuffix(b"\r")))
