"""Servers that choose how much time and memory a response takes: limits hold, and the loop turns."""

import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import brotli
import pytest
import trio
import zstandard

from tests.protocols.http.serving import Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1024 * 1024


def deflated(wbits: int) -> Callable[[int], bytes]:
    def compress(megabytes: int) -> bytes:
        compressor = zlib.compressobj(wbits=wbits)
        pieces = [compressor.compress(bytes(MEGABYTE)) for _ in range(megabytes)]
        return b"".join(pieces) + compressor.flush()

    return compress


def brotlied(megabytes: int) -> bytes:
    compressor = brotli.Compressor(quality=5)
    pieces: list[bytes] = [compressor.process(bytes(MEGABYTE)) for _ in range(megabytes)]
    return b"".join([*pieces, compressor.finish()])


def zstandardized(megabytes: int) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    pieces = [compressor.compress(bytes(MEGABYTE)) for _ in range(megabytes)]
    return b"".join(pieces) + compressor.flush()


BOMBS = {
    "gzip": deflated(31),
    "deflate": deflated(15),
    "br": brotlied,
    "zstd": zstandardized,
    "gzip, gzip": lambda megabytes: gzip.compress(deflated(31)(megabytes)),
}


def packed(encoding: str, megabytes: int) -> bytes:
    body = BOMBS[encoding](megabytes)
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body))
    return OK + head + body


async def count_turns(turns: list[int]) -> None:
    while True:
        turns[0] += 1
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("encoding", BOMBS)
@in_real_time
async def test_a_small_body_that_grows_without_end_takes_the_limit_and_a_little(
    encoding: str,
) -> None:
    # Zstandard's steps are larger than the others', up to 4 MiB, held twice.
    room = 12 * MEGABYTE if encoding == "zstd" else 4 * MEGABYTE
    async with (
        replying(packed(encoding, 64)) as server,
        a_tester(max_response_size=8 * MEGABYTE) as tester,
    ):
        tracemalloc.start()
        response = await tester.client.get(server.url)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert response.error == "response body exceeded 8388608 bytes"
    assert response.content[:5] == bytes(5)
    assert most < 8 * MEGABYTE + room + 2 * MEGABYTE


@pytest.mark.parametrize("encoding", BOMBS)
@in_real_time
async def test_others_have_their_turns_while_a_large_body_is_decoded(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However fast the machine is: a turn after each step, the largest of which are 4 MB.
    monkeypatch.setattr("pytest_k6api.protocols.http.message.decoding._TURN", 0)
    turns = [0]
    async with replying(packed(encoding, 64)) as server, a_tester() as tester:
        await tester.client.get(server.url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_turns, turns)
            response = await tester.client.get(server.url)
            nursery.cancel_scope.cancel()

    assert len(response.content) == 64 * MEGABYTE
    assert turns[0] > 10


@in_real_time
async def test_the_timeout_holds_while_a_body_is_decoded() -> None:
    reply = gzip.compress(b"") * 400_000
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(reply)
    async with replying(head + reply) as server, a_tester(timeout=30.0) as tester:
        response = await tester.client.get(server.url, timeout=0.2)

    assert (response.error, response.error_code) == ("request timeout", 1050)


async def _endlessly(peer: Peer, first: bytes, more: bytes) -> None:
    await peer.head()
    await peer.send(first)
    while True:
        await peer.send(more)


FLOODS = {
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "head"),
    "a header line": (OK + b"X: ", b"a" * 50_000, "head"),
    "header lines": (OK, b"a:\r\n" * 10_000, "head"),
    "a status line": (b"HTTP/1.1 200 ", b"a" * 50_000, "head"),
    "a chunk extension": (CHUNKED + b"1;", b"a" * 50_000, "header line too long"),
    "a chunk size": (CHUNKED, b"0" * 50_000, "header line too long"),
    "trailers": (CHUNKED + b"0\r\n", b"X: a\r\n" * 10_000, "trailer too large"),
    "a trailer": (CHUNKED + b"0\r\nX: ", b"a" * 50_000, "trailer too large"),
    "a body": (OK + b"\r\n", bytes(MEGABYTE), "body"),
    "chunks": (CHUNKED, b"100000\r\n" + bytes(MEGABYTE) + b"\r\n", "body"),
    "a body that is announced": (OK + b"Content-Length: 1000000000\r\n\r\n", b"a" * 9, "body"),
}
TEXTS = {
    "head": "server response headers exceeded 131072 bytes; aborted",
    "body": "response body exceeded 1048576 bytes",
}


@in_real_time
async def test_a_server_that_reads_whatever_comes_leaves_the_loop_its_turns() -> None:
    turns = [0]

    def drain() -> None:
        with listener.accept()[0] as client, suppress(OSError):
            while client.recv(1 << 20):
                pass

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(100_000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drain)
        thread.start()
        async with a_tester() as tester, trio.open_nursery() as nursery:
            nursery.start_soon(count_turns, turns)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            response = await tester.client.post(url, content=endless(), timeout=0.5)
            nursery.cancel_scope.cancel()
        thread.join(5)

    assert response.error == "request timeout"
    assert turns[0] > 3


@pytest.mark.parametrize(
    ("answer", "error", "tag"),
    [
        (b"secret-%d", 'malformed HTTP response "secret-1099"', "malformed HTTP response"),
        (
            b"HTTP/1.1 200 OK\r\nsecret-%d(: x\r\n",
            "malformed MIME header line: secret-1099(",
            "malformed MIME header line:",
        ),
    ],
)
@in_real_time
async def test_a_server_that_answers_with_other_bytes_each_time_makes_few_series(
    answer: bytes, error: str, tag: str
) -> None:
    numbers = count()

    async def babble(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer % next(numbers) + b"\r\n")

    async with serving(babble) as server, a_tester() as tester:
        for _ in range(1100):
            response = await tester.client.get(server.url)

    assert response.error == error
    assert tester.tags()["error"] == tag
    assert len(tester.table) < 1010


@pytest.mark.parametrize("flood", FLOODS)
@in_real_time
async def test_a_flood_ends_at_its_limit(flood: str) -> None:
    first, more, text = FLOODS[flood]

    async def pour(peer: Peer) -> None:
        await _endlessly(peer, first, more)

    async with serving(pour) as server, a_tester(max_response_size=MEGABYTE) as tester:
        response = await tester.client.get(server.url, timeout=30)

    assert (response.error, response.error_code) == (TEXTS.get(text, text), 1000)
    assert len(response.content) <= 3 * MEGABYTE


@pytest.mark.parametrize("more", [b"1;" + b"e" * 4000 + b"\r\nx\r\n", b"1\r\nx\r\n" * 5000])
@in_real_time
async def test_a_server_that_never_pauses_leaves_the_loop_its_turns_and_meets_the_timeout(
    more: bytes,
) -> None:
    turns = [0]

    def pour() -> None:
        with listener.accept()[0] as client, suppress(OSError):
            client.recv(4096)
            client.sendall(CHUNKED)
            while True:
                client.sendall(more)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=pour)
        thread.start()
        async with a_tester() as tester, trio.open_nursery() as nursery:
            nursery.start_soon(count_turns, turns)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            response = await tester.client.get(url, timeout=0.5)
            nursery.cancel_scope.cancel()
        thread.join(5)

    assert response.error == "request timeout"
    assert turns[0] > 3
