"""Responses that are read as they come: `stream` on the real loopback."""

import gzip
import itertools
import ssl
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import trio
import trio.testing
import trustme
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import HTTPStatusError, StreamError, SyncClient
from pytest_k6api.protocols.http.message import DecodingError, RequestError
from pytest_k6api.protocols.http.message.decoding import StreamDecoder
from pytest_k6api.protocols.http.streaming import readers
from pytest_k6api.protocols.http.streaming.readers import LineSplitter, LineTooLongError
from tests.protocols.http.serving import OK, Harness, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(*pieces: bytes, fields: bytes = b"") -> bytes:
    return HEAD + fields + b"\r\n" + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"


def step_by_step(
    *pieces: bytes, fields: bytes = b""
) -> tuple[Callable[[Peer], Awaitable[None]], Any]:
    """Return a handler that sends a piece whenever the second is called, which is a function."""
    permits = trio.Semaphore(0)

    async def handler(peer: Peer) -> None:
        while await peer.head():
            await peer.send(HEAD + fields + b"\r\n")
            for piece in pieces:
                await permits.acquire()
                await peer.send(piece)

    return handler, permits.release


async def open_sockets(tester: Harness) -> int:
    return sum(connection.is_open for connection in tester.runtime._connections)


@in_real_time
async def test_the_head_is_there_before_the_body() -> None:
    handler, send = step_by_step(chunk(b"one"), chunk(b"two"), b"0\r\n\r\n", fields=b"X: 1\r\n")

    async with (
        serving(handler) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url, name="feed", tags={"kind": "live"}) as response,
    ):
        at_once = (response.status_code, response.headers["x"], response.timings.receiving)
        seen = []
        pieces = response.aiter_bytes()
        for _ in range(2):
            send()
            seen.append(await anext(pieces))
        send()
        rest = [piece async for piece in pieces]
        before_the_end = list(tester.rows)

    assert at_once == (200, "1", 0.0)
    assert seen == [b"one", b"two"]
    assert (rest, before_the_end, response.error) == ([], [], "")
    assert tester.tags() == {
        "method": "GET", "name": "feed", "url": "feed", "kind": "live", "status": "200",
        "proto": "HTTP/1.1", "expected_response": "true",
    }  # fmt: skip
    assert response.timings.duration == tester.rows[0][2] / 1000
    assert (
        tester.recorder.bytes_received
        == response.num_bytes_downloaded
        == (len(HEAD + b"X: 1\r\n\r\n" + chunk(b"one") + chunk(b"two") + b"0\r\n\r\n"))
    )


@in_real_time
async def test_a_body_that_was_read_leaves_the_connection_for_the_next_request() -> None:
    length = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with replying(chunked(b"a", b"b"), length, empty, OK) as server, a_tester() as tester:
        bodies = []
        for _ in range(5):
            async with tester.client.stream("GET", server.url) as response:
                bodies.append(b"".join([piece async for piece in response.aiter_bytes()]))
        plain = await tester.client.get(server.url)

    assert bodies == [b"ab", b"hello", b"", b"ok", b"ok"]
    assert (plain.content, server.connections) == (b"ok", 1)


@in_real_time
async def test_a_body_may_end_with_the_connection() -> None:
    reply = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with replying(reply, close=True) as server, a_tester() as tester:
        for _ in range(2):
            async with tester.client.stream("GET", server.url) as response:
                body = await response.aread()

    assert (body, response.text, response.error) == (b"all of it", "all of it", "")
    assert server.connections == 2


@in_real_time
async def test_leaving_a_stream_early_closes_its_connection_and_keeps_its_row() -> None:
    handler, send = step_by_step(chunk(b"x"), chunk(b"y"))
    async with serving(handler) as server, a_tester() as tester:
        send()
        async with tester.client.stream("GET", server.url) as response:
            async for _ in response.aiter_bytes():
                break
        left = await open_sockets(tester)
        with pytest.raises(ValueError, match="mine"):
            async with tester.client.stream("GET", server.url):
                raise ValueError("mine")

    assert (left, response.is_closed, response.error) == (0, True, "")
    assert [row[1] for row in tester.rows] == [0, 0]
    assert server.connections == 2


