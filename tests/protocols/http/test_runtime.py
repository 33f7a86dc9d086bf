"""What all virtual users share: names looked up once, time watched by one task."""

import socket
import time
from typing import Any

import pytest
import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import Client, ClientOptions, HttpRuntime
from pytest_k6api.protocols.http.client import Routes
from pytest_k6api.protocols.http.message import PreparedRequest
from pytest_k6api.protocols.http.net import Resolver
from tests.protocols.http.serving import OK, Harness, Peer, a_tester, replying
from tests.virtual_time import in_real_time, in_virtual_time


class FakeDNS(trio.abc.HostnameResolver):
    """Knows one host, at a virtual second's distance, and counts questions."""

    def __init__(self) -> None:
        self.questions = 0

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        self.questions += 1
        await trio.sleep(1)
        if host != b"known":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    async def getnameinfo(self, *args: Any) -> Any:
        raise NotImplementedError


@in_virtual_time
async def test_a_name_is_looked_up_once_for_all_and_again_after_five_minutes() -> None:
    dns = FakeDNS()
    trio.socket.set_custom_hostname_resolver(dns)
    resolver = Resolver()
    answers = []

    async def ask() -> None:
        answers.append(await resolver.resolve("known", 80))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
    await ask()

    assert dns.questions == 1
    assert (
        answers
        == [[(socket.AF_INET, ("127.0.0.1", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))]] * 101
    )
    await trio.sleep(300)
    await ask()
    assert dns.questions == 2


@in_virtual_time
async def test_all_who_wait_share_the_error_and_the_next_one_asks_again() -> None:
    dns = FakeDNS()
    trio.socket.set_custom_hostname_resolver(dns)
    resolver = Resolver()
    errors = []

    async def ask() -> None:
        try:
            await resolver.resolve("unknown", 80)
        except socket.gaierror as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    await ask()

    assert len(errors) == 11
    assert dns.questions == 2


@in_virtual_time
async def test_when_the_one_who_asks_is_stopped_another_asks() -> None:
    dns = FakeDNS()
    trio.socket.set_custom_hostname_resolver(dns)
    resolver = Resolver()
    stopped = trio.CancelScope()
    answers = []

    async def ask_in(scope: trio.CancelScope) -> None:
        with scope:
            answers.append(await resolver.resolve("known", 80))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_in, stopped)
        await trio.sleep(0.3)
        nursery.start_soon(ask_in, trio.CancelScope())
        await trio.sleep(0.3)
        stopped.cancel()

    assert len(answers) == 1
    assert dns.questions == 2


@in_virtual_time
async def test_an_address_needs_no_lookup() -> None:
    resolver = Resolver()

    assert await resolver.resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
    assert await resolver.resolve("::1", 80) == [(socket.AF_INET6, ("::1", 80, 0, 0))]


@pytest.mark.sockets
@in_real_time
async def test_ipv6_literals_are_spoken_to() -> None:
    try:
        (listener,) = await trio.open_tcp_listeners(0, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = listener.socket.getsockname()[1]
    heads = []

    async def answer(stream: trio.SocketStream) -> None:
        heads.append(await Peer(stream).head())
        await stream.send_all(OK)

    async with trio.open_nursery() as nursery, a_tester() as tester:
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        response = await tester.client.get(f"http://[::1]:{port}/")
        nursery.cancel_scope.cancel()

    assert response.status_code == 200
    assert f"Host: [::1]:{port}\r\n".encode() in heads[0]


@pytest.mark.sockets
@in_real_time
async def test_the_next_address_of_a_host_is_tried() -> None:
    class TwoAddresses(FakeDNS):
        async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port)) for n in (9, 1)
            ]

    trio.socket.set_custom_hostname_resolver(TwoAddresses())
    async with replying(OK) as server, a_tester() as tester:
        response = await tester.client.get(f"http://two.example:{server.port}/")

    assert response.status_code == 200


@pytest.mark.sockets
@in_real_time
async def test_the_sweeper_forgets_closed_connections() -> None:
    async with replying(OK, close=True) as server, a_tester() as tester:
        for _ in range(5):
            await tester.client.get(server.url, headers={"Connection": "close"})
        tester.client.close()
        await trio.sleep(0.12)

        assert repr(tester.runtime) == "<HttpRuntime with 0 connections>"


@pytest.mark.sockets
@in_real_time
async def test_a_loop_that_stood_still_does_not_make_answered_requests_overdue() -> None:
    async def block() -> None:
        await trio.sleep(0.02)
        time.sleep(0.6)  # noqa: ASYNC251 - the sin that users commit

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            time.sleep(0.1)
            connection.sendall(OK)

    # The server has a thread of its own: it answers while the loop stands still.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with a_tester(timeout=0.3) as tester, trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, answer, listener)
            nursery.start_soon(block)
            response = await tester.client.get(f"http://127.0.0.1:{port}/")

    assert response.status_code == 200


def test_generated_urls_do_not_fill_the_memory() -> None:
    routes = Routes(timeout=1, redirects=1)

    for number in range(10_000):
        routes.route("http://h", "GET", f"/{number}")

    assert sum(map(len, routes._routes.values())) <= 4096


def test_requests_of_virtual_users_that_differ_do_not_fill_the_memory() -> None:
    routes = Routes(timeout=1, redirects=1)
    caches = [routes.cache("http://h", b"Token: %d" % number) for number in range(100)]
    request = PreparedRequest(routes.route("http://h", "GET", "/"), {}, timeout=1, redirects=1)

    for number in range(700):
        for cache in caches:
            routes.remember(cache, f"/{number}", request)

    assert routes.cache("http://h", b"Token: 7") is caches[7]
    assert 0 < sum(map(len, caches)) <= 65_536


@pytest.mark.sockets
@in_real_time
async def test_header_fields_that_change_are_sent_by_the_next_request() -> None:
    async with replying(OK) as server, a_tester() as tester:
        other = Client(tester.runtime, tester.recorder)
        for number in range(3):
            tester.client.headers["Token"] = str(number)
            for client in (tester.client, tester.client, other):
                await client.get(server.url)
        tester.client.headers = {"Host": "shop.test"}
        await tester.client.get(server.url)
        await tester.client.get(server.url)
        other.close()

    heads = [head.lower() for head in server.heads]
    tokens = [head.partition(b"token: ")[2].partition(b"\r\n")[0] for head in heads]
    assert tokens == [b"0", b"0", b"", b"1", b"1", b"", b"2", b"2", b"", b"", b""]
    assert [b"host: shop.test" in head for head in heads[-3:]] == [False, True, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout is a finite number of seconds above 0, got 0"),
        ({"connect_timeout": float("inf")}, "connect_timeout is a finite number"),
        ({"max_redirects": -1}, "max_redirects is 0 or more, got -1"),
        ({"max_response_size": 0}, "max_response_size is a number of bytes above 0, or None"),
        ({"http_debug": "some"}, "http_debug takes '', 'failed' or 'all', got 'some'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        HttpRuntime(ClientOptions(**options))


@in_real_time
async def test_a_request_after_the_end_of_the_load_test_lets_the_loop_go_on() -> None:
    runtime = HttpRuntime(ClientOptions())
    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        client = Harness(runtime).client
        nursery.cancel_scope.cancel()

    with trio.move_on_after(0) as interrupted:
        await client.get("http://127.0.0.1:9/")

    assert interrupted.cancelled_caught
