"""Sessions with a server that does what it should: messages, answers, pings, the end."""

import os
import ssl
import time

import pytest
import trio
import trustme

from pytest_k6api.model import SECRETS, OptionError
from pytest_k6api.protocols.http.net import Proxies
from pytest_k6api.protocols.websocket import WebSocketClosed
from tests.protocols.http.serving import Peer, serving
from tests.protocols.websocket.serving import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    WsPeer,
    a_ws,
    close_frame,
    frame,
    switching,
    upgrading,
)
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

NORMAL = (CLOSE, b"\x03\xe8")


@in_real_time
async def test_text_and_bytes_go_out_and_come_back_as_what_they_are():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        async with tester.ws.connect(server.url.replace("http", "ws")) as ws:
            await ws.send("κόσμε")
            await ws.send(b"\x00\xff")
            await ws.send("x" * 200_000)
            received = [await ws.receive(), await ws.receive(), await ws.receive()]

    assert received == ["κόσμε", b"\x00\xff", "x" * 200_000]
    assert (ws.is_open, ws.error, ws.error_code, ws.close_code) == (False, "", 0, 1000)
    assert tester.counts() == {
        "ws_sessions": 1,
        "ws_connecting": 1,
        "ws_msgs_sent": 3,
        "ws_msgs_received": 3,
        "ws_session_duration": 1,
        "ws_failed": 0,
    }


@in_real_time
async def test_json_goes_out_as_text_and_is_read_from_text_and_bytes():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.send_json({"id": 7})
            text = await ws.receive()
            await ws.send_json(["κόσμε"])
            first = await ws.receive_json()
            await ws.send(b'{"a": null}')
            second = await ws.receive_json(timeout=60)
            await ws.send("no JSON")
            with pytest.raises(ValueError, match="Expecting value"):
                await ws.receive_json()

    assert (text, first, second) == ('{"id":7}', ["κόσμε"], {"a": None})
    assert ws.error == ""


@in_real_time
async def test_a_message_that_does_not_come_in_time_fails_the_session():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.send("there")
            received = [await ws.receive(timeout=60)]
            await ws.receive(timeout=0.05)

    assert received == ["there"]
    assert ws.error == "no message came within 0.05 s"
    assert tester.counts()["ws_failed"] == 1


@in_real_time
async def test_messages_of_one_turn_go_out_in_one_piece():
    pieces = []

    async def handler(peer: WsPeer) -> None:
        pieces.append(bytes(await peer.peer.stream.receive_some()))
        peer.peer._rest = pieces[0]
        await peer.echo()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            for number in range(10):
                await ws.send(f"message {number}")
            for number in range(10):
                assert await ws.receive() == f"message {number}"

    assert len(pieces[0]) == 10 * (2 + 4 + 9)


@in_real_time
async def test_what_came_right_behind_the_handshake_is_received():
    async with (
        upgrading(WsPeer.echo, behind=frame(TEXT, b"welcome") + frame(TEXT, b"!")[:2]) as server,
        a_ws() as tester,
        tester.ws.connect(server.url) as ws,
    ):
        assert await ws.receive() == "welcome"
        head = len(server.heads[0])

        assert tester.recorder.bytes_sent == head


@in_real_time
async def test_the_bytes_on_the_wire_are_counted():
    async def handler(peer: WsPeer) -> None:
        await peer.expect((PONG, b"now"), (TEXT, b"hello"))
        await peer.send(frame(TEXT, b"answer"))
        await peer.expect(NORMAL)
        await peer.send(close_frame(1000))

    async with upgrading(handler, behind=frame(PING, b"now")) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.send("hello")
            await ws.receive()

    assert tester.recorder.bytes_received == len(ws.response._head) + 5 + 8 + 4
    assert tester.recorder.bytes_sent == len(server.heads[0]) + 9 + 11 + 8


@in_real_time
async def test_async_for_ends_with_the_session():
    async def handler(peer: WsPeer) -> None:
        for number in range(3):
            await peer.send(frame(TEXT, b"%d" % number))
        await peer.send(close_frame(1000, "done"))
        await peer.expect(NORMAL)

    received = []
    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            async for message in ws:
                received.append(message)

    assert received == ["0", "1", "2"]
    assert (ws.close_code, ws.close_reason, tester.failures()) == (1000, "done", [])


@in_real_time
async def test_break_closes_the_session():
    ended = trio.Event()

    async def handler(peer: WsPeer) -> None:
        await peer.send(frame(TEXT, b"one") + frame(TEXT, b"two"))
        await peer.expect(NORMAL)
        await peer.send(close_frame(1000))
        ended.set()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            async for message in ws:
                assert message == "one"
                break
        with trio.fail_after(5):
            await ended.wait()

    assert tester.counts()["ws_msgs_received"] == 2


