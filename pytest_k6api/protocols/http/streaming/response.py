"""The response of ``vu.http.stream``: httpx's, with the body to be read as it comes."""

import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from time import perf_counter_ns
from typing import Any, ClassVar, NoReturn

import trio
from outcome import Outcome

from pytest_k6api.model import K6ApiError
from pytest_k6api.protocols.http.message.decoding import DecodingError, StreamDecoder
from pytest_k6api.protocols.http.message.errors import (
    GENERIC,
    NetworkError,
    RequestFailure,
    body_too_large,
)
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.streaming.download import Download, StreamingClient
from pytest_k6api.protocols.http.streaming.readers import (
    LONGEST_LINE,
    LineReader,
    Pieces,
    Pull,
    SizedReader,
    TextReader,
)

# Bytes of a body that reports show, and nanoseconds that are waited for those of a failed response.
_SHOWN = 4096
_PATIENCE = 1_000_000_000
# Nanoseconds of decoding after which the loop gets its turn.
_TURN = 1_000_000


class StreamError(K6ApiError):
    """A body is asked for that was not read, or cannot be read any more."""


class ResponseInProgress(Response):
    """A response whose body is still to be read: what the two classes below share.

    Attributes:
        throws: Whether a failure of the body is raised.

    Args:
        client: The client.
        download: The response under way, whose head is there, or which has failed.
    """

    __slots__ = (
        "_client", "_content", "_decoded", "_decoder", "_download", "_idle", "_is_encoded",
        "_is_ended", "_keeps_start", "_parkable", "_start", "_turned_at", "_whole_at",
    )  # fmt: skip

    throws = False

    def __init__(self, client: StreamingClient, download: Download) -> None:
        exchange, failure = download.exchange, download.failure
        status = 0 if failure or exchange is None else exchange.status
        head = b"" if exchange is None else exchange.head
        protocol = "" if failure or exchange is None else exchange.protocol
        request, row = download.request, download.timed()
        super().__init__(status, b"", request, head, row, protocol, 0, failure)
        self._client = client
        self._download = download
        self._content: bytes | None = b"" if failure else None
        self._is_ended = False
        # The beginning of the body, for reports; grown in place, for it may come in a thousand pieces.
        self._start = bytearray()
        self._keeps_start = True
        self._is_encoded = False
        self._decoder: StreamDecoder | None = None
        self._decoded: Iterator[bytes] = iter(())
        self._turned_at = 0
        self._idle, self._whole_at = download.idle, download.whole_at
        # The body, while its bytes are given as they come.
        self._parkable = download.body
        if exchange is not None and not failure and not exchange.is_plain:
            if b"\r\ncontent-encoding:" in exchange.lowered:
                self._is_encoded = True
                self._parkable = None
                self._decoder = StreamDecoder(self.headers.get("content-encoding", ""))
            if b"\r\nset-cookie:" in exchange.lowered:
                client._keep_cookies(request, exchange)

    @property
    def content(self) -> bytes:
        """The body, once it was read as a whole.

        Raises:
            StreamError: It was not.
        """
        if self._content is None:
            raise StreamError(
                "the body of this response was not read as a whole; call response.aread() first"
                " (response.read() in a synchronous scenario), or iterate over it"
            )
        return self._content

    @content.setter
    def content(self, content: bytes) -> None:
        self._content = content

    @property
    def num_bytes_downloaded(self) -> int:
        """Bytes that came so far, head included, everything still encoded."""
        exchange = self._download.exchange
        return 0 if exchange is None else exchange.bytes_received

    @property
    def download(self) -> Download:
        """The request and its exchange."""
        return self._download

    @property
    def is_closed(self) -> bool:
        """Whether the block has ended."""
        return self._is_ended

    def park(self) -> object | None:
        """Begin to wait for the next bytes, where they come as they are; see `IncomingBody.park`.

        None where there is more to it, and where they are to be decoded: `next_bytes` does that.
        """
        body = self._parkable
        if body is None:
            return None
        return body.park(min(perf_counter_ns() + self._idle, self._whole_at))

    def take(self) -> bytes | None:
        """Return what the task was resumed with, or None to wait again.

        Raises:
            RequestError: The body was cut, and ``throw=True`` was given.
        """
        body = self._parkable
        if body is None:  # the block was ended by another task
            return b""
        try:
            piece = body.take()
        except NetworkError as error:
            self.fail(error.failure)
            return b""
        if piece and self._keeps_start:
            self._keep_start(piece)
        return piece

    def next_bytes(self) -> Awaitable[bytes]:
        """Return the next bytes, decoded; ``b""`` at the end of the body.

        Raises:
            StreamError: The block has ended.
            RequestError: The body was cut, and ``throw=True`` was given.
        """
        return self._next_decoded() if self._is_encoded else self.next_raw()

    async def next_raw(self) -> bytes:
        """Return the next bytes as they came; see `next_bytes`."""
        download = self._download
        body = download.body
        if body is None or self._failure is not None:
            if self._is_ended:
                raise StreamError("the block of this stream has ended; read the body inside of it")
            return b""
        deadline = min(perf_counter_ns() + self._idle, self._whole_at)
        try:
            piece = await body.receive(deadline)
        except NetworkError as error:
            self.fail(error.failure)
            return b""
        if self._keeps_start and not self._is_encoded:
            self._keep_start(piece)
        return piece

    def _keep_start(self, piece: bytes) -> None:
        start = self._start
        start += piece[: _SHOWN - len(start)]
        self._keeps_start = len(start) < _SHOWN

    async def _next_decoded(self) -> bytes:
        while True:
            try:
                for piece in self._decoded:
                    await self._take_turn()
                    if piece:
                        if self._keeps_start:
                            self._keep_start(piece)
                        return piece
            except DecodingError as error:
                self.fail(error.failure)
                return b""
            data = await self.next_raw()
            if data and self._decoder is not None:
                self._decoded = self._decoder.feed(data)
            elif self._decoder is not None and self._failure is None:
                self._decoded, self._decoder = self._decoder.finish(), None
            else:
                return data

    async def _take_turn(self) -> None:
        now = perf_counter_ns()
        if now - self._turned_at > _TURN:
            await trio.lowlevel.checkpoint()
            self._turned_at = perf_counter_ns()

    async def read_all(self) -> bytes:
        """Return the whole body, decoded, of `max_response_size` bytes at most."""
        if self._content is None:
            limit = self._client._runtime.options.max_response_size
            body = BytesIO()
            while piece := await self.next_bytes():
                body.write(piece)
                if limit is not None and body.tell() > limit:
                    self.fail(body_too_large(limit))
                    break
            self._content = body.getvalue()
        return self._content

    def fail(self, failure: RequestFailure) -> None:
        """End the body because of `failure`."""
        self._download.failure = self._failure = failure
        self._parkable = None
        self.status_code = 0
        if self.throws:
            self.raise_for_status()

    async def show_start(self) -> None:
        """Read the beginning of a failed response for reports, if nothing was read of it."""
        if self._client._ledger.judge(self._request, self.status_code):
            await self.read_start()

    async def read_start(self) -> None:
        """Read the beginning of the body for reports, if it is there within a second."""
        body = self._download.body
        if self._start or self._content is not None or self._failure is not None or body is None:
            return
        deadline = min(self._whole_at, perf_counter_ns() + _PATIENCE)
        with suppress(NetworkError, DecodingError):  # the status tells what went wrong
            while self._keeps_start and (piece := await body.receive(deadline)):
                self._keep_start(
                    piece if self._decoder is None else next(self._decoder.feed(piece), b"")
                )

    def end(self) -> None:
        """Write the row, and keep or close the connection; no-op the second time."""
        if self._is_ended:
            return
        self._is_ended = True
        self._parkable = None
        self._row = row = self._download.end()
        body = bytes(self._start) if self._content is None else self._content
        received = self.num_bytes_downloaded
        whole = Response(
            self.status_code, body, self._request, self._head, row, self._protocol, received,
            self._failure,
        )  # fmt: skip
        self._client._ledger.note(whole, self)

    def _pull_bytes(self, size: int | None) -> Pull[bytes]:
        pull: Pull[bytes] = self.next_bytes
        if self._content is not None:
            pull = _Once(self._content).pull
        return pull if size is None else SizedReader(pull, size, b"").pull

    def _pull_raw(self, size: int | None) -> Pull[bytes]:
        return self.next_raw if size is None else SizedReader(self.next_raw, size, b"").pull

    def _pull_text(self, size: int | None) -> Pull[str]:
        pull = TextReader(self._pull_bytes(None), self.encoding).pull
        return pull if size is None else SizedReader(pull, size, "").pull

    def _lines(self) -> LineReader:
        limit = LONGEST_LINE
        text = f"line of the response body exceeded {limit} characters"
        refuse = RequestFailure(GENERIC, text)
        return LineReader(self._pull_text(None), lambda: self.fail(refuse), limit)