@in_real_time
async def test_a_read_that_is_cancelled_loses_nothing() -> None:
    handler, send = step_by_step(chunk(b"late"), b"0\r\n\r\n")
    async with (
        serving(handler) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url) as response,
    ):
        with trio.move_on_after(0.01) as scope:
            await anext(response.aiter_bytes())
        send()
        send()
        body = [piece async for piece in response.aiter_bytes()]

    assert (scope.cancelled_caught, body) == (True, [b"late"])


@in_real_time
async def test_a_read_ends_when_another_task_leaves_the_block() -> None:
    handler, _ = step_by_step(b"")
    pieces: list[bytes] = []

    async def read() -> None:
        pieces.extend([piece async for piece in response.aiter_bytes()])

    async with serving(handler) as server, a_tester() as tester:
        with trio.fail_after(5):
            async with (
                trio.open_nursery() as nursery,
                tester.client.stream("GET", server.url) as response,
            ):
                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked(0.01)

    assert pieces == []
    assert [row[1] for row in tester.rows] == [0]


@in_real_time
async def test_a_cancelled_block_closes_its_connection() -> None:
    handler, _ = step_by_step(b"")
    async with serving(handler) as server, a_tester() as tester:
        with trio.CancelScope() as scope:
            async with tester.client.stream("GET", server.url) as response:
                scope.cancel()
                await response.aread()
        left = await open_sockets(tester)

    assert (left, scope.cancelled_caught) == (0, True)
    assert len(tester.rows) == 1


@in_real_time
async def test_a_pause_of_the_server_is_bounded_and_one_of_the_reader_is_not() -> None:
    handler, send = step_by_step(chunk(b"x"), b"")
    async with serving(handler) as server, a_tester() as tester:
        send()
        async with tester.client.stream("GET", server.url, timeout=0.5) as response:
            await trio.sleep(0.7)
            pieces = [piece async for piece in response.aiter_bytes()]

    assert pieces == [b"x"]
    assert (response.error, response.error_code, response.status_code) == (
        "request timeout",
        1050,
        0,
    )
    assert tester.tags()["status"] == "0"
    assert [row[1] for row in tester.rows] == [1]
    assert await open_sockets(tester) == 0


@in_real_time
async def test_the_whole_is_bounded_however_busy_the_server_is() -> None:
    async def drip(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + b"\r\n")
        while True:
            await peer.send(chunk(b"."))
            await trio.sleep(0.005)

    async with serving(drip) as server, a_tester() as tester:
        with trio.fail_after(10):
            async with tester.client.stream("GET", server.url, total_timeout=0.5) as response:
                size = len(await response.aread())

    assert (response.error, response.error_code) == ("request timeout", 1050)
    assert size < 1000


@in_real_time
async def test_a_head_that_does_not_come_is_a_failed_response() -> None:
    async def silent(peer: Peer) -> None:
        await peer.head()
        await trio.sleep_forever()

    async with (
        serving(silent) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url, timeout=0.3) as response,
    ):
        pieces = [piece async for piece in response.aiter_lines()]
        body = await response.aread()

    assert (response.status_code, response.error, pieces, body) == (0, "request timeout", [], b"")
    assert len(tester.rows) == 1


