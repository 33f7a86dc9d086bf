"""Request bodies that are produced while they are sent."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from time import perf_counter_ns
from typing import Protocol

import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError

Chunks = Iterable[bytes | str] | AsyncIterable[bytes | str]
Send = Callable[[memoryview], Awaitable[None]]


class Upload(Protocol):
    """A request body that is produced while it is sent."""

    async def send(self, send: Send, deadline: int) -> None:
        """Put the body on the wire through `send` before `deadline`, in perf_counter_ns."""


class IteratorUpload:
    """Sends what an iterator gives, one chunk for each element."""

    def __init__(self, chunks: Chunks, *, is_chunked: bool) -> None:
        """Take `chunks`; `is_chunked` is False if the user promised a ``Content-Length``."""
        self._chunks = chunks
        self._is_chunked = is_chunked

    async def send(self, send: Send, deadline: int) -> None:
        """Put the body on the wire.

        Raises:
            NetworkError: The request became overdue meanwhile. The sweeper only
                sees a connection that waits, so here a cancel scope watches.
        """
        with trio.move_on_after(max(0.0, (deadline - perf_counter_ns()) / 1e9)):
            await self._send(send)
            return
        raise NetworkError(TIMED_OUT)

    async def _send(self, send: Send) -> None:
        if isinstance(self._chunks, AsyncIterable):
            async for chunk in self._chunks:
                await self._send_chunk(send, chunk)
        else:
            for chunk in self._chunks:
                await self._send_chunk(send, chunk)
        if self._is_chunked:
            await send(memoryview(b"0\r\n\r\n"))

    async def _send_chunk(self, send: Send, chunk: bytes | str) -> None:
        data = chunk.encode() if isinstance(chunk, str) else chunk
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise OptionError(f"a body is made of bytes or text, its iterator gave {data!r}")
        if not data:
            return  # an empty chunk would end the body
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await send(memoryview(data))
