"""Server-sent events over HTTP/2, and the options that concern connections and bodies."""

import pytest
import trio

from pytest_k6api.protocols.http import DigestAuth
from tests.protocols.http.h2.speaking import (
    OK,
    Speaker,
    answering,
    data,
    head,
    literal,
    response,
    speaking,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

KNOWN = {"http_versions": "2-prior-knowledge"}
EVENTS = OK + literal(b"content-type", b"text/event-stream")


@in_real_time
async def test_events_come_over_one_connection_however_often_a_stream_goes_on() -> None:
    told = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        for number in range(2):
            stream = await speaker.request()
            told.append(speaker.fields[-1].get("last-event-id"))
            await speaker.send(head(stream, EVENTS))
            await speaker.send(data(stream, b"retry: 1\nid: %d\n" % number, ends=False))
            await speaker.send(data(stream, b"data: x\n\n"))
        stream = await speaker.request()
        await speaker.send(head(stream, EVENTS), data(stream, b"data: last\n\n", ends=False))
        await trio.sleep_forever()

    async with (
        speaking(speech) as server,
        a_tester(**KNOWN) as tester,
        tester.client.sse(server.url) as events,
    ):
        seen = []
        async for event in events:
            seen.append((event.data, event.id))
            if event.data == "last":
                break

    assert seen == [("x", "0"), ("x", "1"), ("last", "1")]
    assert told == [None, "0"]
    assert server.connections == 1
    assert [tester.tags(index)["proto"] for index in range(3)] == ["HTTP/2.0"] * 3


@in_real_time
async def test_without_reuse_each_request_has_a_connection() -> None:
    async with answering(response) as server, a_tester(no_connection_reuse=True, **KNOWN) as tester:
        for _ in range(3):
            await tester.client.get(server.url)

    assert server.connections == 3
    assert [row[1] for row in tester.rows] == [0, 0, 0]


@in_real_time
async def test_bodies_need_not_be_kept() -> None:
    async with (
        answering(response) as server,
        a_tester(discard_response_bodies=True, **KNOWN) as tester,
    ):
        got = await tester.client.get(server.url)

    assert (got.status_code, got.content) == (200, b"")


@in_real_time
async def test_a_digest_challenge_is_answered() -> None:
    refused = literal(b":status", b"401") + literal(
        b"www-authenticate", b'Digest realm="r", nonce="abc", qop="auth"'
    )

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.send(response(await speaker.request(), b"no", refused))
        await speaker.send(response(await speaker.request()))
        server.heads.append(speaker.fields[-1]["authorization"].encode())
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.get(server.url, auth=DigestAuth("u", "p"))

    assert (got.status_code, len(got.history)) == (200, 1)
    assert server.heads[0].startswith(b'Digest username="u", realm="r", nonce="abc", uri="/"')