@pytest.mark.parametrize(
    ("cut", "error"),
    [
        (HEAD + b"\r\n5\r\nab", "unexpected EOF"),
        (HEAD + b"\r\n2\r\nab\r\n", "unexpected EOF"),
        (HEAD + b"\r\n2\r\nab\r\nnonsense\r\n", "invalid byte in chunk length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "unexpected EOF"),
    ],
)
@in_real_time
async def test_a_body_that_is_cut_is_a_failed_request(cut: bytes, error: str) -> None:
    async with replying(cut, close=True) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            body = b"".join([piece async for piece in response.aiter_bytes()])
        with pytest.raises(RequestError, match=error):
            async with tester.client.stream("GET", server.url, throw=True) as raising:
                await raising.aread()

    assert body in {b"ab", b""}
    assert (response.status_code, response.error, response.error_code) == (0, error, 1000)
    assert [row[1] for row in tester.rows] == [1, 1]
    (describe, *_) = tester.recorder.buffer.exchanges.values()
    assert f"< {error} (error code 1000)" in describe()


@in_real_time
async def test_a_failed_status_is_shown_with_its_body_though_nothing_read_it() -> None:
    reply = b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\ncome back"
    async with replying(reply) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            pass
        with pytest.raises(HTTPStatusError, match="503 Busy"):
            async with tester.client.stream("GET", server.url, throw=True):
                raise AssertionError("it is not entered")
        async with tester.client.stream("GET", server.url, expected_statuses=503):
            pass

    assert response.error_code == 1503
    assert [row[1] for row in tester.rows] == [1, 1, 0]
    (describe,) = tester.recorder.buffer.exchanges.values()
    assert describe().splitlines()[-1] == "come back"
    assert server.connections == 1


@in_real_time
async def test_redirects_are_followed_with_cookies_and_counted() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nSet-Cookie: id=7\r\nContent-Length: 4\r\n\r\ngone"
    async with (
        replying(moved, chunked(b"here")) as server,
        a_tester() as tester,
        tester.client.stream("POST", server.url, json={}) as response,
    ):
        body = await response.aread()

    assert (body, str(response.url)) == (b"here", f"{server.url}/there")
    assert [each.status_code for each in response.history] == [302]
    assert b"Cookie: id=7" in server.heads[1]
    assert [tester.tags(index)["status"] for index in (0, 1)] == ["302", "200"]
    assert server.connections == 1


@in_real_time
async def test_a_redirect_that_leads_nowhere_is_a_failed_response() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n"
    async with replying(moved) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            pass
        async with tester.client.stream("GET", "ftp://x/") as broken:
            pass

    assert response.error == broken.error == 'unsupported protocol scheme "ftp"'
    assert [row[1] for row in tester.rows] == [0, 1, 1]


@in_real_time
async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    first = True

    async def handler(peer: Peer) -> None:
        nonlocal first
        await peer.head()
        await peer.send(chunked(b"x"))
        if first:
            first = False
            await peer.head()  # and closes without an answer
        else:
            await trio.sleep_forever()

    async with serving(handler) as server, a_tester() as tester:
        for _ in range(2):
            async with tester.client.stream("GET", server.url) as response:
                body = await response.aread()

    assert (body, response.error, server.connections) == (b"x", "", 2)
    assert [sample[0].name for sample in tester.recorder.buffer.samples] == ["http_req_retries"]


@in_real_time
async def test_memory_stays_bounded_however_fast_the_server_sends() -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(bytes(256 * 1024))
            sent += 256 * 1024

    async with (
        serving(flood) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url) as response,
    ):
        largest = 0
        pieces = response.aiter_bytes()
        for _ in range(3):
            largest = max(largest, len(await anext(pieces)))
        stood_at = -1
        with trio.fail_after(20):
            while stood_at != sent:  # the server waits until something is read
                stood_at = sent
                await trio.sleep(0.05)

    assert sent < 64 * 1024 * 1024
    assert largest <= 256 * 1024


@in_real_time
async def test_a_bomb_is_handed_out_in_small_pieces_and_not_read_whole() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with replying(reply + bomb) as server, a_tester(max_response_size=1_000_000) as tester:
        async with tester.client.stream("GET", server.url) as response:
            sizes = [len(piece) async for piece in response.aiter_bytes()]
        async with tester.client.stream("GET", server.url) as refused:
            await refused.aread()

    assert (sum(sizes), response.error) == (20_000_000, "")
    assert max(sizes) <= 64 * 1024
    assert refused.error == "response body exceeded 1000000 bytes"


def flushed_gzip(*pieces: bytes) -> list[bytes]:
    compressor = zlib.compressobj(wbits=31)
    return [
        compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces
    ] + [compressor.flush()]


def flushed_brotli(*pieces: bytes) -> list[bytes]:
    compressor = brotli.Compressor()
    return [compressor.process(piece) + compressor.flush() for piece in pieces] + [
        compressor.finish()
    ]


