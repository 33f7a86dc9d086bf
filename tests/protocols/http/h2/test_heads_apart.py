"""Servers that send the head of a response first and its body after that, as those in Go do."""

import pytest
import trio

from tests.protocols.http.h2.speaking import (
    PING,
    Speaker,
    data,
    frame,
    head,
    reset,
    settings,
    speaking,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

KNOWN = {"http_versions": "2-prior-knowledge"}
# What Go says first: such a limit must not make requests take another way.
LIMITED = settings(fields=1_048_896)
PAUSE = 0.005


async def answer(speaker: Speaker, *between: bytes) -> None:
    """Answer the next request in two pieces, with other frames between them."""
    stream = await speaker.request()
    await speaker.send(head(stream))
    await trio.sleep(PAUSE)
    for piece in between:
        await speaker.send(piece)
    await speaker.send(data(stream, b"%d" % stream))


@in_real_time
async def test_the_first_byte_is_that_of_the_head() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet(LIMITED)
        while True:
            await answer(speaker)

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        texts = [(await tester.client.get(server.url)).text for _ in range(5)]

    assert texts == ["1", "3", "5", "7", "9"]
    # The last phase is receiving, in microseconds; the pause is in it.
    assert all(row[8] >= PAUSE * 1e6 / 2 for row in tester.rows)


@in_real_time
async def test_what_comes_between_head_and_body_is_dealt_with() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet(LIMITED)
        await answer(speaker)
        await answer(speaker, frame(PING, 0, 0, b"12345678"))
        assert (await speaker.until(PING)).payload == b"12345678"
        await answer(speaker)
        stream = await speaker.request()
        await speaker.send(head(stream))
        await trio.sleep(PAUSE)
        await speaker.send(reset(stream, 2))
        await answer(speaker)
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        responses = [await tester.client.get(server.url) for _ in range(5)]

    assert [got.text for got in responses] == ["1", "3", "5", "", "9"]
    assert [got.error_code for got in responses] == [0, 0, 0, 1633, 0]
    assert server.connections == 1


@in_real_time
async def test_another_request_may_begin_between_head_and_body() -> None:
    has_head = trio.Event()

    async def speech(speaker: Speaker) -> None:
        await speaker.greet(LIMITED)
        await answer(speaker)
        first = await speaker.request()
        await speaker.send(head(first))
        has_head.set()
        second = await speaker.request()
        await speaker.send(head(second), data(second, b"second"), data(first, b"first"))
        await answer(speaker)
        await trio.sleep_forever()

    texts: list[str] = []
    async with speaking(speech) as server, a_tester(**KNOWN) as tester:

        async def get() -> None:
            texts.append((await tester.client.get(server.url)).text)

        await get()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(get)
            await has_head.wait()
            nursery.start_soon(get)
        await get()

    assert sorted(texts) == ["1", "7", "first", "second"]
    assert server.connections == 1


@in_real_time
async def test_one_whose_body_never_comes_is_overdue() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet(LIMITED)
        await answer(speaker)
        await speaker.send(head(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        overdue = await tester.client.get(server.url, timeout=0.1)

    assert (overdue.status_code, overdue.error_code) == (0, 1050)
