"""Streams of server-sent events on the real loopback."""

import gzip
from collections.abc import Sequence
from itertools import pairwise

import pytest
import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import SSE_ROWS, HTTPStatusError, ServerSentEvent, SyncClient
from pytest_k6api.protocols.http.message import RequestError
from tests.protocols.http.serving import Harness, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"


def whole(body: bytes, fields: bytes = b"") -> bytes:
    return HEAD + fields + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def event(data: str, last_id: str = "", name: str = "message") -> ServerSentEvent:
    return ServerSentEvent(name, data, last_id, None)


def samples(tester: Harness) -> list[tuple[str, float]]:
    return [(metric.name, value) for metric, _, value in tester.recorder.buffer.samples]


def event_rows(tester: Harness) -> Sequence[tuple[int, int | None, int | None, int]]:
    return tester.recorder.buffer.rows[SSE_ROWS]


@in_real_time
async def test_events_are_given_counted_and_timed() -> None:
    body = b"event: add\ndata: 1\n\n: still there\n\ndata: 2\nid: 7\n\ndata: 3\n\n"
    async with replying(whole(body)) as server, a_tester() as tester:
        options = {"method": "POST", "json": {"q": 1}, "name": "feed", "tags": {"kind": "live"}}
        async with tester.client.sse(server.url, **options) as events:  # type: ignore[arg-type]
            assert events.response.status_code == 200
            seen = [each async for each in events]

    assert seen == [event("1", name="add"), event("2", "7"), event("3", "7")]
    assert events.last_event_id == "7"
    assert b"Accept: text/event-stream\r\nCache-Control: no-store\r\n" in server.heads[0]
    assert server.bodies == [b'{"q":1}']
    first, second, third = event_rows(tester)
    assert first[1] is not None
    assert (first[2], second[1], third[1]) == (None, None, None)
    assert (second[2], third[2]) == (0, 0)  # they came together
    assert dict(tester.table[first[0]]) == {
        "scenario": "s", "group": "", "method": "POST", "name": "feed", "url": "feed", "kind": "live",
    }  # fmt: skip
    assert samples(tester) == [("sse_failed", 0)]
    assert tester.tags()["status"] == "200"


@in_real_time
async def test_chunks_are_events_however_they_come() -> None:
    pieces = [
        b"9\r\ndata: a\n\n\r\n",  # one whole chunk
        b"009;seq=1\r\ndata: b\n\n\r\n",  # with an extension
        b"9\r\ndata: c\n\n\r\n9\r\ndata: d\n\n\r\n",  # two
        b"9\r\ndata:", b" e\n\n\r", b"\n",  # in pieces
        b"B\r\ndata: f\r\n\r\n\r\n",  # with lines of its own
        b"8\r\ndata: g\n\r\n",  # of which the event ends in the next
        b"1\r\n\n\r\n",
        b"0\r\n\r\n",
    ]  # fmt: skip

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            await trio.sleep(0.005)  # most come alone then; if not, the events are the same
            await peer.send(piece)

    async with (
        serving(serve) as server,
        a_tester() as tester,
        tester.client.sse(server.url, reconnections=0) as events,
    ):
        seen = [each.data async for each in events]

    assert seen == ["a", "b", "c", "d", "e", "f", "g"]
    assert samples(tester) == [("sse_failed", 0)]


@pytest.mark.parametrize(
    "chunk", [b"8\r\ndata: a\n\n\r\n", b"A\r\ndata: a\n\n\r\n", b"+9\r\ndata: a\n\n\r\n"]
)
@in_real_time
async def test_a_chunk_whose_size_is_wrong_breaks_the_stream(chunk: bytes) -> None:
    answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        await trio.sleep(0.005)
        await peer.send(chunk)

    async with (
        serving(serve) as server,
        a_tester() as tester,
        tester.client.sse(server.url, reconnections=0) as events,
    ):
        async for _ in events:
            pass
        error = events.response.error

    assert error
    assert samples(tester) == [("sse_failed", 1)]


