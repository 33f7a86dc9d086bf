"""Connections of HTTP/3 as a client meets them: phases, losses, endings, refusals."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

pytest.importorskip("qh3")

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import ClientOptions, HostTable, Proxies, SyncClient, TlsRules
from pytest_k6api.protocols.http.h3 import errors
from pytest_k6api.protocols.http.h3.frames import DATA, GOAWAY, HEADERS, frame, number
from tests.protocols.http.h3.speaking import (
    EARLY_HINTS,
    NOT_FOUND,
    OK,
    Peer,
    hello,
    literal,
    serving,
    until,
)
from tests.protocols.http.serving import Harness, a_tester
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


def a_client(**options: object):
    return a_tester(**{"verify": False, "http_versions": "3", "timeout": 10.0, **options})


@in_real_time
async def test_the_first_request_has_the_times_of_the_handshake(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        first = await tester.client.get(server.url)
        second = await tester.client.get(server.url)

    assert (first.text, second.text) == ("hello", "hello")
    assert first.timings.connecting > 0
    assert first.timings.tls_handshaking > 0
    assert first.timings.blocked >= first.timings.connecting + first.timings.tls_handshaking
    assert second.timings.blocked == second.timings.connecting == 0
    assert len(server.peers) == 1


@in_real_time
async def test_an_authority_is_trusted_that_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with a_client(verify=str(tmp_path / "ca.pem")) as tester:
            trusted = await tester.client.get(server.url)
            other = await tester.client.get(server.url.replace("127.0.0.1", "localhost"))

    assert (trusted.text, trusted.error) == ("hello", "")
    assert (other.error_code, other.error) == (1311, "x509: certificate doesn't match hostname")


@pytest.mark.parametrize("every", [6, 11])
@in_real_time
async def test_lost_datagrams_are_sent_again(tmp_path: Path, every: int) -> None:
    body = bytes(range(256)) * 100

    def answer(peer: Peer, number_: int) -> None:
        peer.send(number_, OK + frame(DATA, body), end=True)

    async with (
        serving(tmp_path, answer, loses=lambda count: count % every == 0) as server,
        a_client(timeout=30.0) as tester,
    ):
        responses = [await tester.client.get(server.url) for _ in range(3)]
        upload = await tester.client.post(server.url, content=body)
        received = server.peers[-1].bodies

    assert [got.content == body for got in responses] == [True] * 3
    assert upload.error == ""
    assert max(len(data) for data in received.values()) > len(body)


@in_real_time
async def test_a_batch_goes_over_one_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        responses = await tester.client.batch([server.url] * 6)

    assert [got.text for got in responses] == ["hello"] * 6
    assert len(server.peers) == 1


def hinted(peer: Peer, number_: int) -> None:
    trailers = frame(HEADERS, b"\0\0" + literal(b"a", b"b"))
    peer.send(number_, EARLY_HINTS + EARLY_HINTS + OK + frame(DATA, b"hello") + trailers, end=True)


def strange(peer: Peer, number_: int) -> None:
    unknown = frame(0x21, b"x" * 100)
    for byte in unknown + OK + unknown + frame(DATA, b"hel") + frame(DATA, b"lo") + unknown:
        peer.send(number_, bytes([byte]))
    peer.send(number_, b"", end=True)


@pytest.mark.parametrize("answer", [hinted, strange])
@in_real_time
async def test_what_may_come_beside_a_response_is_passed_over(tmp_path: Path, answer) -> None:
    async with serving(tmp_path, answer) as server, a_client() as tester:
        got = await tester.client.get(server.url)

    assert (got.status_code, got.text, got.error) == (200, "hello", "")


def resetting(code: int):
    def answer(peer: Peer, number_: int) -> None:
        peer.quic.reset_stream(number_, code)

    return answer


def sending(data: bytes, *, end: bool = True):
    def answer(peer: Peer, number_: int) -> None:
        peer.send(number_, data, end=end)

    return answer


def controlling(data: bytes, stream: int = 3):
    def answer(peer: Peer, _number: int) -> None:
        peer.send(stream, data)

    return answer


def closing(code: int, frame_type: int | None = None):
    def answer(peer: Peer, _number: int) -> None:
        peer.quic.close(code, frame_type, "bye")

    return answer


STREAM, CONNECTION = "http3: stream error with", "http3: connection error with"
FLAWS = {
    "a reset": (resetting(0x102), f"{STREAM} H3_INTERNAL_ERROR"),
    "a reset of no known code": (resetting(0x9999), f"{STREAM} unknown code 0x9999"),
    "no head": (sending(b""), f"{STREAM} H3_MESSAGE_ERROR: a response without head"),
    "1xx alone": (sending(EARLY_HINTS), f"{STREAM} H3_MESSAGE_ERROR: a response without head"),
    "no status": (
        sending(frame(HEADERS, b"\0\0" + literal(b"a", b"b"))),
        f"{STREAM} H3_MESSAGE_ERROR: a head without status",
    ),
    "an upper-case name": (
        sending(frame(HEADERS, b"\0\0\xd9" + literal(b"A", b"b"))),
        f"{STREAM} H3_MESSAGE_ERROR: a header name with other characters than it may have",
    ),
    "less than said": (
        sending(frame(HEADERS, b"\0\0\xd9\x54\x019") + frame(DATA, b"a")), "unexpected EOF",
    ),
    "more than said": (
        sending(frame(HEADERS, b"\0\0\xd9\x54\x011") + frame(DATA, b"ab")),
        "http3: the server sent more than its Content-Length; truncated",
    ),
    "data first": (
        sending(frame(DATA, b"a") + OK), f"{CONNECTION} H3_FRAME_UNEXPECTED: DATA before HEADERS",
    ),
    "a cut frame": (
        sending(OK + frame(DATA, b"abc")[:-1]),
        f"{CONNECTION} H3_FRAME_ERROR: a stream that ends within a frame",
    ),
    "a promise": (
        sending(frame(5, b"\0\0\0\xd1")),
        f"{CONNECTION} H3_ID_ERROR: PUSH_PROMISE, which was never allowed",
    ),
    "SETTINGS of a request": (
        sending(frame(4, b"")), f"{CONNECTION} H3_FRAME_UNEXPECTED: a frame 0x4 of a request",
    ),
    "fields that are none": (
        sending(frame(HEADERS, b"\0\0\xff")),
        f"{CONNECTION} QPACK_DECOMPRESSION_FAILED: fields that cannot be decoded",
    ),
    "SETTINGS twice": (
        controlling(frame(4, b"")), f"{CONNECTION} H3_FRAME_UNEXPECTED: SETTINGS once more",
    ),
    "a push": (controlling(b"\x01\0", 7), f"{CONNECTION} H3_ID_ERROR: a push, which was never allowed"),
    "a second control stream": (
        controlling(b"\0", 7), f"{CONNECTION} H3_STREAM_CREATION_ERROR: a second stream of its kind",
    ),
    "an entry of a table": (
        controlling(b"\x02\x41a\x01b", 7),
        f"{CONNECTION} QPACK_ENCODER_STREAM_ERROR: an entry for a table of no size",
    ),
    "a code of HTTP/3": (closing(0x102), f"{CONNECTION} H3_INTERNAL_ERROR"),
    "a code of QUIC": (closing(0xA, 0), f"{CONNECTION} PROTOCOL_VIOLATION"),
    "a good end in the middle": (closing(0x100), "unexpected EOF"),
}  # fmt: skip


@pytest.mark.parametrize("flaw", FLAWS)
@in_real_time
async def test_a_flaw_fails_its_request_in_words_and_the_next_finds_a_server(
    tmp_path: Path, flaw: str
) -> None:
    answer, error = FLAWS[flaw]

    is_first = True

    def first_alone(peer: Peer, number_: int) -> None:
        nonlocal is_first
        is_first, now = False, is_first
        (answer if now else hello)(peer, number_)

    async with serving(tmp_path, first_alone) as server, a_client() as tester:
        failed = await tester.client.get(server.url)
        good = await tester.client.get(server.url)

    assert (failed.status_code, failed.error) == (0, error)
    assert (good.text, good.error) == ("hello", "")
    assert [row[1] for row in tester.rows] == [1, 0]


@in_real_time
async def test_no_settings_at_first_end_the_connection(tmp_path: Path) -> None:
    greeting = b"\0" + frame(GOAWAY, b"\0")
    async with serving(tmp_path, greeting=greeting) as server, a_client() as tester:
        got = await tester.client.get(server.url)
        await until(lambda: server.peers[0].code is not None)

    assert got.error_code == 1650
    assert server.peers[0].code == errors.MISSING_SETTINGS


@in_real_time
async def test_a_request_that_was_rejected_is_sent_again(tmp_path: Path) -> None:
    def answer(peer: Peer, number_: int) -> None:
        if number_ == 0:
            peer.quic.reset_stream(number_, errors.REQUEST_REJECTED)
        else:
            hello(peer, number_)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        got = await tester.client.post(server.url, content=b"x")

    assert (got.text, got.error) == ("hello", "")
    assert len(tester.rows) == 1


@in_real_time
async def test_after_goaway_another_connection_is_opened(tmp_path: Path) -> None:
    def answer(peer: Peer, number_: int) -> None:
        if len(server.peers) == 1:
            peer.send(3, frame(GOAWAY, number(4)))
        hello(peer, number_)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        responses = [await tester.client.get(server.url) for _ in range(3)]

    assert [got.text for got in responses] == ["hello"] * 3
    assert len(server.peers) == 2


@in_real_time
async def test_a_request_that_is_overdue_leaves_the_connection(tmp_path: Path) -> None:
    def answer(peer: Peer, number_: int) -> None:
        if number_:
            hello(peer, number_)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        late = await tester.client.get(server.url, timeout=0.3)
        good = await tester.client.get(server.url)

    assert (late.error_code, late.error) == (1050, "request timeout")
    assert good.text == "hello"
    assert len(server.peers) == 1


@in_real_time
async def test_a_server_that_is_not_there_refuses(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        url = server.url
        assert (await tester.client.get(url)).text == "hello"
    async with a_client() as tester:
        refused = await tester.client.get(url)

    assert (refused.error_code, refused.error) == (1212, "dial: connection refused")


@in_real_time
async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{sock.getsockname()[1]}"
    with sock:
        async with a_client(connect_timeout=0.3) as tester:
            silent = await tester.client.get(url)

    assert (silent.error_code, silent.error) == (1211, "dial: i/o timeout")


@in_real_time
async def test_a_body_is_decoded_and_cookies_are_kept_and_redirects_followed(
    tmp_path: Path,
) -> None:
    def answer(peer: Peer, number_: int) -> None:
        if number_ == 0:
            # :status 302, location: static index 12
            fields = b"\0\0\xff\x03" + b"\x5c\x05/next" + b"\x5e\x03a=1"
            peer.send(number_, frame(HEADERS, fields), end=True)
        else:
            hello(peer, number_)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        got = await tester.client.get(server.url)
        asked = server.peers[0].bodies[4]

    assert [len(got.history), got.text] == [1, "hello"]
    assert b"/next" in asked
    assert b"a=1" in asked


@in_real_time
async def test_statuses_fail_as_ever(tmp_path: Path) -> None:
    async with serving(tmp_path, sending(NOT_FOUND)) as server, a_client() as tester:
        got = await tester.client.get(server.url)

    assert (got.status_code, tester.tags()["error_code"]) == (404, "1404")


def is_paused(connection: Any) -> bool:
    return bool(connection._socket.is_paused)


@pytest.mark.slow
@in_real_time
async def test_a_slow_reader_holds_the_server_up(tmp_path: Path) -> None:
    size = 20_000_000

    async with (
        serving(tmp_path, sending(OK + frame(DATA, bytes(size)))) as server,
        a_client(timeout=60.0) as tester,
        tester.client.stream("GET", server.url) as response,
    ):
        received = 0
        async for piece in response.aiter_bytes():
            if not received:
                (connection,) = tester.runtime._connections
                await until(partial(is_paused, connection))
                held_back = server.peers[0].quic.get_send_buffer_size(0)
            received += len(piece)

    assert held_back > 5_000_000
    assert received == size


async def failure_of(tester: Harness, url: str) -> str:
    return (await tester.client.get(url)).error


@in_real_time
async def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    hosts = HostTable({"there": f"unix:{tmp_path}/sock"})
    async with a_client(hosts=hosts) as tester:
        plain = await failure_of(tester, "http://127.0.0.1/")
    proxies = Proxies("http://proxy:1", {}, ClientOptions().secrets)
    async with a_client(proxies=proxies) as tester:
        proxied = await failure_of(tester, "https://127.0.0.1/")

    assert plain == "http3: http:// has no HTTP/3; write https://"
    assert proxied == (
        "http3: no proxy leads to HTTP/3; except the server by NO_PROXY, or choose another version"
    )


def test_older_tls_is_refused_with_the_option() -> None:
    with pytest.raises(OptionError, match=r"http_versions='3' needs TLS 1\.3, got tls1\.2-tls1\.2"):
        ClientOptions(http_versions="3", tls=TlsRules(versions=("tls1.2", "tls1.2")))


@in_real_time
async def test_a_connection_for_each_request_is_closed_behind_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client(no_connection_reuse=True) as tester:
        for _ in range(3):
            assert (await tester.client.get(server.url)).text == "hello"
        await until(lambda: [peer.code for peer in server.peers] == [errors.NO_ERROR] * 3)


@in_real_time
async def test_bytes_are_those_of_datagrams(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        await tester.client.get(server.url)
        first = tester.recorder.bytes_sent, tester.recorder.bytes_received
        await tester.client.get(server.url)
        second = tester.recorder.bytes_sent - first[0]

    assert first[0] >= 1200  # QUIC's first datagram is filled up
    assert first[1] >= 1200
    assert 30 < second < 1200


@in_real_time
async def test_a_scenario_in_a_thread_asks_likewise(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        client = SyncClient(tester.client)
        got = await trio.to_thread.run_sync(client.get, server.url)
        both = await trio.to_thread.run_sync(client.batch, [server.url] * 2)

    assert [each.text for each in (got, *both)] == ["hello"] * 3


@in_real_time
async def test_server_sent_events_come_one_by_one(tmp_path: Path) -> None:
    fields = b"\0\0\xd9" + b"\x5f\x1d\x11text/event-stream"
    data = b"data: a\n\ndata: b\n\n"

    async with (
        serving(tmp_path, sending(frame(HEADERS, fields) + frame(DATA, data))) as server,
        a_client() as tester,
        tester.client.sse(server.url, reconnections=0) as events,
    ):
        told = [event.data async for event in events]

    assert told == ["a", "b"]


@in_real_time
async def test_an_upload_that_is_not_wanted_is_left_out(tmp_path: Path) -> None:
    def answer(peer: Peer, number_: int) -> None:
        peer.quic.stop_stream(number_, errors.NO_ERROR)
        hello(peer, number_)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        Peer.waits = False
        try:
            got = await tester.client.post(server.url, content=b"x" * 3_000_000)
        finally:
            Peer.waits = True

    assert (got.text, got.error) == ("hello", "")
