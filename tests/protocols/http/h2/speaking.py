"""Servers that speak HTTP/2 frame by frame, and as badly as a test wants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, NoReturn

import trio
from hpack import Decoder, Encoder

from tests.protocols.http.serving import Peer, Server, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 0x20

OK = b"\x88"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Return a field that is not indexed, names and values below 127 bytes."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def head(stream: int, block: bytes = OK, *, ends: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | ends, stream, block)


def data(stream: int, content: bytes = b"ok", *, ends: bool = True) -> bytes:
    return frame(DATA, int(ends), stream, content)


def response(stream: int, content: bytes = b"ok", block: bytes = OK) -> bytes:
    return head(stream, block) + data(stream, content)


def settings(**values: int) -> bytes:
    names = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "fields": 6}
    pairs = (names[name].to_bytes(2) + value.to_bytes(4) for name, value in values.items())
    return frame(SETTINGS, 0, 0, b"".join(pairs))


def goaway(last: int, code: int = 0) -> bytes:
    return frame(GOAWAY, 0, 0, last.to_bytes(4) + code.to_bytes(4))


def reset(stream: int, code: int) -> bytes:
    return frame(RST, 0, stream, code.to_bytes(4))


def update(stream: int, size: int) -> bytes:
    return frame(WINDOW, 0, stream, size.to_bytes(4))


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


class Speaker:
    """The server's end of one connection.

    Attributes:
        frames: All that has come, in order.
        fields: The header fields of each request.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.frames: list[Frame] = []
        self.fields: list[dict[str, str]] = []
        self.encode = Encoder().encode
        self._decoder = Decoder()

    async def greet(self, first: bytes = settings()) -> None:
        """Take the client's preface and send ours."""
        assert await self.peer.exactly(len(PREFACE)) == PREFACE
        await self.send(first)

    async def send(self, *frames: bytes) -> None:
        await self.peer.send(b"".join(frames))

    async def end(self) -> NoReturn:
        """End the connection properly, wait for the client to do so, and be done with it."""
        stream = self.peer.stream
        assert isinstance(stream, trio.SocketStream)
        await stream.send_eof()
        while await stream.receive_some():
            pass
        raise EOFError

    async def frame(self) -> Frame:
        """Return the next frame."""
        start = await self.peer.exactly(9)
        payload = await self.peer.exactly(int.from_bytes(start[:3]))
        taken = Frame(start[3], start[4], int.from_bytes(start[5:]), payload)
        self.frames.append(taken)
        if taken.kind == HEADERS:
            block = payload
            while not taken.flags & END_HEADERS:
                more = await self.peer.exactly(9)
                block += await self.peer.exactly(int.from_bytes(more[:3]))
                if more[4] & END_HEADERS:
                    break
            decoded = self._decoder.decode(block, raw=True)
            self.fields.append({_text(name): _text(value) for name, value in decoded})
        return taken

    async def until(self, kind: int, flags: int | None = None) -> Frame:
        """Return the next frame of a kind."""
        while True:
            taken = await self.frame()
            if taken.kind == kind and flags in (None, taken.flags):
                return taken

    async def request(self) -> int:
        """Return the stream of the next request, which has come whole."""
        taken = await self.until(HEADERS)
        ends = taken.flags & END_STREAM
        while not ends:
            more = await self.frame()
            ends = more.kind == DATA and more.stream == taken.stream and more.flags & END_STREAM
        return taken.stream


Speech = Callable[[Speaker], Awaitable[None]]


@asynccontextmanager
async def speaking(speech: Speech) -> AsyncIterator[Server]:
    """Serve `speech` on 127.0.0.1, without TLS, one call for each connection."""

    async def handler(peer: Peer) -> None:
        await speech(Speaker(peer))

    async with serving(handler) as server:
        yield server


@asynccontextmanager
async def answering(
    *answers: Callable[[int], bytes], greeting: bytes = settings()
) -> AsyncIterator[Server]:
    """Answer the requests of each connection with `answers` in turn, the last one for ever."""

    async def speech(speaker: Speaker) -> None:
        await speaker.greet(greeting)
        left = list(answers)
        while True:
            stream = await speaker.request()
            await speaker.send(left.pop(0)(stream) if len(left) > 1 else left[0](stream))

    async with speaking(speech) as server:
        yield server


def fields(block: Iterable[tuple[str, str]]) -> bytes:
    """Return an encoded header block that touches no table."""
    return b"".join(literal(name.encode(), value.encode()) for name, value in block)


def _text(encoded: str | bytes) -> str:
    assert isinstance(encoded, bytes)
    return encoded.decode("latin-1")
