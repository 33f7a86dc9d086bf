"""Servers that do what they should not: each ends the session with words that tell what, and never more."""

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_k6api.protocols.websocket import WebSocketClosed
from tests.protocols.http.serving import Peer, serving
from tests.protocols.websocket.serving import (
    CLOSE,
    PING,
    TEXT,
    WsHarness,
    WsPeer,
    a_ws,
    close_frame,
    frame,
    switching,
    upgrading,
)
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


@pytest.mark.parametrize(
    ("sent", "code", "error"),
    [
        (b"\x83\x00", 1002, "the server sent a frame with the reserved opcode 3"),
        (b"\xc1\x00", 1002, "the server sent a frame with a reserved bit set"),
        (b"\x81\x81abcd!", 1002, "the server sent a frame that is masked"),
        (b"\x89\x7e\x00\x7e", 1002, "the server sent a control frame of more than 125 bytes"),
        (b"\x80\x00", 1002, "the server sent a fragment of no message"),
        (b"\x81\x01\xff", 1007, "the server sent text that is not UTF-8"),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007, "the server closed with a reason that is not UTF-8"),
        (
            b"\x82\x7f" + b"\x00\x00\x00\x01" + b"\x00" * 4,
            1009,
            "the server sent a message that is too big",
        ),
    ],
)
@in_real_time
async def test_what_breaks_the_protocol_is_closed_with_the_code_for_it(sent, code, error):
    said = []

    async def handler(peer: WsPeer) -> None:
        await peer.send(frame(TEXT, b"fine") + sent + b"\0" * 100_000)
        first, payload = await peer.frame()
        said.append((first, int.from_bytes(payload[:2], "big"), payload[2:].decode()))

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            assert await ws.receive() == "fine"
            await ws.receive()
            raise AssertionError

        assert said == [(CLOSE, code, error)]
    assert tester.failures() == [(error, str(code + 800))]
    assert (ws.error, ws.error_code, ws.is_open) == (error, code + 800, False)
    assert error in tester.exchange()
    assert "last received: text, 4 bytes: fine" in tester.exchange()


async def end(peer: WsPeer) -> None:
    await peer.peer.close()


async def reset(peer: WsPeer) -> None:
    await peer.peer.reset()


async def end_midway(peer: WsPeer) -> None:
    await peer.send(frame(TEXT, b"cut short")[:5])


async def fail(peer: WsPeer) -> None:
    await peer.send(close_frame(1011, "out of memory"))
    await peer.frame()


async def refuse(peer: WsPeer) -> None:
    await peer.send(close_frame(4003))
    await peer.frame()


async def leave(peer: WsPeer) -> None:
    await peer.send(close_frame(1000))
    await peer.frame()


@pytest.mark.parametrize(
    ("handler", "error", "code"),
    [
        (end, "the connection ended without a close frame", 1806),
        (reset, "read: connection reset by peer", 1220),
        (end_midway, "the connection ended without a close frame", 1806),
        (fail, "the server closed with 1011 (internal error)", 1811),
        (refuse, "the server closed with 4003", 4003),
    ],
)
@in_real_time
async def test_a_session_that_ends_badly_has_failed_and_leaves_the_block(handler, error, code):
    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            async for _ in ws:
                raise AssertionError
            raise AssertionError

    assert tester.failures() == [(error, str(code))]
    assert tester.counts()["ws_session_duration"] == 1
    assert ws.error == error


@in_real_time
async def test_a_session_that_ends_well_but_too_soon_for_the_scenario_has_failed():
    error = "the server closed with 1000 (normal closure) while the scenario waited for a message"

    async with upgrading(leave) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.receive()

    assert tester.failures() == [(error, "1800")]
    assert ws.close_code == 1000


@in_real_time
async def test_codes_and_statuses_that_are_expected_are_no_failure():
    async def unauthorized(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")

    async with upgrading(refuse) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, expected_codes=4003) as ws:
            async for _ in ws:
                raise AssertionError
        async with (
            serving(unauthorized) as wall,
            tester.ws.connect(wall.url, expected_statuses=401) as shut,
        ):
            assert not shut.is_open
        async with (
            serving(unauthorized) as wall,
            tester.ws.connect(wall.url, expected_statuses=None),
        ):
            pass

    assert tester.failures() == []
    assert (ws.close_code, shut.response.status_code, shut.response.text) == (4003, 401, "no")
    assert tester.counts() == {
        "ws_sessions": 3,
        "ws_connecting": 3,
        "ws_session_duration": 1,
        "ws_failed": 0,
    }
    assert [name for name, _, _ in tester.samples()].count("ws_failed") == 2


