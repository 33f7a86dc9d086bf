"""The life of HTTP/2 connections: several streams, goodbyes, refusals, deadlines, and idle ones."""

import gzip
import ssl
from functools import partial

import pytest
import trio
import trustme

from pytest_k6api.protocols.http import SyncClient, describe_exchange
from tests.protocols.http.h2.speaking import (
    HEADERS,
    OK,
    PING,
    RST,
    SETTINGS,
    Speaker,
    answering,
    data,
    frame,
    goaway,
    head,
    literal,
    reset,
    response,
    settings,
    speaking,
)
from tests.protocols.http.serving import Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

KNOWN = {"http_versions": "2-prior-knowledge"}
REFUSED, CANCEL = 7, 8


class Crowd:
    """A server that answers `size` requests at once, the last one first, with their paths."""

    def __init__(self, size: int, first: bytes = settings()) -> None:
        self.size = size
        self.first = first
        self.at_once = 0

    async def speak(self, speaker: Speaker) -> None:
        await speaker.greet(self.first)
        while True:
            streams = [await speaker.request() for _ in range(self.size)]
            paths = [fields[":path"].encode() for fields in speaker.fields[-self.size :]]
            self.at_once = max(self.at_once, len(streams))
            answers = [response(*pair) for pair in zip(streams, paths, strict=True)]
            await speaker.send(*reversed(answers))


@in_real_time
async def test_a_batch_goes_over_one_connection_and_answers_come_in_any_order() -> None:
    crowd = Crowd(6)
    async with speaking(crowd.speak) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/{number}" for number in range(12)]
        responses = await tester.client.batch(urls)

    assert [got.text for got in responses] == [f"/{number}" for number in range(12)]
    assert (server.connections, crowd.at_once) == (1, 6)
    assert sum(row[4] > 0 for row in tester.rows) == 1  # one of them has connected


@in_real_time
async def test_the_limits_of_a_batch_can_be_said() -> None:
    crowd = Crowd(10)
    async with speaking(crowd.speak) as server, a_tester(**KNOWN) as tester:
        responses = await tester.client.batch([server.url] * 10, at_once_per_host=10)

    assert [got.status_code for got in responses] == [200] * 10
    assert (server.connections, crowd.at_once) == (1, 10)


@in_real_time
async def test_frames_of_many_responses_may_come_in_turns() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        one, two = await speaker.request(), await speaker.request()
        for piece in (
            head(one),
            head(two),
            data(two, b"b", ends=False),
            data(one, b"a", ends=False),
        ):
            await speaker.send(piece)
            await trio.sleep(0.001)
        await speaker.send(data(one, b"A"), data(two, b"B"))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        responses = await tester.client.batch([server.url] * 2)

    assert sorted(got.text for got in responses) == ["aA", "bB"]


@in_real_time
async def test_beyond_what_the_server_takes_at_once_another_connection_is_opened() -> None:
    crowd = Crowd(2, settings(streams=2))
    async with speaking(crowd.speak) as server, a_tester(**KNOWN) as tester:
        await tester.client.batch([server.url] * 2)
        # The second connection takes the other four: it has not told its limit yet.
        responses = await tester.client.batch([server.url] * 6)
        connections = [server.connections]
        responses += await tester.client.batch([server.url] * 6)
        connections.append(server.connections)
        responses += await tester.client.batch([server.url] * 6)

    assert [got.status_code for got in responses] == [200] * 18
    assert [*connections, server.connections] == [2, 3, 3]


@in_real_time
async def test_a_server_that_goes_after_some_requests_is_no_failure() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        for _ in range(2):
            stream = await speaker.request()
            await speaker.send(response(stream))
        await speaker.send(goaway(stream))
        await speaker.end()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        statuses = [(await tester.client.get(server.url)).status_code for _ in range(6)]

    assert statuses == [200] * 6
    assert server.connections == 3


@in_real_time
async def test_what_was_under_way_when_the_server_goes_is_finished() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        streams = [await speaker.request() for _ in range(3)]
        await speaker.send(goaway(streams[-1]), *map(response, streams))
        await speaker.end()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        responses = await tester.client.batch([server.url] * 3)

    assert [got.status_code for got in responses] == [200] * 3
    assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@in_real_time
