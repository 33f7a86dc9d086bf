"""Batches of requests that were made before: one task sends them and waits for all."""

import gzip

import pytest
import trio
from hpack import Encoder

from tests.protocols.http.h2.speaking import (
    RST,
    Speaker,
    data,
    goaway,
    head,
    literal,
    reset,
    response,
    speaking,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

KNOWN = {"http_versions": "2-prior-knowledge"}
MOVED = b"\x08\x03302" + literal(b"location", b"/to")
REFUSED = 7


async def take(speaker: Speaker, number: int) -> dict[str, int]:
    """Return the streams of the next requests, by their paths."""
    streams = [await speaker.request() for _ in range(number)]
    paths = [fields[":path"] for fields in speaker.fields[-number:]]
    return dict(zip(paths, streams, strict=True))


async def answer_all(speaker: Speaker, number: int) -> None:
    """Answer the next requests at once, the last one first, with their paths."""
    streams = [await speaker.request() for _ in range(number)]
    paths = [fields[":path"].encode() for fields in speaker.fields[-number:]]
    await speaker.send(*map(response, reversed(streams), reversed(paths)))


@in_real_time
async def test_each_request_gets_its_response_and_its_row() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        for _ in range(3):
            await answer_all(speaker, 4)
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/{name}" for name in ("a", "b", "c", "long")]
        texts = [[got.text for got in await tester.client.batch(urls)] for _ in range(3)]

    assert texts == [["/a", "/b", "/c", "/long"]] * 3
    assert server.connections == 1
    assert [row[1] for row in tester.rows] == [0] * 12
    assert all(row[2] >= row[6] + row[7] for row in tester.rows)


@in_real_time
async def test_responses_may_come_in_pieces_and_in_turns() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 2)
        streams = await take(speaker, 2)
        one, two = streams["/a"], streams["/b"]
        pieces = (head(one), head(two), data(two, b"b"), data(one, b"a", ends=False), data(one))
        for piece in pieces:
            for byte in piece:
                await speaker.send(bytes([byte]))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/a", f"{server.url}/b"]
        await tester.client.batch(urls)
        texts = [got.text for got in await tester.client.batch(urls)]

    assert texts == ["aok", "b"]


@in_real_time
async def test_a_redirect_is_followed_while_others_are_under_way() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 3)
        streams = await take(speaker, 3)
        await speaker.send(head(streams["/a"], MOVED, ends=True))
        await answer_all(speaker, 1)
        await speaker.send(response(streams["/b"], b"late"), response(streams["/c"], b"later"))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/{name}" for name in "abc"]
        await tester.client.batch(urls)
        responses = await tester.client.batch(urls)

    assert [got.text for got in responses] == ["/to", "late", "later"]
    assert len(responses[0].history) == 1
    assert len(tester.rows) == 7


@pytest.mark.slow
@in_real_time
async def test_one_that_is_reset_or_overdue_fails_alone() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 3)
        streams = await take(speaker, 3)
        await speaker.send(reset(streams["/a"], 2), response(streams["/b"], b"fine"))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(timeout=2.0, **KNOWN) as tester:
        urls = [f"{server.url}/{name}" for name in "abc"]
        await tester.client.batch(urls)
        responses = await tester.client.batch(urls)

    assert [got.status_code for got in responses] == [0, 200, 0]
    assert [got.error_code for got in responses] == [1633, 0, 1050]


@in_real_time
async def test_what_the_server_has_not_seen_is_sent_again() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 3)
        streams = await take(speaker, 3)
        await speaker.send(reset(streams["/b"], REFUSED), response(streams["/a"], b"first"))
        await answer_all(speaker, 1)
        await speaker.send(response(streams["/c"], b"third"), goaway(streams["/c"] + 2))
        await speaker.end()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/{name}" for name in "abc"]
        await tester.client.batch(urls)
        responses = await tester.client.batch(urls)

    assert [got.text for got in responses] == ["first", "/b", "third"]
    assert server.connections == 1


@in_real_time
async def test_a_batch_that_is_cancelled_resets_its_streams_and_leaves_no_rows() -> None:
    resets: list[int] = []
    expected: list[int] = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 3)
        streams = await take(speaker, 3)
        under_way.set()
        resets.extend([(await speaker.until(RST)).stream for _ in range(3)])
        expected.extend(streams.values())
        have_come.set()
        await trio.sleep_forever()

    under_way, have_come = trio.Event(), trio.Event()
    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/{name}" for name in "abc"]
        await tester.client.batch(urls)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tester.client.batch, urls)
            await under_way.wait()
            nursery.cancel_scope.cancel()
        with trio.fail_after(30):
            await have_come.wait()

    assert sorted(resets) == expected
    assert (server.connections, len(tester.rows)) == (1, 3)


@in_real_time
async def test_other_tasks_share_the_connection_meanwhile() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 2)
        await answer_all(speaker, 5)
        await trio.sleep_forever()

    texts: dict[str, list[str]] = {}
    async with speaking(speech) as server, a_tester(**KNOWN) as tester:

        async def get(name: str) -> None:
            texts[name] = [(await tester.client.get(f"{server.url}/{name}")).text]

        async def batch(name: str) -> None:
            texts[name] = [got.text for got in await tester.client.batch(urls)]

        urls = [f"{server.url}/a", f"{server.url}/b"]
        await tester.client.batch(urls)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(get, "x")
            nursery.start_soon(batch, "first")
            nursery.start_soon(batch, "second")

    assert texts == {"x": ["/x"], "first": ["/a", "/b"], "second": ["/a", "/b"]}
    assert server.connections == 1


@in_real_time
async def test_encoded_bodies_and_failed_statuses_are_what_they_are_alone() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await answer_all(speaker, 2)
        streams = await take(speaker, 2)
        coded = b"\x88" + literal(b"content-encoding", b"gzip")
        await speaker.send(
            response(streams["/a"], gzip.compress(b"plain"), coded),
            response(streams["/b"], b"none", b"\x8d"),
        )
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/a", f"{server.url}/b"]
        await tester.client.batch(urls)
        responses = await tester.client.batch(urls)

    assert [(got.status_code, got.text) for got in responses] == [(200, "plain"), (404, "none")]
    assert sorted(row[1] or 0 for row in tester.rows) == [0, 0, 0, 1]


@in_real_time
async def test_a_head_means_what_it_says_though_another_came_between_it_and_its_body() -> None:
    encoder = Encoder()

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        old = encoder.encode([(":status", "200"), ("name", "old")], huffman=False)
        (stream,) = (await take(speaker, 1)).values()
        await speaker.send(response(stream, b"ok", old))
        same = encoder.encode([(":status", "200"), ("name", "old")], huffman=False)
        streams = await take(speaker, 2)
        one, two = streams["/a"], streams["/b"]
        new = encoder.encode([(":status", "200"), ("name", "new")], huffman=False)
        # `same` refers to the table by its place, where `new` is from now on.
        await speaker.send(head(one, same), head(two, new, ends=True), data(one))
        (stream,) = (await take(speaker, 1)).values()
        await speaker.send(response(stream, b"ok", same))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        urls = [f"{server.url}/a", f"{server.url}/b"]
        first = await tester.client.get(urls[0])
        both = await tester.client.batch(urls)
        last = await tester.client.get(urls[0])

    names = [got.headers["name"] for got in (first, *both, last)]
    assert names == ["old", "old", "new", "new"]
