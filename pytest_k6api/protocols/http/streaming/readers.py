"""Ways to read a body that comes in pieces: pieces of a size, text, lines.

Readers have no clean-up of their own: a loop over one may be left at any time. Two
readers of one response share its body: each goes on where the other stopped.
"""

import codecs
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from io import StringIO
from typing import Generic, TypeVar

LONGEST_LINE = 16 * 1024 * 1024
"""Characters that a line may have, and bytes that a server-sent event may have."""

# Whatever `str.splitlines` splits at, but for "\r\n".
_LINE_ENDS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")

Piece = TypeVar("Piece", bytes, str)
Pull = Callable[[], Awaitable[Piece]]
"""Returns the next piece; an empty one at the end."""


class Pieces(AsyncIterator[Piece], Generic[Piece]):
    """What `pull` returns, until it is empty. No generator: one would have to be closed."""

    __slots__ = ("_pull",)

    def __init__(self, pull: Pull[Piece]) -> None:
        self._pull: Pull[Piece] = pull

    async def __anext__(self) -> Piece:
        piece = await self._pull()
        if not piece:
            raise StopAsyncIteration
        return piece


class SizedReader(Generic[Piece]):
    """Pieces of `size`; the last one may be shorter.

    Args:
        pull: Gives pieces of any size.
        size: Bytes or characters of a piece, at least 1.
        empty: The empty piece.
    """

    __slots__ = ("_left", "_pull", "_size")

    def __init__(self, pull: Pull[Piece], size: int, empty: Piece) -> None:
        if size < 1:
            raise ValueError(f"chunk_size is a number above 0, got {size!r}")
        self._pull: Pull[Piece] = pull
        self._size = size
        self._left: Piece = empty

    async def pull(self) -> Piece:
        """Return the next piece; an empty one at the end."""
        while len(self._left) < self._size and (piece := await self._pull()):
            self._left += piece
        piece, self._left = self._left[: self._size], self._left[self._size :]
        return piece


class TextReader:
    """A body as text; what cannot be decoded becomes U+FFFD.

    Args:
        pull: Gives its bytes.
        encoding: How they are encoded.
    """

    __slots__ = ("_decoder", "_pull")

    def __init__(self, pull: Pull[bytes], encoding: str) -> None:
        self._pull = pull
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    async def pull(self) -> str:
        """Return the next characters; ``""`` at the end."""
        while True:
            data = await self._pull()
            text = self._decoder.decode(data, not data)
            if text or not data:
                return text


class LineTooLongError(Exception):
    """A line does not end within the limit."""


class LineSplitter:
    """Lines of a text that comes in pieces, without their ends.

    A line ends where `str.splitlines` has it, as in httpx. Pure.

    Args:
        limit: Characters that a line may have.
    """

    __slots__ = ("_ends_with_cr", "_limit", "_started")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._started = StringIO()  # not a list: of single characters it would be large
        # A line feed may follow.
        self._ends_with_cr = False

    def feed(self, text: str) -> list[str]:
        """Return the lines that `text` completes.

        Raises:
            LineTooLongError: A line has more characters than the limit.
        """
        if self._ends_with_cr:
            text = f"\r{text}"
        self._ends_with_cr = text.endswith("\r")
        if self._ends_with_cr:
            text = text[:-1]
        if not text:
            return []
        lines = text.splitlines()
        started = None if text[-1] in _LINE_ENDS else lines.pop()
        if lines and self._started.tell():
            lines[0] = self._take() + lines[0]
        if started is not None:
            self._started.write(started)
        if self._started.tell() > self._limit or max(map(len, lines), default=0) > self._limit:
            raise LineTooLongError
        return lines

    def finish(self) -> list[str]:
        """Return the line that the text ends in, if it has no end of its own."""
        if not self._started.tell() and not self._ends_with_cr:
            return []
        self._ends_with_cr = False
        return [self._take()]

    def _take(self) -> str:
        text = self._started.getvalue()
        self._started = StringIO()
        return text


class LineReader:
    """The lines of a body.

    Args:
        pull: Gives its text.
        refuse: Called when a line is too long; nothing more is read then.
        limit: Characters that a line may have.
    """

    __slots__ = ("_lines", "_pull", "_refuse", "_splitter")

    def __init__(self, pull: Pull[str], refuse: Callable[[], None], limit: int) -> None:
        self._pull = pull
        self._refuse = refuse
        self._splitter = LineSplitter(limit)
        self._lines: deque[str] = deque()

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def pull(self) -> str | None:
        """Return the next line; None at the end."""
        while not self._lines:
            text = await self._pull()
            try:
                self._lines += self._splitter.feed(text) if text else self._splitter.finish()
            except LineTooLongError:
                self._refuse()
                return None
            if not text:
                break
        return self._lines.popleft() if self._lines else None

    async def __anext__(self) -> str:
        line = await self.pull()
        if line is None:
            raise StopAsyncIteration
        return line