GOOD = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ((b"Upgrade: websocket\r\n", b""), "the server answered 101 without Upgrade: websocket"),
        (
            (b"Upgrade: websocket", b"Upgrade: h2c"),
            "the server answered 101 without Upgrade: websocket",
        ),
        (
            (b"Connection: Upgrade", b"Connection: keep-alive"),
            "the server answered 101 without Connection: upgrade",
        ),
        (
            (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"),
            "the server's Sec-WebSocket-Accept does not match the key",
        ),
        (
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
            "the server chose the subprotocol 'mqtt', which was not offered",
        ),
        (
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
            "the server agreed to the extension 'permessage-deflate', which was not offered",
        ),
    ],
)
@in_real_time
async def test_a_101_that_is_no_agreement_opens_nothing(change, error):
    async def handler(peer: Peer) -> None:
        answer = switching(await peer.head())
        await peer.send(answer.replace(*change))
        assert await peer.stream.receive_some() == b""

    async with serving(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            assert not ws.is_open
            await ws.send("never")

    assert tester.failures() == [(error, "1800")]


@pytest.mark.parametrize(
    "parameters",
    ["; server_max_window_bits=16", "; client_max_window_bits=7", "; x=1",
     "; server_no_context_takeover=1", "; server_max_window_bits=9; server_max_window_bits=10",
     ", permessage-deflate"],
)  # fmt: skip
@in_real_time
async def test_terms_of_compression_that_are_none_open_nothing(parameters):
    field = f"Sec-WebSocket-Extensions: permessage-deflate{parameters}"

    async with upgrading(end, field) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, compression="deflate") as ws:
            assert "which was not offered" in ws.error


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nlate", "the server answered the handshake with 503", 1503),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "the server answered the handshake with 302", 1800),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the server answered the handshake with 200", 1800),
        (b"SMTP hello\r\n\r\n", 'malformed HTTP status code "hello"', 1000),
        (b"", "EOF", 1000),
    ],
)  # fmt: skip
@in_real_time
async def test_a_handshake_that_is_not_answered_with_101_is_a_failed_session(answer, error, code):
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    async with serving(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.receive()
            raise AssertionError

    assert tester.failures() == [(error, str(code))]
    assert ws.response.content in (b"", b"late")
    assert tester.counts() == {"ws_sessions": 1, "ws_connecting": 1, "ws_failed": 1}


@in_real_time
async def test_a_server_that_is_not_there_or_a_url_that_is_none_fails_without_a_status():
    async with a_ws() as tester:
        for url in ("ws://127.0.0.1:1/", "ftp://127.0.0.1/", "ws://"):
            async with tester.ws.connect(url) as ws:
                assert not ws.is_open

    assert [code for _, code in tester.failures()] == ["1212", "1000", "1000"]
    assert all("status" not in tags for _, _, tags in tester.samples())


@in_real_time
async def test_throw_lets_the_failure_out_of_the_block():
    async with upgrading(fail) as server, a_ws() as tester:
        with pytest.raises(WebSocketClosed, match="1011") as closed:
            async with tester.ws.connect(server.url, throw=True) as ws:
                await ws.receive()
        with pytest.raises(WebSocketClosed, match="connection refused"):
            async with tester.ws.connect("ws://127.0.0.1:1/", throw=True):
                raise AssertionError

    assert (closed.value.code, closed.value.reason) == (1011, "out of memory")
    assert tester.counts()["ws_failed"] == 2


@in_real_time
async def test_a_group_of_errors_that_tells_of_the_session_alone_stays_inside():
    async with upgrading(fail) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws, trio.open_nursery() as nursery:
            nursery.start_soon(ws.receive)
            nursery.start_soon(ws.receive)

    assert len(tester.failures()) == 1


@in_real_time
async def test_the_end_of_one_session_is_no_excuse_for_another():
    async with upgrading(fail) as bad, upgrading(WsPeer.echo) as good, a_ws() as tester:
        async with tester.ws.connect(bad.url) as outer:
            async with tester.ws.connect(good.url):
                await outer.receive()
            raise AssertionError

    assert [(name, value) for name, value, _ in tester.samples() if name == "ws_failed"] == [
        ("ws_failed", 0),
        ("ws_failed", 1),
    ]


async def silent(peer: WsPeer) -> None:
    await trio.sleep_forever()


async def dripping(peer: WsPeer) -> None:
    while True:
        await peer.send(frame(0x01, b""))
        while True:
            await peer.send(frame(0x00, b""))
            await trio.sleep(0.01)


async def pinging(peer: WsPeer) -> None:
    while True:
        await peer.send(frame(PING, b"x" * 125) * 100)


@pytest.mark.parametrize("handler", [silent, dripping, pinging])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_duration": 0.3}, "the session took longer than 0.3 s (max_duration)"),
        ({"timeout": 0.3}, "no answer came within 0.3 s"),
    ],
)
@in_real_time
async def test_a_server_that_never_answers_is_left_in_time(handler, options, error):
    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, **options) as ws:
            await ws.request("hello")

    assert tester.failures() == [(error, "1050")]
    # A server that takes nothing gets no more than this ahead.
    assert ws._session is not None
    assert len(ws._session.line.wire) < 200_000


