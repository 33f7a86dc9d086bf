"""Servers that misbehave: every request ends in a response that says what happened."""

import contextlib
import errno
import socket
import threading
from collections.abc import AsyncIterator
from time import sleep
from typing import Any

import pytest
import trio

from pytest_k6api.protocols.http import RequestError
from pytest_k6api.protocols.http.net import Traffic
from tests.protocols.http.serving import OK, Handler, Peer, a_tester, replying, serving
from tests.protocols.http.test_decoding import ENCODERS
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answering(data: bytes, *, then: str = "close") -> Handler:
    """Serve one connection: answer one request with `data`, and then close, reset or wait."""

    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(data)
        if then == "reset":
            await trio.sleep(0.02)
            await peer.reset()
        elif then == "wait":
            await trio.sleep_forever()

    return handler


# The texts and codes are those of k6 v1.1.0's binary for the same servers,
# unless a comment says otherwise.
MISBEHAVIOUR = {
    "closes": (answering(b""), "EOF", 1000, b""),
    "resets": (answering(b"", then="reset"), "read: connection reset by peer", 1220, b""),
    "resets in the body": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", then="reset"),
        "read: connection reset by peer",
        1220,
        b"abc",
    ),
    "closes in the body": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        "unexpected EOF",
        1000,
        b"abc",
    ),
    # k6: malformed MIME header: missing colon: "Content-Le"
    "closes in the head": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
        "unexpected EOF",
        1000,
        b"",
    ),
    "closes in a chunk": (answering(CHUNKED + b"5\r\nabc"), "unexpected EOF", 1000, b"abc"),
    "breaks the chunks": (
        answering(CHUNKED + b"zz\r\nabc"),
        "invalid byte in chunk length",
        1000,
        b"",
    ),
    "breaks a chunk's end": (
        answering(CHUNKED + b"3\r\nabcdef\r\n"),
        "malformed chunked encoding",
        1000,
        b"abc",
    ),
    "speaks SSH": (
        answering(b"SSH-2.0-OpenSSH_9.2\r\n", then="wait"),
        'malformed HTTP response "SSH-2.0-OpenSSH_9.2"',
        1000,
        b"",
    ),
    # k6 has \\a and \\b in its text.
    "speaks in bytes": (
        answering(bytes(range(256)), then="wait"),
        'malformed HTTP response "\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\t"',
        1000,
        b"",
    ),
    "has no colon": (
        answering(b"HTTP/1.1 200 OK\r\nA: b\r\nbad header\r\n\r\n"),
        'malformed MIME header: missing colon: "bad header"',
        1000,
        b"",
    ),
    "has no status": (
        answering(b"HTTP/1.1 abc OK\r\n\r\n"),
        'malformed HTTP status code "abc"',
        1000,
        b"",
    ),
    "stalls": (answering(b"", then="wait"), "request timeout", 1050, b""),
    "stalls in the body": (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", then="wait"),
        "request timeout",
        1050,
        b"abc",
    ),
    "stalls in the first word": (answering(b"HTT", then="wait"), "request timeout", 1050, b""),
}


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
@in_real_time
async def test_a_server_that(kind: str) -> None:
    handler, text, code, partial = MISBEHAVIOUR[kind]
    async with serving(handler) as server, a_tester(timeout=0.2) as tester:
        response = await tester.client.get(server.url)

        assert (response.error, response.error_code) == (text, code)
        assert (response.status_code, response.content) == (0, partial)
        assert tester.tags() == {
            "method": "GET",
            "name": server.url,
            "url": server.url,
            "status": "0",
            "error": text,
            "error_code": str(code),
            "expected_response": "false",
        }
        (row,) = tester.rows
        assert row[1] == 1
        assert row[2] == row[6] + row[7] + row[8]
        assert response.is_error
        assert f"failed: {text} ({code})" in repr(response)
        with pytest.raises(RequestError) as caught:
            response.raise_for_status()
        assert caught.value.response is response
        with pytest.raises(RequestError):
            await tester.client.get(server.url, throw=True)