@in_real_time
async def test_a_request_finds_its_answer_among_other_messages_and_they_stay():
    async def handler(peer: WsPeer) -> None:
        assert await peer.frame() == (TEXT, b"ask")
        for text in (b"news", b"answer: 42", b"more"):
            await peer.send(frame(TEXT, text))
        await peer.echo()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            answer = await ws.request("ask", lambda message: "answer" in str(message))
            left = [await ws.receive(), await ws.receive()]
            first = await ws.request("next", name="any")

    assert (answer, left, first) == ("answer: 42", ["news", "more"], "next")
    times = [(value, tags) for name, value, tags in tester.samples() if name == "ws_response_time"]
    assert [tags["name"] for _, tags in times] == [ws._samples._request.name, "any"]
    assert all(0 <= value < 20_000_000 for value, _ in times)


@in_real_time
async def test_requests_of_several_tasks_find_their_own_answers():
    async def handler(peer: WsPeer) -> None:
        asked = [(await peer.frame())[1] for _ in range(4)]
        for text in reversed(asked):
            await peer.send(frame(TEXT, text))
        await peer.echo()

    answers = {}

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:

            async def ask(text: str) -> None:
                answers[text] = await ws.request(text, lambda message: message == text)

            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(ask, str(number))

    assert answers == {text: text for text in "0123"}
    assert tester.counts()["ws_response_time"] == 4


# Tasks of Trio are resumed a turn late: then the time is that of looking.
@pytest.mark.parametrize("waiting", ["epoll"], indirect=True)
@in_real_time
async def test_a_busy_loop_is_not_counted_as_the_servers_time_though_plain_messages_came_before():
    async def handler(peer: WsPeer) -> None:
        await peer.expect((TEXT, b"plain"))
        await peer.send(frame(TEXT, b"plain"))
        await peer.expect((TEXT, b"ask"))
        os.write(peer.peer.stream.socket.fileno(), frame(TEXT, b"answer"))
        time.sleep(0.5)  # noqa: ASYNC251 - the loop is busy
        await peer.echo()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.send("plain")
            assert await ws.receive() == "plain"
            assert await ws.request("ask") == "answer"

    (took,) = [value for name, value, _ in tester.samples() if name == "ws_response_time"]
    assert took < 400_000


@in_real_time
async def test_one_task_may_receive_while_others_send_and_ask():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        received: list[str | bytes] = []
        async with tester.ws.connect(server.url) as ws, trio.open_nursery() as nursery:

            async def listen() -> None:
                async for message in ws:
                    received.append(message)

            nursery.start_soon(listen)
            await ws.send("one")
            assert await ws.request("mine", lambda message: message == "mine") == "mine"
            await ws.send("two")
            assert await ws.ping() >= 0
            while len(received) < 2:
                await trio.sleep(0.001)
            await ws.close()

    assert received == ["one", "two"]
    assert tester.failures() == []


@in_real_time
async def test_what_match_raises_is_raised_by_the_request_and_takes_no_message():
    def refuse(message: object) -> bool:
        raise KeyError("id")

    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            with pytest.raises(KeyError, match="id"):
                await ws.request("ask", refuse)
            assert await ws.receive() == "ask"

    assert "ws_response_time" not in tester.counts()


@in_real_time
async def test_a_ping_is_measured_and_pings_of_the_server_are_answered():
    async def handler(peer: WsPeer) -> None:
        await peer.expect((PING, b"are you there"))
        await peer.send(frame(PONG, b"unasked") + frame(PING, b"you?"))
        await peer.expect((PONG, b"you?"))
        await peer.send(frame(PONG, b"are you there"))
        await peer.echo()

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            took = await ws.ping(b"are you there")

    (measured,) = [value for name, value, _ in tester.samples() if name == "ws_ping"]
    assert took == measured / 1e6 >= 0


@in_real_time
async def test_pings_are_answered_while_the_scenario_does_something_else():
    answered = trio.Event()

    async def handler(peer: WsPeer) -> None:
        await peer.send(frame(PING, b"1"))
        await peer.expect((PONG, b"1"))
        await peer.send(frame(TEXT, b"kept") + frame(PING, b"2"))
        await peer.expect((PONG, b"2"))
        answered.set()
        await peer.echo()

    async with (
        upgrading(handler) as server,
        a_ws() as tester,
        tester.ws.connect(server.url) as ws,
    ):
        await answered.wait()
        assert await ws.receive() == "kept"