@in_real_time
async def test_a_session_that_is_idle_for_too_long_while_it_is_waited_for_has_failed():
    async def handler(peer: WsPeer) -> None:
        await peer.frame()
        await peer.send(frame(TEXT, b"one"))
        await trio.sleep_forever()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, idle_timeout=0.3) as ws:
            await trio.sleep(0.5)  # nobody waits for the server here
            await ws.send("now")
            assert await ws.receive() == "one"
            await ws.receive()

    assert tester.failures() == [("the server sent nothing for 0.3 s (idle_timeout)", "1050")]


@in_real_time
async def test_a_server_that_does_not_answer_a_close_frame_has_failed(monkeypatch):
    monkeypatch.setattr("pytest_k6api.protocols.websocket.websocket.CLOSE_TIMEOUT", 0.2)

    async with upgrading(silent) as server, a_ws() as tester, tester.ws.connect(server.url):
        pass

    assert tester.failures() == [("the server did not close within 0.2 s", "1050")]


@in_real_time
async def test_a_server_that_hangs_up_on_a_close_frame_has_not_failed():
    async def handler(peer: WsPeer) -> None:
        await peer.frame()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            pass

    assert (tester.failures(), ws.close_code) == ([], 1006)


@in_real_time
async def test_a_sender_waits_for_a_server_that_takes_nothing():
    async def handler(peer: WsPeer) -> None:
        await trio.sleep_forever()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, max_duration=0.5) as ws:
            while True:
                await ws.send(b"x" * 100_000)

    assert tester.failures() == [("the session took longer than 0.5 s (max_duration)", "1050")]
    assert ws._session is not None
    assert len(ws._session.line.wire) < 300_000


@in_real_time
async def test_a_half_closed_connection_is_at_its_end():
    async def handler(peer: WsPeer) -> None:
        await peer.send(frame(TEXT, b"last words"))
        assert isinstance(peer.peer.stream, trio.SocketStream)
        await peer.peer.stream.send_eof()
        await peer.until_gone()

    async with upgrading(handler) as server, a_ws() as tester:
        received = []
        async with tester.ws.connect(server.url) as ws:
            async for message in ws:
                received.append(message)

    assert received == ["last words"]
    assert tester.failures() == [("the connection ended without a close frame", "1806")]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5))
def test_whatever_a_server_sends_the_session_ends_and_nothing_else_is_raised(pieces):
    async def handler(peer: WsPeer) -> None:
        for piece in pieces:
            await peer.send(piece)
            await trio.lowlevel.checkpoint()

    @in_real_time
    async def run() -> None:
        async with upgrading(handler, behind=pieces[0]) as server, a_ws() as tester:
            await _listen(tester, server.url)

    run()


async def _listen(tester: WsHarness, url: str) -> None:
    async with tester.ws.connect(url, max_message_size=1000) as ws:
        async for message in ws:
            assert len(message) <= 1000
    counts = tester.counts()
    assert counts["ws_sessions"] == counts["ws_session_duration"] == 1
    assert counts["ws_failed"] in (0, 1)