@in_real_time
async def test_a_server_that_encodes_wrongly() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    async with replying(reply) as server, a_tester() as tester:
        response = await tester.client.get(server.url)

    assert response.error.startswith("error decompressing response body (")
    assert (response.status_code, response.error_code, response.content) == (0, 1701, b"")
    assert tester.tags()["error_code"] == "1701"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@in_real_time
async def test_a_body_that_is_cut_off_gives_what_there_was(encoding: str) -> None:
    text = b"".join(b"%d, " % (number * 7919 % 10_007) for number in range(3000))
    body = ENCODERS[encoding](text)[:-30]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    async with (
        replying(head % (encoding.encode(), len(body)) + body) as server,
        a_tester() as tester,
    ):
        response = await tester.client.get(server.url)

    assert (response.error, response.error_code, response.status_code) == (
        "unexpected EOF",
        1000,
        0,
    )
    assert text.startswith(response.content)
    # Zstandard gives nothing of a block before its end.
    assert response.content or encoding == "zstd"


@in_real_time
async def test_a_refused_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with a_tester() as tester:
            response = await tester.client.get(url)

    assert (response.error, response.error_code) == ("dial: connection refused", 1212)
    assert tester.rows[0][1:9] == (1, 0, 0, 0, 0, 0, 0, 0)
    assert tester.recorder.bytes_sent == 0