class _Once:
    def __init__(self, piece: bytes) -> None:
        self._piece = piece

    async def pull(self) -> bytes:
        piece, self._piece = self._piece, b""
        return piece


class StreamedResponse(ResponseInProgress):
    """A response whose body is read as it comes.

    Status, header fields and cookies are there at once. A body that is cut ends, without
    an exception: `error` says why, and `status_code` becomes 0. `content`, `text` and
    `json` are for after `aread`.
    """

    __slots__ = ()

    advice: ClassVar[Mapping[str, str]] = {
        **Response.advice,
        **{
            f"iter_{unit}": f"async for ... in response.aiter_{unit}()"
            for unit in ("bytes", "lines", "raw", "text")
        },
        "iter_content": "async for ... in response.aiter_bytes()",
        "read": "await response.aread()",
    }

    def __aiter__(self) -> NoReturn:
        raise TypeError("write 'async for ... in response.aiter_lines():', or aiter_bytes()")

    # A generator that is awaited, because a coroutine could only await one that yields.
    @types.coroutine
    def next_bytes(self) -> Generator[object, Outcome[object], bytes]:
        """Return the next bytes, decoded; see `ResponseInProgress.next_bytes`."""
        piece: bytes | None = None
        while piece is None:
            parking = self.park()
            if parking is None:
                return (yield from super().next_bytes().__await__())
            (yield parking).unwrap()
            piece = self.take()
        return piece

    def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the body, decoded, in pieces as they come or of `chunk_size` bytes."""
        return Pieces(self._pull_bytes(chunk_size))

    def aiter_raw(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the body as it comes, still encoded."""
        return Pieces(self._pull_raw(chunk_size))

    def aiter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Iterate over the body as text, in the `encoding` of the response."""
        return Pieces(self._pull_text(chunk_size))

    def aiter_lines(self) -> AsyncIterator[str]:
        """Iterate over the lines of the body, without their ends.

        A line of more than 16,777,216 characters ends the body with an error.
        """
        return self._lines()

    async def aread(self) -> bytes:
        """Read and return the whole body, decoded, of 100 MiB at most."""
        return await self.read_all()


class SyncStreamedResponse(ResponseInProgress):
    """A `StreamedResponse` in a synchronous scenario: the same without ``await``."""

    __slots__ = ("_run_in_trio",)

    advice: ClassVar[Mapping[str, str]] = {
        **Response.advice,
        **{
            f"aiter_{unit}": f"for ... in response.iter_{unit}()"
            for unit in ("bytes", "lines", "raw", "text")
        },
        "iter_content": "for ... in response.iter_bytes()",
        "aread": "response.read()",
    }

    def __init__(
        self, client: StreamingClient, download: Download, run_in_trio: Callable[..., Any]
    ) -> None:
        super().__init__(client, download)
        self._run_in_trio = run_in_trio

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the body, decoded, in pieces as they come or of `chunk_size` bytes."""
        pull = self._pull_bytes(chunk_size)
        while piece := self._run_in_trio(pull):
            yield piece

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the body as it comes, still encoded."""
        pull = self._pull_raw(chunk_size)
        while piece := self._run_in_trio(pull):
            yield piece

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Iterate over the body as text, in the `encoding` of the response."""
        pull = self._pull_text(chunk_size)
        while piece := self._run_in_trio(pull):
            yield piece

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines of the body, without their ends; see `aiter_lines`."""
        lines = self._lines()
        while (line := self._run_in_trio(lines.pull)) is not None:
            yield line

    def read(self) -> bytes:
        """Read and return the whole body, decoded, of 100 MiB at most."""
        content: bytes = self._run_in_trio(self.read_all)
        return content
