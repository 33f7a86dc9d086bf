"""A client's connection, between Hypercorn's reader and its own end."""

import pytest
import trio
import trio.testing

from pytest_k6api.api.server.guarded_stream import GuardedStream
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets


def connected() -> tuple[GuardedStream, trio.SocketStream]:
    ours, theirs = trio.socket.socketpair()
    return GuardedStream(trio.SocketStream(ours), send_time=5.0), trio.SocketStream(theirs)


@in_real_time
async def test_who_reads_while_it_closes_is_told_the_end() -> None:
    stream, client = connected()
    with trio.fail_after(5):
        await stream.send_eof()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.aclose)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(client.send_all, b"too late")

            assert await stream.receive_some() == b""

            await client.aclose()


@in_real_time
async def test_who_reads_while_it_closes_is_not_left_behind_when_it_is_cut() -> None:
    stream, client = connected()
    async with client:
        with trio.fail_after(5):
            await stream.send_eof()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.aclose)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(stream.cut)

                assert await stream.receive_some() == b""