@in_real_time
async def test_a_process_without_room_for_a_socket_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with replying(OK) as server, a_tester() as tester:

        def no_socket(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr("pytest_k6api.protocols.http.net.connect.socket.socket", no_socket)
        response = await tester.client.get(server.url)
        monkeypatch.undo()

    assert (response.error, response.error_code) == ("dial: too many open files", 1213)


@contextlib.asynccontextmanager
async def full_backlog() -> AsyncIterator[str]:
    """Listen without accepting, until the kernel drops further SYNs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        await trio.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        ({"connect_timeout": 0.1}, "dial: i/o timeout", 1211),
        ({"timeout": 0.1}, "request timeout", 1050),
    ],
)
@in_real_time
async def test_a_server_that_does_not_accept(
    options: dict[str, float], text: str, code: int
) -> None:
    async with full_backlog() as url, a_tester(**options) as tester:
        response = await tester.client.get(url)

    assert (response.error, response.error_code) == (text, code)


@in_real_time
async def test_a_host_that_does_not_exist() -> None:
    async with a_tester() as tester:
        response = await tester.client.get("http://no-such-host.invalid/")

    # 1100 where the machine has no resolver at all.
    assert response.error_code in (1100, 1101)
    assert response.error.startswith("lookup: ")


@pytest.mark.parametrize(
    ("url", "text", "code"),
    [
        ("foo://x/", 'unsupported protocol scheme "foo"', 1000),
        ("http://", "http: no Host in request URL", 1000),
        ("http://[::1/", "invalid URL: invalid character in host name", 1020),
    ],
)
@in_real_time
async def test_a_url_that_cannot_be_requested(url: str, text: str, code: int) -> None:
    async with a_tester() as tester:
        response = await tester.client.get(url)
        with pytest.raises(RequestError):
            await tester.client.get(url, throw=True)

    assert (response.error, response.error_code, response.url) == (text, code, url)
    assert tester.tags()["name"] == url


@in_real_time
async def test_a_timeout_is_the_requests_own_and_covers_all_of_it() -> None:
    async def trickle(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await trio.sleep(0.02)

    async with serving(trickle) as server, a_tester() as tester:
        response = await tester.client.get(server.url, timeout=0.1)

    assert response.error_code == 1050
    # The loop's own time between the two is nobody's; the whole body would take 20 seconds.
    assert 90 <= response.timings.blocked + response.timings.duration < 10_000
    assert tester.recorder.bytes_received > 40


@in_real_time
async def test_a_body_that_never_ends_is_timed_out_while_it_is_sent() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await trio.sleep(0.01)

    async def listen(peer: Peer) -> None:
        await peer.until(b"never")

    async with serving(listen) as server, a_tester(timeout=0.1) as tester:
        response = await tester.client.post(server.url, content=endless())

    assert response.error_code == 1050


@in_real_time
async def test_a_server_that_does_not_read_is_timed_out() -> None:
    async def deaf(peer: Peer) -> None:
        await trio.sleep_forever()

    async with serving(deaf) as server, a_tester(timeout=0.1) as tester:
        response = await tester.client.post(server.url, content=bytes(50_000_000))

    assert response.error_code == 1050


@in_real_time
async def test_an_early_answer_counts_although_the_body_was_not_read() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        # Long enough for the client to meet a full buffer; closing with unread
        # data then resets the connection.
        await trio.sleep(0.05)

    async with serving(refuse) as server, a_tester() as tester:
        response = await tester.client.post(server.url, content=bytes(20_000_000))

    assert (response.status_code, response.error_code) == (413, 1413)


@pytest.mark.parametrize("first", ["close", "reset"])
@in_real_time
async def test_a_request_is_repeated_when_the_kept_connection_was_closed(first: str) -> None:
    async def one_each(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()  # the second request is read, and not answered
        if first == "reset":
            await peer.reset()

    async with serving(one_each) as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.get(server.url)
            assert response.status_code == 200

    assert server.connections == 2
    assert len(tester.rows) == 2


@in_real_time
async def test_the_end_of_a_stream_that_came_with_a_response_is_met_by_the_next_request() -> None:
    async def half_close(peer: Peer) -> None:
        assert isinstance(peer.stream, trio.SocketStream)
        await peer.head()
        # One edge for the client, although it is busy in between.
        await peer.send(OK)
        await peer.stream.send_eof()
        await trio.sleep_forever()

    async with serving(half_close) as server, a_tester(timeout=1) as tester:
        for _ in range(3):
            response = await tester.client.get(server.url)
            assert (response.status_code, response.error) == (200, "")

    assert server.connections == 3


@in_real_time
async def test_a_request_that_may_have_had_an_effect_is_not_repeated() -> None:
    async def one_each(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()

    async with serving(one_each) as server, a_tester() as tester:
        await tester.client.post(server.url)
        response = await tester.client.post(server.url)

    assert (response.error, response.error_code) == ("EOF", 1000)
    assert server.connections == 1


@in_real_time
async def test_a_connection_closed_while_idle_is_noticed_before_it_is_used() -> None:
    async def one_only(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)

    async with serving(one_only) as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.post(server.url, content="x")
            assert response.status_code == 200
            await trio.sleep(0.08)

    assert server.connections == 2


@in_real_time
async def test_an_idle_connection_is_asked_for_its_end_only_where_a_mistake_would_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def has_ended(_sock: socket.socket) -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr("pytest_k6api.protocols.http.h1.line.has_ended", has_ended)
    async with replying(OK) as server, a_tester() as tester:
        for method, questions in (("GET", 0), ("GET", 0), ("POST", 1)):
            await trio.sleep(0.06)
            await tester.client.request(method, server.url)
            assert asked <= (questions if Traffic.uses_epoll else 3)
    assert asked
    assert server.connections == 1


@in_real_time
async def test_a_connection_closed_while_the_loop_was_held_up_is_noticed_too() -> None:
    held_up = threading.Event()
    connections = 0

    def one_only(listener: socket.socket) -> None:
        nonlocal connections
        while connections < 2:
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                return
            connections += 1
            with peer:
                peer.recv(4096)
                peer.sendall(OK)
                held_up.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
        server = threading.Thread(target=one_only, args=(listener,))
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with a_tester() as tester:
            first = await tester.client.post(url, content="x")
            held_up.set()
            sleep(0.1)  # noqa: ASYNC251 - a scenario that blocks
            second = await tester.client.post(url, content="x")
        server.join()

    assert (first.error, second.error, connections) == ("", "", 2)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5000", b"Transfer-Encoding: chunked", b"X: y"]
)
@in_real_time
async def test_a_body_beyond_the_limit_is_refused(framing: bytes) -> None:
    body = b"%x\r\n%b" % (5000, bytes(5000)) if b"chunked" in framing else bytes(5000)

    async def large(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing, body))
        await trio.sleep_forever()

    async with serving(large) as server, a_tester(max_response_size=4000) as tester:
        response = await tester.client.get(server.url)

    assert (response.error, response.error_code) == ("response body exceeded 4000 bytes", 1000)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 102 Wait\r\n"])
@in_real_time
async def test_a_head_without_end_is_refused(start: bytes) -> None:
    async def endless(peer: Peer) -> None:
        await peer.head()
        await peer.send(start)
        while True:
            await peer.send(b"X: " + b"x" * 10_000 + b"\r\n")

    async with serving(endless) as server, a_tester() as tester:
        response = await tester.client.get(server.url)

    assert response.error == "server response headers exceeded 131072 bytes; aborted"


@in_real_time
async def test_a_hard_stop_closes_the_connection_and_writes_no_row() -> None:
    async def stall(peer: Peer) -> None:
        await peer.head()
        if not await peer.head():
            gone.set()

    gone = trio.Event()
    async with serving(stall) as server, a_tester() as tester:
        with trio.move_on_after(0.05) as scope:
            await tester.client.get(server.url)
        assert scope.cancelled_caught
        with trio.fail_after(2):
            await gone.wait()

    assert tester.rows == []
    assert tester.recorder.bytes_sent > 0


@in_real_time
async def test_a_stop_while_connecting_leaves_nothing_behind() -> None:
    async with full_backlog() as url, a_tester() as tester:
        with trio.move_on_after(0.05) as scope:
            await tester.client.get(url)

    assert scope.cancelled_caught
    assert tester.rows == []


@in_real_time
async def test_a_redirect_to_nowhere_is_a_failed_request_of_its_own() -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n"
    async with replying(reply) as server, a_tester() as tester:
        response = await tester.client.get(server.url)

    assert (response.error, response.error_code) == ('unsupported protocol scheme "ftp"', 1000)
    assert [row[1] for row in tester.rows] == [0, 1]
    assert [old.status_code for old in response.history] == [302]


@in_real_time
async def test_a_mistake_in_the_users_iterator_is_the_users_to_see() -> None:
    def broken() -> Any:
        yield b"x"
        raise ValueError("mine")

    async with replying(OK) as server, a_tester() as tester:
        with pytest.raises(ValueError, match="mine"):
            await tester.client.post(server.url, content=broken())
        assert (await tester.client.get(server.url)).status_code == 200

    assert len(tester.rows) == 1


@in_real_time
async def test_a_server_that_is_gone_leaves_nothing_of_its_last_response() -> None:
    async with a_tester() as tester:
        async with replying(OK, close=True) as server:
            await tester.client.get(server.url)
            received = tester.recorder.bytes_received
            await trio.sleep(0.1)
        response = await tester.client.get(server.url)

    assert (response.error, response.content) == ("dial: connection refused", b"")
    assert tester.recorder.bytes_received == received
    assert tester.rows[1][2:9] == (0, 0, 0, 0, 0, 0, 0)


@in_real_time
async def test_the_largest_size_is_that_of_the_body_without_its_chunks() -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            await peer.send(b"1\r\nx\r\n")
            await trio.sleep(0.001)
        await peer.send(b"0\r\n\r\n")

    async with serving(handler) as server, a_tester(max_response_size=50) as tester:
        response = await tester.client.get(server.url)

    assert (response.error, response.text) == ("", "x" * 50)


@in_real_time
async def test_each_response_is_tagged_with_its_own_version() -> None:
    old = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    async with replying(OK, old, OK, OK) as server, a_tester() as tester:
        versions = [(await tester.client.get(server.url)).http_version for _ in range(4)]

    assert versions == ["HTTP/1.1", "HTTP/1.0", "HTTP/1.1", "HTTP/1.1"]
    assert server.connections == 1


@in_real_time
async def test_a_loop_that_stands_still_does_not_make_a_connection_late() -> None:
    async def stand_still() -> None:
        sleep(0.03)  # noqa: ASYNC251 - that is the point

    async with replying(OK) as server, a_tester(connect_timeout=0.02) as tester:
        for _ in range(8):  # Trio shuffles: it stands still before or after connecting
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tester.client.get, server.url)
                nursery.start_soon(stand_still)
            tester.client.close()

    assert [failed for _, failed, *_ in tester.rows] == [0] * 8


@in_real_time
async def test_what_comes_behind_the_answer_to_head_only_ends_the_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with replying(head + OK) as server, a_tester() as tester:
        errors = [(await tester.client.head(server.url)).error for _ in range(2)]

    assert errors == ["", ""]
    assert server.connections == 2
