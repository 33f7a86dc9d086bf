"""Trace contexts: which requests have one, whose it is, and the samples that name it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from pytest_k6api.model import MarkedTags, OptionError, Tracer, current_recorder, read_trace_rate
from pytest_k6api.protocols.http import Client, ClientOptions, HttpRuntime
from pytest_k6api.protocols.http.client.prepare import prepare
from pytest_k6api.protocols.instrument import instrument
from tests.protocols.http.h2.speaking import Speaker, response, speaking
from tests.protocols.http.serving import OK, Harness, a_tester, replying
from tests.protocols.websocket.serving import WsHarness, WsPeer, upgrading
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

CONTEXT = re.compile(r"00-(dc0742[0-9a-f]{26})-([0-9a-f]{16})-(0[01])")
HERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HER_ID = "0af7651916cd43dd8448eb211c80319c"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"


def contexts(heads: list[bytes]) -> list[str]:
    """Return the trace context of each head; it may have one, and no two."""
    found = [re.findall(r"(?im)^traceparent: *(.*?)\r$", head.decode()) for head in heads]
    assert all(len(each) <= 1 for each in found)
    return [each[0] if each else "" for each in found]


def ids(heads: list[bytes]) -> list[str]:
    return [context[3:35] for context in contexts(heads)]


def told(rows: list[Any]) -> list[str]:
    """Return the trace that each row names."""
    return [row[0].metadata["trace_id"] if type(row[0]) is MarkedTags else "" for row in rows]


def test_a_context_is_that_of_w3c_and_begins_as_k6s() -> None:
    made = [Tracer().new_context() for _ in range(100)]

    assert all(CONTEXT.fullmatch(each) for each in made)
    assert len({each[3:35] for each in made}) == len({each[36:52] for each in made}) == 100


@pytest.mark.parametrize(("rate", "flags"), [(1, {"01"}), (0, {"00"}), (0.5, {"00", "01"})])
def test_the_rate_is_the_share_of_contexts_that_are_sampled(rate: float, flags: set[str]) -> None:
    tracer = Tracer(rate)

    assert {tracer.new_context()[-2:] for _ in range(200)} == flags


@pytest.mark.parametrize("text", ["2", "-0.1", "nan", "on", "50%"])
def test_a_rate_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"^takes the share of traces to sample, from 0 to 1"):
        read_trace_rate(text)


@in_real_time
async def test_each_request_has_a_trace_of_its_own_that_its_row_names() -> None:
    async with replying(OK) as server, a_tester(tracer=Tracer()) as tester:
        client = tester.client
        for _ in range(3):
            await client.get(server.url)
        await client.post(server.url, content=b"body", headers={"X-Own": "1"})
        await client.batch([server.url, server.url])

    assert len(set(ids(server.heads))) == 6
    assert all(map(CONTEXT.fullmatch, contexts(server.heads)))
    assert sorted(told(tester.rows)) == sorted(ids(server.heads))
    assert server.bodies[3] == b"body"
    assert len({row[0] for row in tester.rows}) == 2  # GET and POST: traces make no series


def test_another_context_changes_nothing_else_of_a_request() -> None:
    client = Client(HttpRuntime(ClientOptions(tracer=Tracer())), Harness(HttpRuntime()).recorder)
    first = prepare(
        client, "POST", "http://shop.test/cart", {"content": b"body", "tags": {"a": "b"}}
    )

    again = first.with_context(HERS)

    parts = {name: (getattr(first, name), getattr(again, name)) for name in type(first).__slots__}
    assert {name for name, (one, other) in parts.items() if one != other} == {"trace", "wire"}
    assert again.wire == first.wire.replace(first.trace.encode(), HERS.encode())


@in_real_time
async def test_without_a_tracer_there_is_no_trace() -> None:
    async with replying(OK) as server, a_tester() as tester:
        await tester.client.get(server.url)

    assert contexts(server.heads) == [""]
    assert told(tester.rows) == [""]


@in_real_time
async def test_a_context_that_the_user_gives_stays_and_is_told() -> None:
    async with replying(OK) as server, a_tester(tracer=Tracer()) as tester:
        client = tester.client
        await client.get(server.url, headers={"Traceparent": HERS})
        await client.get(server.url, headers={"traceparent": "mine"})
        client.headers["traceparent"] = HERS
        await client.get(server.url)
        await client.get(server.url)

    assert contexts(server.heads) == [HERS, "mine", HERS, HERS]
    assert told(tester.rows) == [HER_ID, "", HER_ID, HER_ID]


@in_real_time
async def test_a_redirect_goes_on_with_the_trace() -> None:
    async with replying(MOVED, OK, MOVED, OK) as server, a_tester(tracer=Tracer()) as tester:
        await tester.client.get(server.url)
        async with tester.client.stream("GET", server.url) as streamed:
            await streamed.aread()

    first, second, third, fourth = ids(server.heads)
    assert first == second != third == fourth
    assert told(tester.rows) == [first, second, third, fourth]


@in_real_time
async def test_a_request_that_fails_names_its_trace_in_row_and_exchange() -> None:
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with (
        replying(missing, b"nonsense\r\n\r\n") as server,
        a_tester(tracer=Tracer()) as tester,
    ):
        await tester.client.post(server.url)
        await tester.client.post(server.url)

    assert told(tester.rows) == ids(server.heads)
    for describe, context in zip(
        tester.recorder.buffer.exchanges.values(), contexts(server.heads), strict=True
    ):
        assert f"> traceparent: {context}" in describe()


@in_real_time
async def test_each_connection_of_an_event_stream_has_a_trace() -> None:
    events = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\n\ndata: a\n\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    )
    async with (
        replying(*events, close=True) as server,
        a_tester(tracer=Tracer()) as tester,
        tester.client.sse(server.url) as stream,
    ):
        assert [event.data async for event in stream] == ["a"]

    assert told(tester.rows) == ids(server.heads)
    assert len(set(ids(server.heads))) == 2


@in_real_time
async def test_over_http2_a_head_is_encoded_once_and_each_request_has_its_trace() -> None:
    speakers: list[Speaker] = []

    async def speech(speaker: Speaker) -> None:
        speakers.append(speaker)
        await speaker.greet()
        while True:
            await speaker.send(response(await speaker.request()))

    options = {"http_versions": "2-prior-knowledge", "tracer": Tracer()}
    async with speaking(speech) as server, a_tester(**options) as tester:
        for _ in range(3):
            await tester.client.get(server.url)
        await tester.client.post(server.url, content=b"x")
        await tester.client.get(server.url, headers={"Traceparent": HERS})
        await tester.client.batch([server.url] * 3)
        known = tester.runtime._http2.clear.known

    found = [each["traceparent"] for each in speakers[0].fields]
    assert len(set(found)) == len(found) == 8
    assert found[4] == HERS
    assert sorted(told(tester.rows)) == sorted(each[3:35] for each in found)
    assert len(known) == 3


@in_real_time
async def test_a_websocket_session_has_the_trace_of_its_handshake() -> None:
    async with upgrading(WsPeer.echo) as server, a_tester(tracer=Tracer()) as tester:
        ws = WsHarness(tester).ws
        async with ws.connect(server.url.replace("http", "ws")) as session:
            await session.send("hello")
            await session.receive()

    (trace,) = ids(server.heads)
    rows = [row for rows in tester.recorder.buffer.rows.values() for row in rows]
    assert set(told(rows)) == {trace}


@pytest.fixture
def traced() -> Iterator[Harness]:
    """Be a virtual user whose requests are traced."""
    harness = Harness(HttpRuntime(ClientOptions(tracer=Tracer())))
    token = current_recorder.set(harness.recorder)
    yield harness
    current_recorder.reset(token)


@in_real_time
async def test_requests_of_httpx_are_traced(traced: Harness) -> None:
    httpx = pytest.importorskip("httpx")
    async with replying(OK, MOVED, OK) as server:
        transport = instrument(httpx.AsyncHTTPTransport())
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            await client.get(server.url)
            await client.get(server.url)
            await client.get(server.url, headers={"TraceParent": HERS})

    first, second, third, fourth = ids(server.heads)
    assert len({first, second, HER_ID}) == 3
    assert second == third
    assert fourth == HER_ID
    assert told(traced.rows) == [first, second, third, fourth]


@pytest.mark.parametrize("library", ["requests", "urllib3"])
@in_real_time
async def test_requests_of_urllib3_are_traced(library: str, traced: Harness) -> None:
    module = pytest.importorskip(library)
    client = instrument(module.Session() if library == "requests" else module.PoolManager())
    close = client.close if library == "requests" else client.clear

    def work(url: str) -> None:
        shared = {"X-Own": "1"}
        client.request("GET", url, headers=shared)
        client.request("GET", url)
        client.request("GET", url, headers={"TraceParent": HERS})
        assert shared == {"X-Own": "1"}
        close()

    async with replying(OK) as server:
        await trio.to_thread.run_sync(work, server.url)

    assert len(set(ids(server.heads))) == 3
    assert ids(server.heads)[2] == HER_ID
    assert told(traced.rows) == ids(server.heads)
