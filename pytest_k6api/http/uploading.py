"""Request bodies that are produced while they are sent."""

from collections.abc import AsyncIterable, Iterable
from time import perf_counter_ns

import trio

from pytest_k6api.http.connection import NEVER, Connection
from pytest_k6api.http.errors import TIMED_OUT, NetworkError
from pytest_k6api.model import OptionError

Chunks = Iterable[bytes | str] | AsyncIterable[bytes | str]


class IteratorUpload:
    """Sends what an iterator gives, one chunk for each element."""

    def __init__(self, chunks: Chunks, *, is_chunked: bool) -> None:
        """Take `chunks`; `is_chunked` is False if the user promised a ``Content-Length``."""
        self._chunks = chunks
        self._is_chunked = is_chunked

    async def send(self, connection: Connection) -> None:
        """Put the body on the wire.

        Raises:
            NetworkError: The request became overdue meanwhile. The sweeper only
                sees a connection that waits, so here a cancel scope watches.
        """
        deadline = connection.deadline
        left = (deadline - perf_counter_ns()) / 1e9 if deadline != NEVER else float("inf")
        with trio.move_on_after(max(0.0, left)):
            await self._send(connection)
            return
        raise NetworkError(TIMED_OUT)

    async def _send(self, connection: Connection) -> None:
        if isinstance(self._chunks, AsyncIterable):
            async for chunk in self._chunks:
                await self._send_chunk(connection, chunk)
        else:
            for chunk in self._chunks:
                await self._send_chunk(connection, chunk)
        if self._is_chunked:
            await connection.send_all(memoryview(b"0\r\n\r\n"))

    async def _send_chunk(self, connection: Connection, chunk: bytes | str) -> None:
        data = chunk.encode() if isinstance(chunk, str) else chunk
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise OptionError(f"a body is made of bytes or text, its iterator gave {data!r}")
        if not data:
            return  # an empty chunk would end the body
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await connection.send_all(memoryview(data))