@in_real_time
async def test_no_more_than_a_mebibyte_is_read_that_the_scenario_does_not_receive():
    async def handler(peer: WsPeer) -> None:
        await peer.send(frame(BINARY, b"x" * 65_000) * 30)
        await peer.echo()

    async with (
        upgrading(handler) as server,
        a_ws() as tester,
        tester.ws.connect(server.url) as ws,
    ):
        session = ws._session
        assert session is not None
        while len(session.unread) < 16:
            await trio.sleep(0.01)
        for _ in range(10):
            session.wake()

        assert len(session.unread) <= 18
        for _ in range(30):
            assert len(await ws.receive()) == 65_000


@in_real_time
async def test_the_oldest_messages_are_dropped_while_a_request_waits_for_another():
    async def handler(peer: WsPeer) -> None:
        assert await peer.frame() == (TEXT, b"ask")
        for number in range(40):
            await peer.send(frame(BINARY, bytes((number,)) * 65_000))
        await peer.send(frame(TEXT, b"answer"))
        await peer.echo()

    async with (
        upgrading(handler) as server,
        a_ws() as tester,
        tester.ws.connect(server.url) as ws,
    ):
        assert await ws.request("ask", lambda message: message == "answer") == "answer"
        oldest = await ws.receive()

    assert ws.dropped == 24
    assert oldest == bytes((24,)) * 65_000


@in_real_time
async def test_close_says_code_and_reason_and_waits_for_the_answer():
    async def handler(peer: WsPeer) -> None:
        await peer.expect((CLOSE, b"\x0f\xa1bye"))
        await peer.send(frame(TEXT, b"late") + close_frame(4001, "bye, too"))
        assert await peer.until_gone() == b""

    async with upgrading(handler) as server, a_ws() as tester:
        async with tester.ws.connect(server.url) as ws:
            await ws.close(4001, "bye")
            assert not ws.is_open
            await ws.close()

    assert (ws.close_code, ws.close_reason, tester.failures()) == (4001, "bye, too", [])


@in_real_time
async def test_compression_keeps_the_window_of_both_sides():
    extension = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10"
    sizes = []

    async def handler(peer: WsPeer) -> None:
        for _ in range(3):
            first, payload = await peer.frame()
            assert first == 0x40 | TEXT
            sizes.append(len(payload))
            await peer.send(frame(first, payload))
        await peer.echo()

    text = "".join(chr(33 + number * number % 89) for number in range(500))
    async with upgrading(handler, extension) as server, a_ws() as tester:
        async with tester.ws.connect(server.url, compression="deflate") as ws:
            for _ in range(3):
                await ws.send(text)
                assert await ws.receive() == text

    assert (
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits" in server.heads[0]
    )
    assert sizes[1] < sizes[0] / 4 > sizes[2]


@in_real_time
async def test_a_subprotocol_is_chosen_by_the_server_and_is_a_tag():
    async with (
        upgrading(WsPeer.echo, "Sec-WebSocket-Protocol: graphql-ws") as server,
        a_ws() as tester,
        tester.ws.connect(
            f"{server.url}/chat?room=1",
            subprotocols=["graphql-ws", "mqtt"],
            headers={"X-Own": "1"},
            params={"a": 2},
            cookies={"c": "3"},
            auth=("user", "secret"),
            tags={"team": "red"},
        ) as ws,
    ):
        assert ws.subprotocol == "graphql-ws"

    head = server.heads[0]
    assert head.startswith(b"GET /chat?room=1&a=2 HTTP/1.1\r\n")
    for field in (
        b"Sec-WebSocket-Protocol: graphql-ws, mqtt",
        b"Sec-WebSocket-Version: 13",
        b"X-Own: 1",
        b"Cookie: c=3",
        b"Authorization: Basic ",
    ):
        assert field in head
    name = f"{server.url.replace('http', 'ws')}/chat?room=1&a=2"
    (tags,) = {tuple(sorted(tags.items())) for _, _, tags in tester.samples()}
    assert dict(tags) == {
        "name": name,
        "url": name,
        "status": "101",
        "subproto": "graphql-ws",
        "team": "red",
    }


@in_real_time
async def test_a_session_over_tls_has_the_clients_authorities_and_counts_what_is_on_the_wire(
    tmp_path,
):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async with (
        upgrading(WsPeer.echo, behind=frame(TEXT, b"first"), context=context) as server,
        a_ws(verify=str(tmp_path / "ca.pem")) as tester,
    ):
        async with tester.ws.connect(server.url.replace("https", "wss")) as ws:
            assert await ws.receive() == "first"
            await ws.send("x" * 100_000)
            assert await ws.receive() == "x" * 100_000

    assert tester.failures() == []
    assert 101_000 < tester.recorder.bytes_sent < 110_000
    assert 101_000 < tester.recorder.bytes_received < 110_000


