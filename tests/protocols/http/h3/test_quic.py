"""QUIC under HTTP/3: Retry, versions, resets, silence, and servers that are about to end."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

pytest.importorskip("qh3")

from qh3.quic.packet import encode_quic_retry, encode_quic_version_negotiation

from pytest_k6api.protocols.http.h3 import errors
from pytest_k6api.protocols.http.h3.frames import GOAWAY, frame, number
from tests.protocols.http.h3.speaking import (
    Peer,
    Server,
    connection_ids,
    hello,
    serving,
    until,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

LONG_HEADER = 0x80
UNKNOWN_VERSION = 0x1A2A3A4A


def a_client(**options: object):
    return a_tester(**{"verify": False, "http_versions": "3", "timeout": 10.0, **options})


def has_asked(server: Server) -> bool:
    return bool(server.peers and server.peers[0].bodies)


# Before a connection is open


def retry(server: Server, data: bytes) -> bytes | None:
    """Have a client show that its address is its own, once."""
    if not data[0] & LONG_HEADER or server.peers:
        return None
    target, source = connection_ids(data)
    if target in server.retried:
        return None
    given = os.urandom(8)
    server.retried[given] = target
    return encode_quic_retry(1, given, source, target, b"a token")


@in_real_time
async def test_a_client_shows_that_its_address_is_its_own(tmp_path: Path) -> None:
    async with serving(tmp_path, meets=retry) as server, a_client() as tester:
        got = await tester.client.get(server.url)

    assert (got.text, bool(server.retried)) == ("hello", True)
    assert got.timings.connecting > 0
    assert got.timings.tls_handshaking > 0


def negotiate(*versions: int) -> Callable[[Server, bytes], bytes | None]:
    def meet(server: Server, data: bytes) -> bytes | None:
        if not data[0] & LONG_HEADER or (server.received > 1 and 1 in versions):
            return None
        target, source = connection_ids(data)
        return encode_quic_version_negotiation(target, source, [*versions])

    return meet


@in_real_time
async def test_a_server_of_another_version_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path, meets=negotiate(UNKNOWN_VERSION)) as server, a_client() as tester:
        got = await tester.client.get(server.url)

    assert (got.error_code, got.error) == (
        1650, "http3: the server speaks other versions of QUIC than 1",
    )  # fmt: skip


@in_real_time
async def test_a_forged_list_of_versions_is_passed_over(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, meets=negotiate(UNKNOWN_VERSION, 1)) as server,
        a_client() as tester,
    ):
        got = await tester.client.get(server.url)

    assert (got.text, got.error) == ("hello", "")


@in_real_time
async def test_a_server_that_takes_no_connection_is_told(tmp_path: Path) -> None:
    def refuse(server: Server, _data: bytes) -> None:
        if server.peers and server.peers[0].quic._close_event is None:
            server.peers[0].quic.close(2, 0, "busy")

    async with serving(tmp_path, meets=refuse) as server, a_client() as tester:
        got = await tester.client.get(server.url)

    assert (got.error_code, got.error) == (
        1650, "http3: connection error with CONNECTION_REFUSED",
    )  # fmt: skip


# A server that knows a connection no more


def forget(server: Server, data: bytes) -> bytes | None:
    """Answer the second request over the first connection as a server that was restarted."""
    (first, *others) = server.peers or (None,)
    if first is None or others or not first.bodies or data[0] & LONG_HEADER:
        return None
    tls: Any = first.quic._tls
    return b"\x40" + os.urandom(40) + bytes(tls.stateless_reset_token)


@pytest.mark.parametrize(
    ("method", "outcome"),
    [("GET", ("hello", 0, "")), ("POST", ("", 1220, "read: connection reset by peer"))],
)
@in_real_time
async def test_a_stateless_reset_is_one_of_tcp(
    tmp_path: Path, method: str, outcome: tuple[str, int, str]
) -> None:
    async with serving(tmp_path, meets=forget) as server, a_client() as tester:
        await tester.client.get(server.url)
        got = await tester.client.request(method, server.url)
        after = await tester.client.get(server.url)

    assert (got.text, got.error_code, got.error) == outcome
    assert (after.text, len(server.peers)) == ("hello", 2)


def ending(code: int, kind: int | None) -> Callable[[Peer, int], None]:
    def answer(peer: Peer, number: int) -> None:
        if number:
            peer.quic.close(code, kind, "bye")
        else:
            hello(peer, number)

    return answer


@pytest.mark.parametrize(("code", "kind"), [(errors.NO_ERROR, None), (0, None), (0, 0)])
@in_real_time
async def test_a_server_that_ends_well_has_the_request_sent_again(
    tmp_path: Path, code: int, kind: int | None
) -> None:
    async with serving(tmp_path, ending(code, kind)) as server, a_client() as tester:
        responses = [await tester.client.get(server.url) for _ in range(2)]
        posted = await tester.client.post(server.url)

    assert [got.text for got in responses] == ["hello"] * 2
    assert posted.error == "unexpected EOF"
    assert len(server.peers) == 2


@in_real_time
async def test_a_server_that_ends_between_requests_is_dialled_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_client() as tester:
        await tester.client.get(server.url)
        server.peers[0].quic.close(errors.NO_ERROR, None, "")
        (connection,) = tester.runtime._connections
        await until(lambda: not connection.is_open)
        got = await tester.client.post(server.url, content=b"x")

    assert (got.text, len(server.peers)) == ("hello", 2)


@in_real_time
async def test_a_server_that_has_gone_is_refused_or_a_reset(tmp_path: Path) -> None:
    async with a_client() as tester:
        async with serving(tmp_path) as server:
            await tester.client.get(server.url)
        posted = await tester.client.post(server.url)
        got = await tester.client.get(server.url)

    assert (posted.error_code, posted.error) == (1220, "read: connection reset by peer")
    assert (got.error_code, got.error) == (1212, "dial: connection refused")


@in_real_time
async def test_a_request_behind_goaway_is_sent_again_and_one_before_it_goes_on(
    tmp_path: Path,
) -> None:
    def answer(peer: Peer, number_: int) -> None:
        if peer is not server.peers[0]:
            hello(peer, number_)
        elif number_:
            peer.send(peer.control, frame(GOAWAY, number(4)))
            hello(peer, 0)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        responses = await tester.client.batch([("POST", server.url)] * 2)

    assert [got.text for got in responses] == ["hello"] * 2
    assert len(server.peers) == 2


# Silence


class Slow:
    """Answers when a test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Peer, int]] = []

    def __call__(self, peer: Peer, number: int) -> None:
        self.asked.append((peer, number))

    def answer(self) -> None:
        for peer, stream in self.asked:
            hello(peer, stream)


