"""Servers written with Trio sockets for one test each, and a client that talks to them."""

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from pytest_k6api.model import Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.http import HTTP_ROWS, Client, ClientOptions, HttpRow, HttpRuntime

Handler = Callable[["Peer"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """The server's end of one connection."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._rest = b""

    async def head(self) -> bytes:
        """Return the next request's head; ``b""`` when the client is gone."""
        while b"\r\n\r\n" not in self._rest:
            if not await self._more():
                return b""
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    async def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self._rest) < size:
            if not await self._more():
                raise EOFError
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def until(self, end: bytes) -> bytes:
        """Return the next bytes up to and with `end`."""
        while end not in self._rest:
            if not await self._more():
                raise EOFError
        data, found, self._rest = self._rest.partition(end)
        return data + found

    async def _more(self) -> bool:
        data = await self.stream.receive_some()
        self._rest += data
        return bool(data)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def close(self) -> None:
        """End the connection properly: over TLS with close_notify."""
        await self.stream.aclose()

    async def reset(self) -> None:
        """End the connection with RST."""
        stream = self.stream
        if isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(stream)


class Server:
    """Where a test's server listens, and what it was asked.

    Attributes:
        url: ``http://127.0.0.1:port``, or with https.
        heads: The heads of all requests that its handler recorded.
        connections: How many were made.
    """

    def __init__(self, port: int, *, is_tls: bool) -> None:
        self.port = port
        self.url = f"{'https' if is_tls else 'http'}://127.0.0.1:{port}"
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve `handler` on 127.0.0.1, one call for each connection."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Server(listeners[0].socket.getsockname()[1], is_tls=context is not None)

    async def handle(stream: trio.SocketStream) -> None:
        server.connections += 1
        wrapped = trio.SSLStream(stream, context, server_side=True) if context else stream
        with suppress(trio.BrokenResourceError, EOFError):
            await handler(Peer(wrapped))
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def replying(
    *replies: bytes, close: bool = False, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve `replies` in turn, the last one for ever; record the requests."""
    left = list(replies)

    async def handler(peer: Peer) -> None:
        while head := await peer.head():
            server.heads.append(head)
            server.bodies.append(await _body(peer, head))
            await peer.send(left.pop(0) if len(left) > 1 else left[0])
            if close:
                return

    async with serving(handler, context) as server:
        yield server


async def _body(peer: Peer, head: bytes) -> bytes:
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return await peer.until(b"0\r\n\r\n")
    _, found, rest = lowered.partition(b"content-length:")
    return await peer.exactly(int(rest.partition(b"\r\n")[0])) if found else b""


class Harness:
    """A client with a recorder of its own, as a virtual user has it."""

    def __init__(self, runtime: HttpRuntime) -> None:
        self.table = TagTable()
        self.runtime = runtime
        self.recorder = Recorder(SampleBuffer(), TagContext(self.table, {"scenario": "s"}))
        self.client = Client(runtime, self.recorder)

    @property
    def rows(self) -> list[HttpRow]:
        return self.recorder.buffer.rows[HTTP_ROWS]

    def tags(self, index: int = -1) -> Mapping[str, str]:
        """Return the tags of a row, without scenario and group."""
        tags = dict(self.table[self.rows[index][0]])
        del tags["scenario"], tags["group"]
        return tags


@asynccontextmanager
async def a_tester(**options: Any) -> AsyncIterator[Harness]:
    """Give a client of a load test that has only this one."""
    runtime = HttpRuntime(ClientOptions(**{"timeout": 5.0, **options}))
    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        tester = Harness(runtime)
        yield tester
        tester.client.close()
        nursery.cancel_scope.cancel()