def flushed_zstd(*pieces: bytes) -> list[bytes]:
    compressor = zstandard.ZstdCompressor().compressobj()
    flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return [compressor.compress(piece) + compressor.flush(flush) for piece in pieces] + [
        compressor.flush()
    ]


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", flushed_gzip), ("br", flushed_brotli), ("zstd", flushed_zstd)],
)
@in_real_time
async def test_an_encoded_piece_is_there_when_it_comes(
    encoding: str, encode: Callable[..., list[bytes]]
) -> None:
    one, two, end = encode(b"one\n", b"two\n")
    handler, send = step_by_step(
        chunk(one), chunk(two), (chunk(end) if end else b"") + b"0\r\n\r\n",
        fields=b"Content-Encoding: %b\r\n" % encoding.encode(),
    )  # fmt: skip
    async with (
        serving(handler) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url) as response,
    ):
        lines = response.aiter_lines()
        seen = []
        for _ in range(2):
            send()
            seen.append(await anext(lines))
        send()
        rest = [line async for line in lines]

    assert (seen, rest, response.error) == (["one", "two"], [], "")


@in_real_time
async def test_what_is_no_gzip_ends_the_body_with_an_error() -> None:
    reply = chunked(b"plain", fields=b"Content-Encoding: gzip\r\n")
    async with replying(reply) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            body = await response.aread()
        async with tester.client.stream("GET", server.url) as raw:
            as_it_came = [piece async for piece in raw.aiter_raw()]

    assert (body, response.error_code, response.status_code) == (b"", 1701, 0)
    assert (as_it_came, raw.error) == ([b"plain"], "")


@in_real_time
async def test_text_and_lines_are_decoded_across_pieces() -> None:
    body = "grün\r\nrot\rblau\n\nend".encode()
    handler, send = step_by_step(
        *[chunk(bytes([byte])) for byte in body], b"0\r\n\r\n",
        fields=b"Content-Type: text/plain; charset=utf-8\r\n",
    )  # fmt: skip
    async with serving(handler) as server, a_tester() as tester:
        for _ in range(2 * (len(body) + 1)):
            send()
        async with tester.client.stream("GET", server.url) as response:
            lines = [line async for line in response.aiter_lines()]
        async with tester.client.stream("GET", server.url) as response:
            pieces = [text async for text in response.aiter_text(chunk_size=4)]

    assert lines == ["grün", "rot", "blau", "", "end"]
    assert pieces == ["grün", "\r\nro", "t\rbl", "au\n\n", "end"]


@in_real_time
async def test_pieces_have_the_size_that_was_asked_for() -> None:
    async with replying(chunked(b"abcd", b"ef", b"g")) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            pieces = [piece async for piece in response.aiter_bytes(chunk_size=3)]
        async with tester.client.stream("GET", server.url) as response:
            raw = [piece async for piece in response.aiter_raw(chunk_size=5)]
            with pytest.raises(ValueError, match="chunk_size is a number above 0, got 0"):
                response.aiter_bytes(0)

    assert (pieces, raw) == ([b"abc", b"def", b"g"], [b"abcde", b"fg"])