async def test_a_request_that_the_server_has_not_seen_when_it_goes_is_sent_again(
    method: str,
) -> None:
    calls = 0

    async def speech(speaker: Speaker) -> None:
        nonlocal calls
        calls += 1
        await speaker.greet()
        stream = await speaker.request()
        if calls == 1:
            await speaker.send(goaway(0))
            await speaker.end()
        await speaker.send(response(stream))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.request(method, server.url, content=b"x")

    assert (got.status_code, server.connections, len(tester.rows)) == (200, 2, 1)
    assert len(tester.recorder.buffer.samples) == 1  # http_req_retries


@in_real_time
async def test_a_refused_request_is_sent_again_over_the_same_connection() -> None:
    answers = [partial(reset, code=REFUSED)] * 3
    async with answering(*answers, response) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.post(server.url, content=b"x")

    assert (got.status_code, server.connections) == (200, 1)
    assert len(tester.recorder.buffer.samples) == 3


@in_real_time
async def test_a_request_that_is_refused_again_and_again_fails_in_the_end() -> None:
    async with answering(partial(reset, code=REFUSED)) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.get(server.url)

    assert got.error == "http2: stream error with http2 ErrCode REFUSED_STREAM"
    assert got.error_code == 1638
    assert len(tester.recorder.buffer.samples) == 5


@in_real_time
async def test_a_body_that_was_made_while_it_was_sent_cannot_be_sent_again() -> None:
    async with answering(partial(reset, code=REFUSED)) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.put(server.url, content=iter([b"x"]))

    assert got.error_code == 1638
    assert tester.recorder.buffer.samples == []


