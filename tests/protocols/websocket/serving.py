"""WebSocket servers written by hand, for one test each, and a client that talks to them."""

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from pytest_k6api.model import Batch
from pytest_k6api.protocols.websocket import WebSocketClient
from pytest_k6api.protocols.websocket.wire.handshake import accepted
from tests.protocols.http.serving import Harness, Peer, Server, a_tester, serving

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def frame(first: int, payload: bytes = b"") -> bytes:
    """Return a frame of a server."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


class WsPeer:
    """The server's end of one session, after the handshake.

    Attributes:
        peer: The connection.
        head: The head of the handshake.
    """

    def __init__(self, peer: Peer, head: bytes) -> None:
        self.peer = peer
        self.head = head

    async def send(self, data: bytes) -> None:
        await self.peer.send(data)

    async def frame(self) -> tuple[int, bytes]:
        """Return the first byte and the payload of the client's next frame, which is masked."""
        first, second = await self.peer.exactly(2)
        assert second & 0x80
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.peer.exactly(2 if size == 126 else 8), "big")
        mask = await self.peer.exactly(4)
        payload = await self.peer.exactly(size)
        return first, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    async def expect(self, *frames: tuple[int, bytes]) -> None:
        """Receive `frames`, and nothing else before."""
        for each in frames:
            assert await self.frame() == each

    async def until_gone(self) -> bytes:
        """Return whatever the client still sends until it closes."""
        data = self.peer._rest
        self.peer._rest = b""
        while more := await self.peer.stream.receive_some():
            data += more
        return data

    async def echo(self) -> None:
        """Send messages back, answer pings, and close as the client does."""
        while True:
            first, payload = await self.frame()
            if first == PING:
                await self.send(frame(PONG, payload))
            elif first != PONG:
                await self.send(frame(first, payload))
            if first == CLOSE:
                return


WsHandler = Callable[[WsPeer], Awaitable[None]]


def switching(head: bytes, *fields: str) -> bytes:
    """Return the response that accepts the handshake `head`."""
    key = next(
        line.partition(":")[2].strip()
        for line in head.decode().split("\r\n")
        if line.lower().startswith("sec-websocket-key:")
    )
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accepted(key)}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def upgrading(
    handler: WsHandler, *fields: str, behind: bytes = b"", context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve `handler` behind the handshake, whose answer has `fields` and `behind` it."""

    async def serve(peer: Peer) -> None:
        head = await peer.head()
        server.heads.append(head)
        await peer.send(switching(head, *fields) + behind)
        await handler(WsPeer(peer, head))

    async with serving(serve, context) as server:
        yield server


class WsHarness:
    """`vu.ws` of one virtual user, and what it recorded."""

    def __init__(self, harness: Harness) -> None:
        self.http = harness
        self.recorder = harness.recorder
        self.ws = WebSocketClient(harness.client, harness.recorder)

    def batch(self) -> Batch:
        return self.recorder.buffer.drain()

    def samples(self) -> list[tuple[str, Any, Mapping[str, str]]]:
        """Return all samples so far: the metric, the value, and the tags that are not everywhere."""
        found: list[tuple[str, Any, Mapping[str, str]]] = []
        for row_type, rows in self.recorder.buffer.rows.items():
            for row in rows:
                tags = dict(self.http.table[row[0]])
                del tags["scenario"], tags["group"]
                for column in row_type.columns:
                    value = 1 if column.counts_rows else row[column.index]
                    found.append((column.metric.name, value, tags))
        return found

    def counts(self) -> dict[str, int]:
        """Return how many samples there are of each metric, but of ``ws_failed`` what they add up to."""
        counts: Counter[str] = Counter()
        for name, value, _ in self.samples():
            counts[name] += value if name == "ws_failed" else 1
        return dict(counts)

    def failures(self) -> list[tuple[str, str]]:
        """Return the error and the error code of each session that failed."""
        return [
            (tags["error"], tags["error_code"])
            for name, value, tags in self.samples()
            if name == "ws_failed" and value
        ]

    def exchange(self) -> str:
        """Return the one failed exchange that is kept for reports."""
        (describe,) = self.recorder.buffer.exchanges.values()
        return describe()


@asynccontextmanager
async def a_ws(**options: Any) -> AsyncIterator[WsHarness]:
    """Give ``vu.ws`` of a load test that has only this one; everything ends in 20 s."""
    with trio.fail_after(20):
        async with a_tester(**options) as harness:
            tester = WsHarness(harness)
            yield tester
            tester.ws.close()
