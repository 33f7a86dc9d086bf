"""`Stream`, on which protocols such as gRPC are built: both directions at their own pace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter_ns

import pytest
import trio
import trio.testing

from pytest_k6api.protocols.http.client.options import ConnectionOptions
from pytest_k6api.protocols.http.h2 import Http2Connection, encode_block
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import NetworkError
from pytest_k6api.protocols.http.multiplexed import Stream
from tests.protocols.http.h2.speaking import (
    DATA,
    END_STREAM,
    HEADERS,
    RST,
    Speaker,
    Speech,
    data,
    head,
    literal,
    reset,
    settings,
    speaking,
    update,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

CALL = encode_block([(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/call")])


@asynccontextmanager
async def a_connection(speech: Speech) -> AsyncIterator[Http2Connection]:
    async with speaking(speech) as server, a_tester() as tester:
        origin = Origin(is_tls=False, host="127.0.0.1", port=server.port)
        deadline = perf_counter_ns() + 5_000_000_000
        options = ConnectionOptions("2-prior-knowledge")
        connection = await tester.runtime.dial(origin, deadline, options)
        assert isinstance(connection, Http2Connection)
        yield connection
        connection.close()


async def echo(speaker: Speaker) -> None:
    """Answer a stream's data with the same, in capitals, and end it with trailers."""
    await speaker.greet()
    stream = (await speaker.until(HEADERS)).stream
    await speaker.send(head(stream))
    while True:
        taken = await speaker.until(DATA)
        if taken.payload:
            await speaker.send(data(stream, taken.payload.upper(), ends=False))
        if taken.flags & END_STREAM:
            break
    await speaker.send(head(stream, literal(b"grpc-status", b"0"), ends=True))
    await trio.sleep_forever()


@in_real_time
async def test_messages_go_both_ways_in_turns_and_trailers_end_them() -> None:
    async with a_connection(echo) as connection:
        stream = Stream(connection)
        stream.send_headers(CALL)
        block = await stream.wait_head()
        received = []
        for word in (b"one", b"two"):
            await stream.send(word)
            received.append(await stream.receive())
        await stream.send(b"", is_last=True)

        assert await stream.receive() == b""
        assert (block.status, received) == (200, [b"ONE", b"TWO"])
        assert stream.trailers is not None
        assert stream.trailers.fields == ((b"grpc-status", b"0"),)
        assert 0 < stream.started_at <= stream.sent_at
        assert stream.first_byte_at <= stream.ended_at


@in_real_time
async def test_one_task_sends_while_another_receives_and_each_waits_for_itself() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet(settings(window=4))
        stream = (await speaker.until(HEADERS)).stream
        await speaker.send(head(stream), data(stream, b"first", ends=False))
        received = b""
        while len(received) < 10:
            received += (await speaker.until(DATA)).payload
            await speaker.send(update(stream, 4), data(stream, b"more", ends=False))
        await speaker.send(data(stream, received))
        await trio.sleep_forever()

    async with a_connection(speech) as connection, trio.open_nursery() as nursery:
        stream = Stream(connection)
        stream.send_headers(CALL)
        received = [await stream.receive()]

        async def send() -> None:
            await stream.send(b"0123456789", is_last=True)

        nursery.start_soon(send)
        while piece := await stream.receive():
            received.append(piece)

    assert received[0] == b"first"
    assert b"".join(received[1:]).replace(b"more", b"") == b"0123456789"


@in_real_time
async def test_streams_of_one_connection_wait_for_each_other_in_nothing() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        one = (await speaker.until(HEADERS)).stream
        two = (await speaker.until(HEADERS)).stream
        await speaker.send(head(two), data(two, b"two"))
        await speaker.until(DATA)
        await speaker.send(head(one), data(one, b"one"))
        await trio.sleep_forever()

    async with a_connection(speech) as connection, trio.open_nursery() as nursery:
        one, two = Stream(connection), Stream(connection)
        heard: list[bytes] = []

        async def listen(stream: Stream) -> None:
            heard.append(await stream.receive())

        one.send_headers(CALL)
        nursery.start_soon(listen, one)
        await trio.testing.wait_all_tasks_blocked()
        two.send_headers(CALL)
        assert await two.receive() == b"two"  # the task of the first has handed it out
        await one.send(b"x")

    assert heard == [b"one"]


@in_real_time
async def test_a_task_that_leaves_hands_the_receiving_over() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.until(HEADERS)
        two = (await speaker.until(HEADERS)).stream
        await speaker.until(RST)
        await speaker.send(head(two), data(two))
        await trio.sleep_forever()

    async with a_connection(speech) as connection, trio.open_nursery() as nursery:
        one, two = Stream(connection), Stream(connection)
        heard: list[bytes] = []

        async def listen() -> None:
            heard.append(await two.receive())

        one.send_headers(CALL)
        two.send_headers(CALL)
        with trio.CancelScope() as scope:
            nursery.start_soon(listen)
            nursery.start_soon(_cancel_when_blocked, scope)
            await one.receive()
        one.reset()

    assert heard == [b"ok"]


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


@in_real_time
async def test_a_reset_fails_both_tasks_of_a_stream() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet(settings(window=0))
        stream = (await speaker.until(HEADERS)).stream
        await speaker.send(head(stream))
        await speaker.until(4, 1)
        await speaker.send(reset(stream, 2))
        await trio.sleep_forever()

    async with a_connection(speech) as connection:
        stream = Stream(connection)
        stream.send_headers(CALL)
        await stream.wait_head()
        texts: list[str] = []

        async def expect_reset(call) -> None:
            with pytest.raises(NetworkError) as caught:
                await call()
            texts.append(caught.value.failure.text)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_reset, stream.receive)
            nursery.start_soon(expect_reset, lambda: stream.send(b"too much"))

    assert texts == ["http2: stream error with http2 ErrCode INTERNAL_ERROR"] * 2


@in_real_time
async def test_an_overdue_stream_fails_when_the_sweeper_comes() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.until(RST)

    async with a_connection(speech) as connection:
        stream = Stream(connection)
        stream.deadline = perf_counter_ns() + 20_000_000
        stream.send_headers(CALL)
        with pytest.raises(NetworkError, match="request timeout"):
            await stream.receive()
        stream.reset()


@in_real_time
async def test_closing_the_connection_fails_its_streams() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.until(HEADERS)
        await trio.sleep_forever()

    async with a_connection(speech) as connection, trio.open_nursery() as nursery:
        stream = Stream(connection)
        stream.send_headers(CALL)

        async def close() -> None:
            await trio.testing.wait_all_tasks_blocked()
            connection.close()

        nursery.start_soon(close)
        with pytest.raises(NetworkError, match="unexpected EOF"):
            await stream.receive()