@in_real_time
async def test_a_proxy_leads_through_a_tunnel_without_tls_too():
    heads = []

    async def proxy(peer: Peer) -> None:
        heads.append(await peer.head())
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        heads.append(await peer.head())
        await peer.send(switching(heads[1]))
        await WsPeer(peer, heads[1]).echo()

    async with serving(proxy) as server:
        proxies = Proxies(server.url, {}, SECRETS)
        async with a_ws(proxies=proxies) as tester, tester.ws.connect("ws://shop.test/chat") as ws:
            assert await ws.request("hello") == "hello"

    assert heads[0].startswith(b"CONNECT shop.test:80 HTTP/1.1\r\n")
    assert heads[1].startswith(b"GET /chat HTTP/1.1\r\n")


@in_real_time
async def test_a_scenario_that_is_interrupted_says_good_bye():
    said = []

    async def handler(peer: WsPeer) -> None:
        said.append(await peer.frame())
        await peer.send(close_frame(1001))

    async with upgrading(handler) as server, a_ws() as tester:
        with trio.CancelScope() as scope:
            async with tester.ws.connect(server.url) as ws:
                scope.cancel()
                await ws.receive()
        while not said:
            await trio.sleep(0.01)

    assert scope.cancelled_caught
    assert said == [(CLOSE, b"\x03\xe9")]


@in_real_time
async def test_sessions_that_are_still_open_are_closed_with_the_virtual_user():
    said = []

    async def handler(peer: WsPeer) -> None:
        said.append(await peer.frame())

    async with upgrading(handler) as server, a_ws() as tester:
        await tester.ws.connect(server.url).__aenter__()
        tester.ws.close()
        while not said:
            await trio.sleep(0.01)

    assert said == [(CLOSE, b"\x03\xe9")]


@in_real_time
async def test_an_error_of_the_scenario_leaves_the_block_and_the_session_is_no_failure():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        with pytest.raises(ZeroDivisionError):
            async with tester.ws.connect(server.url):
                raise ZeroDivisionError

    assert tester.counts()["ws_failed"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subprotocols": "chat"}, "subprotocols is a list such as ['chat'], got 'chat'"),
        ({"subprotocols": ["a b"]}, "a subprotocol is a word such as 'graphql-ws', got 'a b'"),
        ({"compression": True}, "compression is 'deflate' or None, got True"),
        ({"max_message_size": 0}, "max_message_size is a number of bytes above 0, got 0"),
        (
            {"idle_timeout": -1},
            "idle_timeout is a number of seconds above 0, or None for no limit, got -1",
        ),
        (
            {"expected_codes": [1]},
            "expected_codes is a close code or a collection of them, such as [1000, 4001], got [1]",
        ),
        (
            {"headers": {"Upgrade": "h2c"}},
            "vu.ws.connect() sends the header Upgrade itself; leave it out",
        ),
    ],
)
@in_real_time
async def test_an_option_that_cannot_be_used_is_refused_before_anything_is_sent(options, message):
    async with a_ws() as tester:
        with pytest.raises(OptionError) as refusal:
            async with tester.ws.connect("ws://127.0.0.1:1/", **options):
                pass

    assert str(refusal.value) == message
    assert tester.samples() == []


@in_real_time
async def test_mistakes_in_calls_are_told():
    async with upgrading(WsPeer.echo) as server, a_ws() as tester:
        with pytest.raises(TypeError, match="async with vu.ws.connect"):
            await tester.ws.connect(server.url)
        with pytest.raises(TypeError, match=r"takes no verify \(write --k6-insecure-skip"):
            async with tester.ws.connect(server.url, verify=False):  # type: ignore[call-arg]
                pass
        async with tester.ws.connect(server.url) as ws:
            with pytest.raises(TypeError, match=r"str or bytes, got int 5; ws.send_json\(\) takes"):
                await ws.send(5)  # type: ignore[arg-type]
            with pytest.raises(OptionError, match="a ping takes up to 125 bytes"):
                await ws.ping(b"x" * 126)
            with pytest.raises(
                OptionError, match="a close code is 1000, 1001 or another .* got 1005"
            ):
                await ws.close(1005)
            await ws.close()
            with pytest.raises(WebSocketClosed, match="closed before the scenario sent a message"):
                await ws.send("late")
