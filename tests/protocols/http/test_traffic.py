"""Requests that are sent together, responses that are received together, heads that are known."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
import trio

from pytest_k6api.protocols.http.h1 import KnownHeads, PlainHead, is_plain, remember
from tests.protocols.http.serving import OK, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets


@contextmanager
def in_a_thread(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection by `answer` in a thread, which goes on while the loop stands still."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.settimeout(30)
            answer(client)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(30)
    listener.close()


def answering_after(seconds: float) -> AbstractContextManager[str]:
    """Answer from a thread."""

    def answer(client: socket.socket) -> None:
        while client.recv(65536):
            time.sleep(seconds)
            client.sendall(OK)

    return in_a_thread(answer)


@in_real_time
async def test_what_blocks_the_loop_is_not_counted_as_the_servers_time() -> None:
    with answering_after(0.05) as url:
        async with a_tester() as tester:

            async def block_as_soon_as_it_is_sent() -> None:
                while len(tester.rows) == 1:
                    await trio.lowlevel.checkpoint()
                    if tester.client._idle == {}:
                        await trio.lowlevel.checkpoint()
                        time.sleep(0.5)  # noqa: ASYNC251 - that is the point
                        return

            await tester.client.get(url)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tester.client.get, url)
                nursery.start_soon(block_as_soon_as_it_is_sent)

    duration_us = tester.rows[1][2]
    assert 50_000 <= duration_us < 400_000


@pytest.mark.parametrize("unasked", [OK, b"gibberish\r\n\r\n"])
@in_real_time
async def test_no_phase_is_negative_when_the_answer_was_there_before_the_request(
    unasked: bytes,
) -> None:
    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(OK)
        time.sleep(0.01)
        client.sendall(unasked)
        client.recv(65536)

    with in_a_thread(answer) as url:
        async with a_tester() as tester:
            await tester.client.get(url)
            time.sleep(0.03)  # noqa: ASYNC251 - the loop must not notice
            await tester.client.get(url)

    duration, *phases = tester.rows[1][2:9]
    assert min(duration, *phases) >= 0
    assert sum(phases[3:]) == duration


@in_real_time
async def test_a_server_that_answers_early_still_gets_the_whole_request() -> None:
    body = b"x" * 8_000_000 + b"end"  # more than the socket's buffers hold
    received = bytearray()
    has_first, has_second = threading.Event(), threading.Event()

    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(OK)
        has_first.wait(5)
        client.sendall(OK)
        has_second.set()
        with suppress(TimeoutError):
            while not received.endswith(b"end"):
                received.extend(client.recv(65536))

    with in_a_thread(answer) as url:
        async with a_tester() as tester:
            await tester.client.get(url)
            has_first.set()
            assert has_second.wait(5)  # it is there when the request is sent; the loop stands
            response = await tester.client.post(url, content=body, timeout=60)

    assert (response.error, response.text) == ("", "ok")
    is_whole = received.endswith(body)  # pytest would show the difference for minutes
    assert is_whole


@in_real_time
async def test_a_server_that_never_pauses_does_not_outrun_the_timeout() -> None:
    def gush(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                client.sendall(b"x" * 4_000_000)

    with in_a_thread(gush) as url:
        async with a_tester(max_response_size=500_000_000) as tester:
            response = await tester.client.get(url, timeout=0.1)

    assert response.error == "request timeout"


@in_real_time
async def test_a_request_that_is_cancelled_in_the_turn_it_was_made_is_not_sent() -> None:
    async with replying(OK) as server, a_tester() as tester:
        await tester.client.get(server.url)
        with trio.CancelScope() as scope:
            scope.cancel()
            await tester.client.get(server.url)
        await tester.client.get(server.url)

    assert (len(server.heads), len(tester.rows)) == (2, 2)
    assert server.connections == 2  # the one it would have gone over was closed


@in_real_time
async def test_a_known_head_whose_body_comes_in_pieces_is_read_to_its_end() -> None:
    async def handler(peer: Peer) -> None:
        for pieces in ([OK], [OK], [OK[:-1], OK[-1:]], [OK[:20], OK[20:]]):
            await peer.head()
            for piece in pieces:
                await peer.send(piece)
                await trio.sleep(0.02)

    async with serving(handler) as server, a_tester() as tester:
        responses = [await tester.client.get(server.url) for _ in range(4)]

    assert [(response.status_code, response.text) for response in responses] == [(200, "ok")] * 4
    assert [response.headers["content-length"] for response in responses] == ["2"] * 4
    assert server.connections == 1


@in_real_time
async def test_bytes_behind_a_known_response_end_the_connection() -> None:
    replies = [OK, OK, OK + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", OK]
    async with replying(*replies) as server, a_tester() as tester:
        responses = [await tester.client.get(server.url) for _ in range(4)]

    assert [response.text for response in responses] == ["ok"] * 4
    assert server.connections == 2


@in_real_time
async def test_the_answer_to_head_has_no_body_though_its_head_is_known() -> None:
    head = OK.removesuffix(b"ok")
    async with replying(OK, head, OK) as server, a_tester() as tester:
        got = await tester.client.get(server.url)
        asked = await tester.client.head(server.url)
        again = await tester.client.get(server.url)

    assert (got.text, asked.text, again.text) == ("ok", "", "ok")


@pytest.mark.parametrize(
    "field",
    [b"Set-Cookie: a=b", b"Content-Encoding: gzip", b"Transfer-Encoding: chunked"],
)
def test_a_head_that_says_more_than_a_length_is_not_plain(field: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + field + b"\r\n\r\n"

    assert is_plain(b"http/1.1 200 ok\r\ncontent-length: 2\r\n\r\n")
    assert not is_plain(head.lower())
    assert not is_plain(b"http/1.1 404 not found\r\ncontent-length: 2\r\n\r\n")
    assert not is_plain(b"http/1.1 200 ok\r\n\r\n")


def test_heads_that_all_differ_do_not_fill_the_memory() -> None:
    known: KnownHeads = {}

    for number in range(5_000):
        remember(
            known, b"HTTP/1.1 200 OK\r\nX-Request-Id: %d\r\n\r\n" % number, PlainHead(200, 2, False)
        )

    assert 0 < len(known) <= 1024