@pytest.mark.slow
@in_real_time
async def test_a_response_may_take_longer_than_a_server_keeps_idle_connections(
    tmp_path: Path,
) -> None:
    slow = Slow()
    got = []

    async def ask(url: str) -> None:
        got.append(await tester.client.get(url))

    async with (
        serving(tmp_path, slow, idle_timeout=3.0) as server,
        a_client() as tester,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(ask, server.url)
        await until(lambda: bool(slow.asked))
        await trio.sleep(3.5)  # nothing tells how long a server has waited
        slow.answer()

    assert [each.text for each in got] == ["hello"]
    assert len(server.peers) == 1


def fall_silent(server: Server, _data: bytes) -> bytes | None:
    return b"" if has_asked(server) else None


@pytest.mark.slow
@in_real_time
async def test_silence_for_as_long_as_the_server_keeps_connections_is_a_timeout(
    tmp_path: Path,
) -> None:
    async with (
        serving(tmp_path, lambda *_: None, meets=fall_silent, idle_timeout=2.0) as server,
        a_client() as tester,
    ):
        got = await tester.client.get(server.url)

    assert (got.error_code, got.error) == (1050, "request timeout")
    assert got.timings.duration > 0


@pytest.mark.slow
@in_real_time
async def test_an_idle_connection_that_the_server_has_given_up_is_opened_anew(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, idle_timeout=1.5) as server, a_client() as tester:
        await tester.client.get(server.url)
        (connection,) = tester.runtime._connections
        await until(lambda: not connection.is_open)
        got = await tester.client.post(server.url, content=b"x")

    assert (got.text, len(server.peers)) == ("hello", 2)


# Addresses


@in_real_time
async def test_datagrams_from_elsewhere_are_passed_over(tmp_path: Path) -> None:
    elsewhere = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await elsewhere.bind(("127.0.0.1", 0))
    slow = Slow()
    got = []

    async def ask(url: str) -> None:
        got.append(await tester.client.get(url))

    with elsewhere:
        async with (
            serving(tmp_path, slow) as server,
            a_client() as tester,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(ask, server.url)
            await until(lambda: bool(slow.asked))
            (connection,) = tester.runtime._connections
            address = connection._socket._sock.getsockname()
            await elsewhere.sendto(os.urandom(50), address)
            slow.answer()

    assert [each.text for each in got] == ["hello"]


@in_real_time
async def test_a_way_that_the_server_tries_is_confirmed(tmp_path: Path) -> None:
    def answer(peer: Peer, number: int) -> None:
        if number:
            peer.quic.change_connection_id()
        hello(peer, number)

    async with serving(tmp_path, answer) as server, a_client() as tester:
        responses = [await tester.client.get(server.url) for _ in range(4)]

    assert [got.text for got in responses] == ["hello"] * 4
    assert len(server.peers) == 1
