"""The body of an HTTP/1.1 response, received piece by piece.

Nothing is received before it is asked for: what a reader does not take stays in the
kernel's buffers, which fill up, and the server has to wait.
"""

from collections.abc import Awaitable
from typing import Protocol

from trio.lowlevel import Task, current_task

from pytest_k6api.protocols.http.h1.chunks import ChunkedBody, take_lone
from pytest_k6api.protocols.http.h1.framing import CHUNKED, UNTIL_CLOSE
from pytest_k6api.protocols.http.message.errors import CLOSED_MIDWAY, NetworkError
from pytest_k6api.protocols.http.net.batched_io import NEVER


class BodyLine(Protocol):
    """The connection as the reader of a body needs it.

    Attributes:
        deadline: When the wait under way is overdue, in perf_counter_ns.
        is_reusable: Whether another request may follow.
        has_news: Whether there may be something already, of which nothing will tell.
        task: The task to resume with what is received.
        data: That.
        parking: What the task yields to Trio to wait for it.
    """

    deadline: int
    is_reusable: bool
    has_news: bool
    task: Task | None
    data: bytes | None
    parking: object

    def take(self) -> bytes | None:
        """Return what the task was resumed with, ``b""`` at the end, None for nothing."""

    def receive(self) -> Awaitable[bytes]:
        """Return the next bytes, or ``b""`` at the end of the connection."""

    def give_up(self, error: BaseException) -> NetworkError | None:
        """Close; return `error` as the client takes it, or None if it is not the network's."""


class Http1Body:
    """See `IncomingBody` of the client.

    Args:
        line: The connection.
        length: Bytes of the body, `CHUNKED` or `UNTIL_CLOSE`.
        rest: What was received behind the head.
    """

    __slots__ = ("_chunks", "_decoded", "_is_between", "_left", "_line", "_rest", "is_complete")

    def __init__(self, line: BodyLine, length: int, rest: bytes) -> None:
        self._line = line
        self._left = length
        self._rest = rest
        self._decoded: list[bytes] = []
        self._chunks = ChunkedBody(self._decoded.append) if length == CHUNKED else None
        # Whether a chunk begins with the next byte.
        self._is_between = length == CHUNKED
        self.is_complete = False
        if not length:
            self._end(rest)

    def __repr__(self) -> str:
        return f"<Http1Body {'complete' if self.is_complete else 'under way'}>"

    def park(self, deadline: int) -> object | None:
        """Have this task resumed by the next bytes; see `IncomingBody.park`."""
        line = self._line
        if line.has_news or self._rest or self.is_complete:
            return None
        line.deadline = deadline
        line.data = None
        line.task = current_task()
        return line.parking

    def take(self) -> bytes | None:
        """Return what the task was resumed with; see `IncomingBody.take`."""
        line = self._line
        try:
            data = line.take()
            line.deadline = NEVER
            if data:
                if self._is_between and (piece := take_lone(data)):
                    return piece
                return self._take(data) or None
            if data is not None:
                self._end_with_connection()
        except Exception as error:
            raise self._failure(error) from error
        return data

    async def receive(self, deadline: int) -> bytes:
        """Return the next bytes; see `IncomingBody.receive`."""
        line = self._line
        data, self._rest = self._rest, b""
        line.deadline = deadline
        try:
            while not self.is_complete:
                data = data or await line.receive()
                if not data:
                    self._end_with_connection()
                    break
                if piece := self._take(data):
                    return piece
                data = b""
        except Exception as error:
            raise self._failure(error) from error
        finally:
            line.deadline = NEVER
        return b""

    def _failure(self, error: Exception) -> Exception:
        """Close; return `error` as the client takes it."""
        return self._line.give_up(error) or error

    def _take(self, data: bytes) -> bytes:
        """Return what `data` holds of the body."""
        chunks = self._chunks
        if chunks is not None:
            chunks.feed(data)
            self._is_between = chunks.is_between
            piece = b"".join(self._decoded)
            self._decoded.clear()
            if chunks.is_complete:
                self._end(chunks.rest)
            return piece
        if self._left == UNTIL_CLOSE:
            return data
        piece = data[: self._left]
        self._left -= len(piece)
        if not self._left:
            self._end(data[len(piece) :])
        return piece

    def _end(self, rest: bytes) -> None:
        self.is_complete = True
        self._rest = b""
        if rest:  # what comes behind a response was not asked for
            self._line.is_reusable = False

    def _end_with_connection(self) -> None:
        self._line.is_reusable = False
        if self._left != UNTIL_CLOSE:
            raise NetworkError(CLOSED_MIDWAY)
        self.is_complete = True