@in_real_time
async def test_gaps_are_those_between_arrivals() -> None:
    async def slowly(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + b"\r\n")
        for _ in range(3):
            await trio.sleep(0.02)
            await peer.send(b"data: x\n\n")

    async with (
        serving(slowly) as server,
        a_tester() as tester,
        tester.client.sse(server.url, reconnections=0) as events,
    ):
        async for _ in events:
            await trio.sleep(0.05)  # what the reader does meanwhile counts for nothing

    rows = event_rows(tester)
    assert len(rows) == 3
    assert rows[0][1] is not None
    assert rows[0][1] >= 19_000
    for before, after in pairwise(rows):
        assert after[2] == pytest.approx((after[3] - before[3]) / 1000, abs=1)


@in_real_time
async def test_a_stream_goes_on_over_another_connection() -> None:
    parts = [
        whole(b"retry: 1\nid: 1\ndata: a\n\n"),
        whole(b"data: b\nid: 2\n\ndata: cut off"),
        HEAD + b"Content-Length: 100\r\n\r\ndata: c\n\n",
        NO_CONTENT,
    ]

    async def handler(peer: Peer) -> None:
        head = await peer.head()
        server.heads.append(head)
        if head:
            await peer.send(parts.pop(0))

    async with (
        serving(handler) as server,
        a_tester() as tester,
        tester.client.sse(server.url, last_event_id="0") as events,
    ):
        seen = [each async for each in events]

    assert [each.data for each in seen] == ["a", "b", "c"]
    told = [
        head.partition(b"Last-Event-ID: ")[2].partition(b"\r\n")[0] for head in server.heads if head
    ]
    assert told == [b"0", b"1", b"2", b"2"]
    assert [row[1:3] != (None, None) for row in event_rows(tester)] == [True, False, False]
    assert samples(tester) == [("sse_reconnections", 1)] * 3 + [("sse_failed", 0)]
    assert [tester.tags(index).get("error", "") for index in range(4)] == [
        "", "", "unexpected EOF", "",
    ]  # fmt: skip


@in_real_time
async def test_reconnections_are_bounded_and_can_be_switched_off() -> None:
    async with replying(whole(b"retry: 1\ndata: a\n\n")) as server, a_tester() as tester:
        counts = []
        for options in ({}, {"reconnections": 1}, {"reconnections": 0}, {"method": "POST"}):
            async with tester.client.sse(server.url, **options) as events:
                counts.append(len([each async for each in events]))
        with pytest.raises(OptionError, match="reconnections is a whole number, 0 or more, got -1"):
            tester.client.sse(server.url, reconnections=-1)

    assert counts == [4, 2, 1, 1]
    assert [value for name, value in samples(tester) if name == "sse_failed"] == [0, 0, 0, 0]


@in_real_time
async def test_a_server_that_is_down_is_tried_again() -> None:
    async with a_tester() as tester:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        await listeners[0].aclose()
        # A pause before a reconnection is no longer than the timeout.
        async with tester.client.sse(url, reconnections=2, timeout=0.05) as events:
            seen = [each async for each in events]
        with pytest.raises(RequestError, match="connection refused"):
            async with tester.client.sse(url, reconnections=1, timeout=0.05, throw=True) as events:
                await anext(events)

    assert (seen, events.response.status_code) == ([], 0)
    assert len(tester.rows) == 5
    assert [value for name, value in samples(tester) if name == "sse_failed"] == [1, 1]


@pytest.mark.parametrize(
    ("reply", "error", "status"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhuh?",
            "no event stream: Content-Type is text/html",
            0,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream or so\r\nContent-Length: 4\r\n\r\nhuh?",
            "no event stream: Content-Type is something else",
            0,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhuh?",
            "no event stream: Content-Type is missing",
            0,
        ),
        (b"HTTP/1.1 429 Slowly\r\nContent-Length: 4\r\n\r\nhuh?", "", 429),
    ],
)
@in_real_time
async def test_what_is_no_event_stream_is_a_failed_request(
    reply: bytes, error: str, status: int
) -> None:
    async with replying(reply) as server, a_tester() as tester:
        async with tester.client.sse(server.url) as events:
            seen = [each async for each in events]
        with pytest.raises((RequestError, HTTPStatusError), match=error or "429 Slowly"):
            async with tester.client.sse(server.url, throw=True):
                raise AssertionError("it is not entered")

    assert (seen, events.response.error, events.response.status_code) == ([], error, status)
    assert [row[1] for row in tester.rows] == [1, 1]
    assert ("sse_failed", 1) in samples(tester)
    (describe,) = tester.recorder.buffer.exchanges.values()
    assert describe().splitlines()[-1] == "huh?"