@in_real_time
async def test_a_line_without_end_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_k6api.protocols.http.streaming.response.LONGEST_LINE", 1000)

    async def endless(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nshort\n")
        while True:
            await peer.send(b"x" * 500)

    async with (
        serving(endless) as server,
        a_tester() as tester,
        tester.client.stream("GET", server.url) as response,
    ):
        lines = [line async for line in response.aiter_lines()]

    assert lines in (["short"], [])
    assert response.error == "line of the response body exceeded 1000 characters"
    assert tester.tags()["error_code"] == "1000"


@in_real_time
async def test_a_body_has_to_be_read_where_it_can_be() -> None:
    async with replying(chunked(b'{"a": 1}')) as server, a_tester() as tester:
        async with tester.client.stream("GET", server.url) as response:
            with pytest.raises(StreamError, match=r"call response\.aread\(\) first"):
                response.json()
            await response.aread()
            again = [piece async for piece in response.aiter_bytes()]
        assert (response.json(), again) == ({"a": 1}, [b'{"a": 1}'])
        async with tester.client.stream("GET", server.url) as unread:
            pass
        with pytest.raises(StreamError, match="the block of this stream has ended"):
            await anext(unread.aiter_bytes())
        with pytest.raises(
            OptionError, match="total_timeout is a number of seconds above 0, got 0"
        ):
            tester.client.stream("GET", server.url, total_timeout=0)


@in_real_time
async def test_a_synchronous_scenario_reads_without_await() -> None:
    async with replying(chunked(b"one\n", b"two")) as server, a_tester() as tester:

        def scenario() -> list[object]:
            client = SyncClient(tester.client)
            with client.stream("GET", server.url) as response:
                seen: list[object] = [response.status_code, list(response.iter_lines())]
            with client.stream("GET", server.url) as response:
                seen.append(response.read())
            with client.stream("GET", server.url) as response:
                seen += [*response.iter_bytes(5), *response.iter_text()]
            with client.stream("GET", server.url) as response:
                for piece in response.iter_raw():
                    return [*seen, piece]
            raise AssertionError("it returns inside of the block")

        seen = await trio.to_thread.run_sync(scenario)

    assert seen[:-1] == [200, ["one", "two"], b"one\ntwo", b"one\nt", b"wo"]
    assert len(tester.rows) == 4


@in_real_time
async def test_a_stream_over_tls_counts_its_bytes_and_keeps_its_connection(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    body = bytes(300_000)
    reply = chunked(*[body[start : start + 10_000] for start in range(0, len(body), 10_000)])
    async with (
        replying(reply, context=context) as server,
        a_tester(verify=str(tmp_path / "ca.pem")) as tester,
    ):
        for _ in range(2):
            async with tester.client.stream("GET", server.url) as response:
                size = len(await response.aread())

    assert (size, server.connections) == (300_000, 1)
    assert tester.recorder.bytes_received > 2 * len(reply)
    assert tester.tags()["tls_version"] == "tls1.3"


@pytest.mark.parametrize("end", [b"", b"\n"])
@given(
    text=st.text(st.sampled_from("ab\n\r\v\x1d\x85\u2028"), max_size=40),
    cuts=st.lists(st.integers(0, 40)),
)
def test_any_split_of_a_text_gives_its_lines(end: bytes, text: str, cuts: list[int]) -> None:
    text += end.decode()
    splitter = LineSplitter(100)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    lines = [
        line
        for start, stop in itertools.pairwise(places)
        for line in splitter.feed(text[start:stop])
    ]

    assert lines + splitter.finish() == text.splitlines()


def test_a_line_may_be_as_long_as_the_limit() -> None:
    splitter = LineSplitter(5)

    assert splitter.feed("12345\n123") == ["12345"]
    assert splitter.feed("45") == []
    with pytest.raises(LineTooLongError):
        splitter.feed("6")
    with pytest.raises(LineTooLongError):
        LineSplitter(5).feed("123456\n")


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "unknown": bytes,
}


@pytest.mark.parametrize("encodings", ENCODINGS)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(1, 300), max_size=5))
def test_any_split_of_a_body_decodes_to_the_same(
    encodings: str, data: bytes, cuts: list[int]
) -> None:
    body = ENCODINGS[encodings](data)
    decoder = StreamDecoder(encodings)
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]

    decoded = [
        piece
        for start, stop in itertools.pairwise(places)
        if start < stop
        for piece in decoder.feed(body[start:stop])
    ]

    assert b"".join([*decoded, *decoder.finish()]) == data


@pytest.mark.parametrize("encodings", ["gzip", "deflate", "br", "zstd"])
def test_an_encoded_body_that_ends_midway_is_told(encodings: str) -> None:
    decoder = StreamDecoder(encodings)
    list(decoder.feed(ENCODINGS[encodings](b"some text")[:-3]))

    with pytest.raises(DecodingError, match="unexpected EOF"):
        list(decoder.finish())


def test_an_empty_body_has_nothing_to_decode() -> None:
    assert list(StreamDecoder("gzip").finish()) == []


def test_lines_are_bounded_by_sixteen_mebibytes() -> None:
    assert readers.LONGEST_LINE == 16_777_216