@in_real_time
async def test_an_overdue_request_is_cancelled_and_the_connection_stays() -> None:
    said = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.request()
        taken = await speaker.until(RST)
        said.append((taken.stream, int.from_bytes(taken.payload)))
        ping = await speaker.until(PING)
        late = frame(PING, 1, 0, ping.payload) + response(1)
        await speaker.send(late, response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        overdue = await tester.client.get(server.url, timeout=0.05)
        after = await tester.client.get(server.url)

    assert (overdue.error, overdue.error_code) == ("request timeout", 1050)
    assert overdue.timings.duration > 0
    assert said == [(1, CANCEL)]
    assert (after.status_code, server.connections) == (200, 1)


@in_real_time
async def test_a_server_that_does_not_even_answer_a_ping_is_left() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        while True:
            await speaker.frame()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        for _ in range(3):
            assert (await tester.client.get(server.url, timeout=0.05)).error_code == 1050

    assert server.connections == 2


@in_real_time
async def test_a_cancelled_task_resets_its_stream_alone() -> None:
    resets = []
    both = trio.Event()

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        one = (await speaker.until(HEADERS)).stream
        other = (await speaker.until(HEADERS)).stream
        both.set()
        taken = await speaker.until(RST)
        resets.append(taken.stream)
        await speaker.send(response(other if taken.stream == one else one))
        await trio.sleep_forever()

    async with (
        speaking(speech) as server,
        a_tester(**KNOWN) as tester,
        trio.open_nursery() as nursery,
    ):
        got = []

        async def get() -> None:
            got.append(await tester.client.get(server.url))

        scope = trio.CancelScope()

        async def get_and_give_up() -> None:
            with scope:
                await tester.client.get(server.url)

        nursery.start_soon(get_and_give_up)
        nursery.start_soon(get)
        await both.wait()
        scope.cancel()

    assert len(resets) == 1
    assert [each.status_code for each in got] == [200]
    assert server.connections == 1
    assert len(tester.rows) == 1


@in_real_time
async def test_what_a_server_says_to_an_idle_connection_is_answered_and_no_end() -> None:
    answered = []
    heard = trio.Event()

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.send(response(await speaker.request()))
        await speaker.send(frame(PING, 0, 0, b"are you?"), settings(streams=5))
        answered.append((await speaker.until(PING, 1)).payload)
        await speaker.until(SETTINGS, 1)
        heard.set()
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        with trio.fail_after(5):
            await heard.wait()
        got = await tester.client.get(server.url)

    assert answered == [b"are you?"]
    assert (got.status_code, server.connections) == (200, 1)


@pytest.mark.parametrize("goodbye", [b"", goaway(1)], ids=["at once", "with a goodbye"])
@in_real_time
async def test_an_idle_connection_that_the_server_closes_is_replaced(goodbye: bytes) -> None:
    closed = trio.Event()

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.send(response(await speaker.request()))
        if not closed.is_set():
            await speaker.send(goodbye)
            await speaker.peer.close()
            closed.set()
        else:
            await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        await closed.wait()
        got = await tester.client.post(server.url, content=b"x")

    assert (got.status_code, server.connections) == (200, 2)
    assert tester.recorder.buffer.samples == []


@in_real_time
async def test_a_body_beyond_the_limit_is_cut_and_the_connection_stays() -> None:
    large = partial(response, content=b"x" * 10_000)
    async with (
        answering(
            lambda s: head(s) + data(s, b"x" * 900, ends=False) * 2, large, response
        ) as server,
        a_tester(max_response_size=1000, **KNOWN) as tester,
    ):
        cut, too_large, after = [await tester.client.get(server.url) for _ in range(3)]

    assert cut.error == too_large.error == "response body exceeded 1000 bytes"
    assert cut.content == b"x" * 900
    assert after.status_code == 200
    assert server.connections == 1


@in_real_time
async def test_windows_are_given_back_while_a_large_body_comes() -> None:
    size, piece = 12_000_000, b"x" * 16_000

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        stream = await speaker.request()
        left, window = size, 4 * 1024 * 1024
        await speaker.send(head(stream))
        while left:
            if window < len(piece):
                update = await speaker.until(8)
                window += int.from_bytes(update.payload) if update.stream else 0
                continue
            left -= len(piece)
            window -= len(piece)
            await speaker.send(data(stream, piece, ends=not left))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.get(server.url)

    assert len(got.content) == size


@in_real_time
async def test_cookies_encodings_and_redirects_are_those_of_http1() -> None:
    packed = gzip.compress(b"hello")
    to = b"\x08\x03302" + literal(b"location", b"/there") + literal(b"set-cookie", b"a=b; Path=/")
    block = OK + literal(b"content-encoding", b"gzip")
    answers = (partial(head, block=to, ends=True), partial(response, content=packed, block=block))
    async with answering(*answers) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.get(server.url)
        again = await tester.client.get(server.url)

    assert (got.text, again.text) == ("hello", "hello")
    assert [hop.status_code for hop in got.history] == [302]
    assert got.request.headers["cookie"] == "a=b"


@in_real_time
async def test_a_failed_exchange_is_shown_as_over_http1() -> None:
    block = b"\x8d" + literal(b"x-reason", b"lost") + literal(b"set-cookie", b"session=1")
    async with answering(partial(response, block=block)) as server, a_tester(**KNOWN) as tester:
        text = describe_exchange(await tester.client.get(f"{server.url}/a"))

    lines = text.splitlines()
    assert lines[0] == f"> GET {server.url}/a"
    assert [line for line in lines if line.startswith("<")][1:] == [
        "< x-reason: lost",
        "< set-cookie: ****",
    ]
    assert "< 404 Not Found after " in text
    assert lines[-1] == "ok"


@in_real_time
async def test_scenarios_in_threads_speak_it_too() -> None:
    async with answering(response) as server, a_tester(**KNOWN) as tester:
        client = SyncClient(tester.client)

        def browse() -> list[int]:
            first = client.get(server.url)
            return [first.status_code, *(got.status_code for got in client.batch([server.url] * 3))]

        statuses = await trio.to_thread.run_sync(browse)

    assert statuses == [200] * 4
    assert server.connections == 1


@in_real_time
async def test_a_response_is_read_in_pieces_and_what_is_not_read_stays_with_the_server() -> None:
    sent = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        stream = await speaker.request()
        await speaker.send(head(stream))
        window, piece = 4 * 1024 * 1024, b"x" * 16_000
        while window >= len(piece):
            await speaker.send(data(stream, piece, ends=False))
            window -= len(piece)
            sent.append(len(piece))
        await speaker.until(8)  # the window is given back as it is read
        await speaker.send(data(stream, b"end"))
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        async with tester.client.stream("GET", server.url) as got:
            pieces = [piece async for piece in got.aiter_bytes()]
        after = await tester.client.get(server.url)

    assert sum(map(len, pieces)) == sum(sent) + 3
    assert max(map(len, pieces)) <= 256 * 1024
    assert (after.status_code, server.connections) == (200, 1)


@in_real_time
async def test_a_stream_that_is_left_early_is_reset_and_the_connection_stays() -> None:
    resets = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        stream = await speaker.request()
        await speaker.send(head(stream), data(stream, b"first", ends=False))
        resets.append(int.from_bytes((await speaker.until(RST)).payload))
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        async with tester.client.stream("GET", server.url) as got:
            async for piece in got.aiter_bytes():
                assert piece == b"first"
                break
        after = await tester.client.get(server.url)

    assert resets == [CANCEL]
    assert (after.status_code, server.connections) == (200, 1)


def contexts(*protocols: str) -> tuple[ssl.SSLContext, trustme.CA]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(list(protocols))
    return context, authority


async def answer_over_tls(peer: Peer) -> None:
    speaker = Speaker(peer)
    await speaker.greet()
    while True:
        await speaker.send(response(await speaker.request()))


@in_real_time
async def test_over_tls_the_server_chooses_it_and_bytes_are_those_on_the_wire() -> None:
    context, _ = contexts("h2", "http/1.1")
    async with serving(answer_over_tls, context) as server, a_tester(verify=False) as tester:
        got = [await tester.client.get(server.url) for _ in range(3)]

    assert [each.http_version for each in got] == ["HTTP/2.0"] * 3
    assert tester.tags()["tls_version"] == "tls1.3"
    first, second, third = (each.num_bytes_downloaded for each in got)
    assert first > 500 > second == third > 20
    assert [row[5] > 0 for row in tester.rows] == [True, False, False]


@in_real_time
async def test_a_cold_batch_over_tls_waits_for_the_first_connection() -> None:
    context, _ = contexts("h2")
    async with serving(answer_over_tls, context) as server, a_tester(verify=False) as tester:
        responses = await tester.client.batch([server.url] * 6)

    assert [each.status_code for each in responses] == [200] * 6
    assert server.connections == 1
    assert all(row[3] > 0 for row in tester.rows)  # all were blocked until it was there
    assert sorted(row[5] > 0 for row in tester.rows) == [False] * 5 + [True]


@in_real_time
async def test_a_cold_batch_to_a_server_of_http1_gets_a_connection_for_each() -> None:
    context, _ = contexts("http/1.1")
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with replying(ok, context=context) as server, a_tester(verify=False) as tester:
        responses = await tester.client.batch([server.url] * 4)

    assert [each.http_version for each in responses] == ["HTTP/1.1"] * 4
    assert server.connections == 4


@in_real_time
async def test_a_server_that_does_not_choose_it_where_nothing_else_is_offered_is_a_failure() -> (
    None
):
    context, _ = contexts()
    async with (
        serving(answer_over_tls, context) as server,
        a_tester(verify=False, http_versions="2") as tester,
    ):
        got = await tester.client.get(server.url)

    assert (got.status_code, got.error_code) == (0, 1000)
    assert got.error == "http2: the server did not choose HTTP/2, and no other version was offered"


@in_real_time
async def test_without_the_extra_http1_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_k6api.protocols.http.client.options._has_decoder", lambda: False)
    context, _ = contexts("h2", "http/1.1")
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with replying(ok, context=context) as server, a_tester(verify=False) as tester:
        got = await tester.client.get(server.url)

    assert got.http_version == "HTTP/1.1"


@in_real_time
async def test_a_client_chooses_for_itself_from_its_next_connection_on() -> None:
    context, _ = contexts("h2", "http/1.1")
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def speak_either(peer: Peer) -> None:
        assert isinstance(peer.stream, trio.SSLStream)
        await peer.stream.do_handshake()
        if peer.stream.selected_alpn_protocol() == "h2":
            await answer_over_tls(peer)
        await peer.head()
        await peer.send(ok)
        await trio.sleep_forever()

    async with serving(speak_either, context) as server, a_tester(verify=False) as tester:
        versions = [(await tester.client.get(server.url)).http_version]
        tester.client.http_versions = "1.1"
        versions.append((await tester.client.get(server.url)).http_version)

    assert versions == ["HTTP/2.0", "HTTP/1.1"]