@in_real_time
async def test_leaving_a_loop_leaks_nothing() -> None:
    async def endless(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + b"\r\n")
        while True:
            await peer.send(b"data: x\n\n" * 10)
            await trio.sleep(0.01)

    def scenario(url: str, client: SyncClient) -> str:
        with client.sse(url) as events:
            for each in events:
                return each.data
        raise AssertionError("it returns inside of the block")

    async with serving(endless) as server, a_tester() as tester:
        async with tester.client.sse(server.url) as events:
            async for _ in events:
                break
        in_a_thread = await trio.to_thread.run_sync(scenario, server.url, SyncClient(tester.client))
        still_open = sum(each.is_open for each in tester.runtime._connections)

    assert (in_a_thread, still_open) == ("x", 0)
    assert len(event_rows(tester)) == 2
    assert samples(tester) == [("sse_failed", 0)] * 2


@in_real_time
async def test_a_synchronous_scenario_reads_to_the_end() -> None:
    async with replying(whole(b"id: 3\ndata: a\n\n")) as server, a_tester() as tester:

        def scenario() -> tuple[list[str], int, str]:
            with SyncClient(tester.client).sse(server.url, reconnections=0) as events:
                seen = [each.data for each in events]
            return seen, events.response.status_code, events.last_event_id

        seen = await trio.to_thread.run_sync(scenario)

    assert seen == (["a"], 200, "3")


@in_real_time
async def test_the_whole_is_bounded_reconnections_included() -> None:
    async with replying(whole(b"retry: 60000\ndata: a\n\n")) as server, a_tester() as tester:
        with trio.fail_after(10):
            async with tester.client.sse(server.url, total_timeout=2) as events:
                seen = [each.data async for each in events]

    assert (seen, events.response.error) == (["a"], "request timeout")
    assert samples(tester) == [("sse_failed", 1)]
    assert server.connections == 1


@in_real_time
async def test_an_event_without_end_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_k6api.protocols.http.sse.source.LONGEST_LINE", 1000)

    async def endless(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + b"\r\ndata: ")
        while True:
            await peer.send(b"x" * 500)

    async with (
        serving(endless) as server,
        a_tester() as tester,
        tester.client.sse(server.url) as events,
    ):
        seen = [each async for each in events]

    assert (seen, events.response.error) == ([], "server-sent event exceeded 1000 bytes")
    assert samples(tester) == [("sse_failed", 1)]


@in_real_time
async def test_compressed_events_are_read() -> None:
    body = gzip.compress(b"data: a\n\ndata: b\n\n")
    reply = whole(body, fields=b"Content-Encoding: gzip\r\n")
    async with (
        replying(reply) as server,
        a_tester() as tester,
        tester.client.sse(server.url, reconnections=0) as events,
    ):
        seen = [each.data async for each in events]

    assert seen == ["a", "b"]


@in_real_time
async def test_a_group_that_is_entered_meanwhile_is_a_tag_of_later_events() -> None:
    body = b"data: a\n\ndata: b\n\n"
    async with (
        replying(whole(body)) as server,
        a_tester() as tester,
        tester.client.sse(server.url) as events,
    ):
        await anext(events)
        outer = tester.recorder.context
        tester.recorder.context = outer.enter_group("inner")
        await anext(events)
        tester.recorder.context = outer

    assert [tester.table[row[0]]["group"] for row in event_rows(tester)] == ["", "::inner"]
