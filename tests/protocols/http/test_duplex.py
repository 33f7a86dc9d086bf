"""Lines that send without waiting for an answer, and are woken again and again."""

import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter_ns

import pytest
import trio
import trio.lowlevel
import trio.testing
import trustme

from pytest_k6api.protocols.http.net import DuplexLine, TlsSocket, Traffic
from pytest_k6api.protocols.http.net.tcp import tell_arrivals
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


@asynccontextmanager
async def running_traffic() -> AsyncIterator[Traffic]:
    traffic = Traffic()
    async with trio.open_nursery() as nursery:
        await nursery.start(traffic.run)
        with trio.fail_after(10):
            yield traffic
        nursery.cancel_scope.cancel()
    traffic.close()


@asynccontextmanager
async def a_line() -> AsyncIterator[tuple[DuplexLine, trio.SocketStream]]:
    """Give a line and the other end of its connection."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ours = socket.create_connection(listeners[0].socket.getsockname())
    ours.setblocking(False)
    tell_arrivals(ours)
    peer = await listeners[0].accept()
    async with running_traffic() as traffic:
        line = DuplexLine(ours, traffic)
        yield line, peer
        line.close()
    await peer.aclose()
    await listeners[0].aclose()


async def exactly(peer: trio.abc.ReceiveStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await peer.receive_some()
        assert more
        data += more
    return data


@in_real_time
async def test_what_is_sent_needs_no_task_that_waits() -> None:
    async with a_line() as (line, peer):
        line.send_soon(b"one,")
        line.send_soon(b"two")

        assert await exactly(peer, 7) == b"one,two"
        assert line.bytes_sent == 7


@in_real_time
async def test_a_task_is_woken_for_each_arrival() -> None:
    async with a_line() as (line, peer):
        received = []
        for number in range(5):
            await peer.send_all(b"%d" % number)
            received.append(await line.receive())

    assert received == [b"0", b"1", b"2", b"3", b"4"]


@in_real_time
async def test_what_came_while_no_task_waited_is_received_later() -> None:
    async with a_line() as (line, peer):
        await peer.send_all(b"early")
        while not line.has_news:
            await trio.lowlevel.checkpoint()
        await trio.sleep(0.02)

        assert await line.receive() == b"early"
        assert line.received_at > 0


# Tasks of Trio are resumed a turn late: then the time is that of looking.
@pytest.mark.parametrize("waiting", ["epoll"], indirect=True)
@pytest.mark.parametrize("is_timed", [True, False])
@in_real_time
async def test_the_kernel_tells_when_data_came_to_a_line_that_is_timed(is_timed: bool) -> None:
    async with a_line() as (line, peer):
        line.is_timed = is_timed
        os.write(peer.socket.fileno(), b"early")
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is busy
        looked_at = perf_counter_ns()

        assert await line.receive() == b"early"
        assert (line.received_at < looked_at) == is_timed


@in_real_time
async def test_a_line_is_looked_at_once_though_news_and_an_arrival_tell_of_it() -> None:
    async with a_line() as (line, peer):
        await peer.send_all(b"early,")
        while not line.has_news:
            await trio.lowlevel.checkpoint()
        os.write(peer.socket.fileno(), b"late")

        assert await line.receive() == b"early,late"
        assert not line.has_news


@in_real_time
async def test_what_is_to_be_called_when_all_was_sent_is_called_once() -> None:
    called = []
    async with a_line() as (line, peer):
        line.send_soon(b"one")
        line.call_when_sent(lambda: called.append(line.started_at))
        assert called == []
        assert await exactly(peer, 3) == b"one"
        line.send_soon(b"two")
        assert await exactly(peer, 3) == b"two"

    assert len(called) == 1
    assert called[0] > 0


@in_real_time
async def test_a_task_that_waits_can_send_meanwhile() -> None:
    async with a_line() as (line, peer), trio.open_nursery() as nursery:

        async def echo() -> None:
            for _ in range(3):
                await peer.send_all((await exactly(peer, 4)).upper())

        nursery.start_soon(echo)
        answers = []
        for word in (b"ping", b"pong", b"last"):
            line.send_soon(word)
            answers.append(await line.receive())

    assert answers == [b"PING", b"PONG", b"LAST"]


@in_real_time
async def test_what_the_socket_does_not_take_at_once_is_sent_when_it_does() -> None:
    large = bytes(range(256)) * 40_000
    async with a_line() as (line, peer):
        line.send_soon(large)
        line.send_soon(b"end")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.wait_sent)
            await trio.sleep(0.02)
            assert line.wire  # the buffers are full
            data = await exactly(peer, len(large) + 3)

        is_whole = data == large + b"end"
        assert is_whole
        assert not line.wire


@in_real_time
async def test_more_than_one_receive_takes_comes_without_another_edge() -> None:
    large = b"x" * 300_000
    async with a_line() as (line, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.send_all, large)
        received = 0
        while received < len(large):
            received += len(await line.receive())

    assert received == 300_000


@in_real_time
async def test_the_end_is_told_again_and_again() -> None:
    async with a_line() as (line, peer):
        await peer.send_all(b"last")
        await peer.send_eof()

        assert [await line.receive() for _ in range(3)] == [b"last", b"", b""]


@in_real_time
async def test_a_broken_connection_is_an_error_of_who_receives_and_who_sends() -> None:
    async with a_line() as (line, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await trio.aclose_forcefully(peer)

        with pytest.raises(ConnectionResetError):
            await line.receive()
        line.send_soon(b"x")
        with pytest.raises(OSError):  # noqa: PT011 - reset, or a broken pipe
            await line.wait_sent()


@in_real_time
async def test_a_receive_that_is_cancelled_loses_nothing() -> None:
    async with a_line() as (line, peer):
        with trio.move_on_after(0.01):
            await line.receive()
        await peer.send_all(b"later")

        assert await line.receive() == b"later"


@in_real_time
async def test_closing_ends_the_wait_of_a_task_and_a_second_one_is_refused() -> None:
    async with a_line() as (line, _), trio.open_nursery() as nursery:
        ended = []

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await line.receive()
            ended.append(True)

        nursery.start_soon(wait)
        await trio.sleep(0.01)
        with pytest.raises(trio.BusyResourceError):
            await line.receive()
        line.close()
        line.close()
        with pytest.raises(trio.ClosedResourceError):
            await line.receive()

    assert ended == [True]


@in_real_time
async def test_over_tls_both_directions_go_on_by_themselves() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    large = bytes(range(256)) * 8_000
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ours = socket.create_connection(listeners[0].socket.getsockname())
    ours.setblocking(False)
    peer = trio.SSLStream(await listeners[0].accept(), server, server_side=True)
    tls = TlsSocket(ours, client, "127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tls.shake_hands)
        await peer.do_handshake()

    async with running_traffic() as traffic, trio.open_nursery() as nursery:
        line = DuplexLine(tls, traffic)

        async def echo() -> None:
            data = await exactly(peer, len(large))
            # Records of one byte: many more bytes on the wire than in them.
            for position in range(3_000):
                await peer.send_all(data[position : position + 1])
            await peer.send_all(data[3_000:])
            await peer.aclose()

        nursery.start_soon(echo)
        line.send_soon(large)
        received = b""
        while data := await line.receive():
            received += data
        line.close()
    await listeners[0].aclose()

    is_whole = received == large
    assert is_whole


@in_real_time
async def test_the_end_that_was_told_before_all_data_was_received_is_not_missed() -> None:
    async with a_line() as (line, peer):
        await peer.send_all(b"x" * 100_000)
        await peer.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)

        received = b""
        while data := await line.receive():
            received += data

    assert received == b"x" * 100_000


@in_real_time
async def test_an_interrupted_line_wakes_both_tasks_and_can_be_received_from_again() -> None:
    woken = []

    async def receive(line: DuplexLine) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await line.receive()
        woken.append("receive")

    async def send(line: DuplexLine) -> None:
        line.send_soon(b"x" * 50_000_000)
        with pytest.raises(trio.ClosedResourceError):
            await line.wait_sent()
        woken.append("send")

    async with a_line() as (line, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive, line)
            nursery.start_soon(send, line)
            await trio.testing.wait_all_tasks_blocked(0.05)
            line.interrupt()
        await peer.send_all(b"more")

        assert await line.receive() == b"more"

    assert sorted(woken) == ["receive", "send"]


class Turns(trio.abc.Instrument):
    """Counts turns of the loop."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


@in_real_time
async def test_what_no_task_waits_for_stays_unread_and_the_loop_sleeps() -> None:
    async with a_line() as (line, peer):
        await peer.send_all(b"first")
        received = await line.receive()
        await peer.send_all(b"second")
        while not line.has_news:  # noqa: ASYNC110 - nothing else tells
            await trio.sleep(0.001)
        turns = Turns()
        trio.lowlevel.add_instrument(turns)
        await trio.sleep(0.1)
        trio.lowlevel.remove_instrument(turns)
        later = await line.receive()

    assert (received, later) == (b"first", b"second")
    assert turns.count < 20


@in_real_time
async def test_a_descriptor_that_is_given_out_again_has_a_line_of_its_own() -> None:
    async with running_traffic() as traffic:
        for number in range(20):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            line = DuplexLine(ours, traffic)
            theirs.send(b"%d" % number)
            received = await line.receive()
            theirs.send(b"for no one")
            for _ in range(number % 5):  # it is closed before, while and after that is noticed
                await trio.lowlevel.checkpoint()
            line.close()
            theirs.close()

            assert received == b"%d" % number
