"""Ways to a server: given addresses, DNS's rules, local addresses, Unix sockets, proxies, mTLS."""

import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from pytest_k6api.model import SECRETS, OptionError
from pytest_k6api.protocols.http import (
    Client,
    DnsRules,
    HostTable,
    LocalAddresses,
    Proxies,
    read_dns,
)
from pytest_k6api.protocols.http.message import Origin
from pytest_k6api.protocols.http.net import Resolver
from tests.protocols.http.serving import OK, Peer, Server, a_tester, replying, serving
from tests.virtual_time import in_real_time, in_virtual_time

Address = tuple[int, Any]

V4: Address = (socket.AF_INET, ("10.0.0.1", 80))
OTHER_V4: Address = (socket.AF_INET, ("10.0.0.2", 80))
V6: Address = (socket.AF_INET6, ("fd00::1", 80, 0, 0))


# Given addresses


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [
        ("shop.test", 80, (socket.AF_INET, ("127.0.0.1", 80))),
        ("shop.test.", 443, (socket.AF_INET, ("127.0.0.1", 443))),
        ("shop.test", 8443, (socket.AF_INET, ("127.0.0.2", 9))),
        ("api.shop.test", 80, (socket.AF_INET6, ("::1", 81, 0, 0))),
        ("a.b.shop.test", 80, (socket.AF_INET6, ("::1", 81, 0, 0))),
        ("near.api.shop.test", 80, (socket.AF_UNIX, "/run/shop.sock")),
        ("workshop.test", 80, None),
        ("test", 80, None),
    ],
)
def test_a_host_is_found_by_name_with_port_or_wildcard_the_nearest_first(
    host: str, port: int, found: object
) -> None:
    table = HostTable(
        {
            "Shop.test": "127.0.0.1",
            "shop.test:8443": "127.0.0.2:9",
            "*.shop.test": "[::1]:81",
            "*.api.shop.test": "unix:/run/shop.sock",
        }
    )

    assert table.find(host, port) == found


@pytest.mark.parametrize(
    ("name", "address", "message"),
    [
        ("http://shop.test", "127.0.0.1", "cannot read the host 'http://shop.test'"),
        ("shop.*", "127.0.0.1", r"cannot read the host 'shop\.\*'"),
        ("shop.test:99999", "127.0.0.1", "cannot read the host 'shop.test:99999'"),
        ("shop.test", "other.test", "cannot read the address 'other.test' of 'shop.test'"),
        ("shop.test", "127.0.0.1:0", "cannot read the address '127.0.0.1:0'"),
        ("shop.test", "", "cannot read the address '' of 'shop.test'"),
        ("shop.test", "127.0.0.1:", "cannot read the address '127.0.0.1:'"),
        ("shop.test", "[::1", r"cannot read the address '\[::1'"),
        ("shop.test", "unix:shop.sock", "write unix: and a whole path"),
        ("shop.test", "unix:/" + 107 * "x", "at most 10"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused(name: str, address: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        HostTable({name: address})


# DNS


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", DnsRules(ttl=300, select="random", policy="preferIPv4")),
        ("ttl=0", DnsRules(ttl=0)),
        ("ttl=inf, select=first", DnsRules(ttl=math.inf, select="first")),
        (
            "ttl=1m,select=ROUNDROBIN,policy=any",
            DnsRules(ttl=60, select="roundRobin", policy="any"),
        ),
    ],
)
def test_rules_for_dns_are_k6s(text: str, rules: DnsRules) -> None:
    assert read_dns(text) == rules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ttl=5x", "'5x'"),
        ("ttl=-1s", "less than 0"),
        ("select=last", "select='last' is none of first, random, roundRobin"),
        ("policy=ipv4", "policy='ipv4' is none of preferIPv4, preferIPv6"),
        ("server=1.1.1.1", "'server' in 'server=1.1.1.1' is none of ttl, select, policy"),
    ],
)
def test_rules_that_cannot_be_read_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read_dns(text)


@pytest.mark.parametrize(
    ("policy", "usable"),
    [
        ("preferIPv4", [V4, OTHER_V4, V6]),
        ("preferIPv6", [V6, V4, OTHER_V4]),
        ("onlyIPv4", [V4, OTHER_V4]),
        ("onlyIPv6", [V6]),
        ("any", [V6, V4, OTHER_V4]),
    ],
)
def test_a_policy_orders_and_excludes_families(policy: Any, usable: object) -> None:
    assert DnsRules(policy=policy).usable([V6, V4, OTHER_V4]) == usable


def test_round_robin_takes_the_preferred_addresses_of_each_name_in_turn() -> None:
    resolver = Resolver(DnsRules(select="roundRobin"))
    addresses = [V4, OTHER_V4, V6]

    firsts = [resolver.in_turn("shop.test", addresses)[0] for _ in range(3)]
    other = resolver.in_turn("other.test", addresses)[0]

    assert firsts == [V4, OTHER_V4, V4]
    assert other == V4


class Names(trio.abc.HostnameResolver):
    """Knows one host, and counts questions."""

    def __init__(self, *found: Any) -> None:
        self.found = found
        self.questions = 0

    async def getaddrinfo(self, host: object, port: object, *_: object, **__: object) -> Any:
        self.questions += 1
        await trio.sleep(1)
        return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in self.found]

    async def getnameinfo(self, *_: object) -> Any:
        raise NotImplementedError


@in_virtual_time
async def test_without_a_time_to_live_every_connection_asks_but_those_at_once_share() -> None:
    names = Names(V4)
    trio.socket.set_custom_hostname_resolver(names)
    resolver = Resolver(DnsRules(ttl=0))
    answers = []

    async def ask() -> None:
        answers.append(await resolver.resolve("shop.test", 80))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    await ask()

    assert answers == [[V4]] * 6
    assert names.questions == 2


@in_virtual_time
async def test_a_name_without_an_address_of_an_allowed_family_is_not_found() -> None:
    trio.socket.set_custom_hostname_resolver(Names(V6))

    with pytest.raises(socket.gaierror):
        await Resolver(DnsRules(policy="onlyIPv4")).resolve("shop.test", 80)


# Local addresses


def test_virtual_users_get_local_addresses_in_turn() -> None:
    addresses = LocalAddresses("10.0.0.1-10.0.0.2, 10.0.1.0/31,::1")

    assert [str(addresses.of_vu(number)) for number in range(1, 7)] == [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.0",
        "10.0.1.1",
        "::1",
        "10.0.0.1",
    ]
    assert LocalAddresses().of_vu(1) is None


@pytest.mark.parametrize("text", ["shop.test", "10.0.0.2-10.0.0.1", "10.0.0.1-::1", "10.0.0.0/33"])
def test_local_addresses_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=f"cannot read {text!r}; write an IP address, a range"):
        LocalAddresses(text)


def test_a_network_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(OptionError, match=r"'fd00::/8' has more than 65,536 addresses"):
        LocalAddresses("fd00::/8")


@pytest.mark.sockets
@in_real_time
async def test_a_connection_comes_from_the_address_of_its_virtual_user() -> None:
    peers = []

    async def handler(peer: Peer) -> None:
        while await peer.head():
            assert isinstance(peer.stream, trio.SocketStream)
            peers.append(peer.stream.socket.getpeername()[0])
            await peer.send(OK)

    local = LocalAddresses("127.0.0.2-127.0.0.3")
    async with serving(handler) as server, a_tester(local_addresses=local) as tester:
        for number in (1, 2, 3):
            client = Client(tester.runtime, tester.recorder, number)
            await client.get(server.url)
            client.close()

    assert peers == ["127.0.0.2", "127.0.0.3", "127.0.0.2"]


@pytest.mark.sockets
@in_real_time
async def test_a_local_address_of_the_other_family_is_a_failed_request() -> None:
    async with replying(OK) as server, a_tester(local_addresses=LocalAddresses("::1")) as tester:
        response = await tester.client.get(server.url)

    assert response.error == (
        "dial: unknown errno 99 error with msg `cannot assign requested address`"
    )


# Given addresses in use


@pytest.mark.sockets
@in_real_time
async def test_requests_go_to_the_given_address_with_the_name_in_their_head() -> None:
    async with replying(OK) as server:
        hosts = HostTable({"shop.test": f"127.0.0.1:{server.port}"})
        async with a_tester(hosts=hosts) as tester:
            response = await tester.client.get("http://shop.test/cart")

    assert response.text == "ok"
    assert b"\r\nHost: shop.test\r\n" in server.heads[0]
    assert tester.tags()["name"] == "http://shop.test/cart"


@contextmanager
def listening_at(path: Path, backlog: int = 10) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(backlog)
        yield listener


@pytest.mark.sockets
@in_real_time
async def test_a_unix_socket_is_spoken_to(tmp_path: Path) -> None:
    path = tmp_path / "shop.sock"
    with listening_at(path) as listener:
        stream_listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener.dup()))

        async def answer(stream: trio.SocketStream) -> None:
            peer = Peer(stream)
            while await peer.head():
                await peer.send(OK)

        async with (
            a_tester(hosts=HostTable({"shop.test": f"unix:{path}"})) as tester,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trio.serve_listeners, answer, [stream_listener])
            first = await tester.client.get("http://shop.test/")
            second = await tester.client.get("http://shop.test/")
            nursery.cancel_scope.cancel()

    assert (first.text, second.text) == ("ok", "ok")
    assert second.timings.connecting == 0


@pytest.mark.sockets
@in_real_time
async def test_a_unix_socket_that_is_not_there_or_does_not_accept_fails_in_time(
    tmp_path: Path,
) -> None:
    full = tmp_path / "full.sock"
    hosts = HostTable({"none.test": f"unix:{tmp_path}/none.sock", "full.test": f"unix:{full}"})
    with listening_at(full, backlog=0), socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(full))
        async with a_tester(hosts=hosts) as tester:
            none = await tester.client.get("http://none.test/")
            late = await tester.client.get("http://full.test/", timeout=0.2)

    assert none.error == "dial: unknown errno 2 error with msg `no such file or directory`"
    assert late.error == "request timeout"


# Proxies


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:3128", (False, "127.0.0.1", 3128, "", "")),
        ("proxy.test", (False, "proxy.test", 80, "", "")),
        ("https://ann@proxy.test", (False, "proxy.test", 443, "ann", "")),
        ("http://ann:s%40y@proxy.test:1/", (False, "proxy.test", 1, "ann", "s@y")),
        ("socks5://[::1]", (True, "::1", 1080, "", "")),
        ("socks5h://proxy.test:9", (True, "proxy.test", 9, "", "")),
    ],
)
def test_a_proxy_is_read(url: str, expected: tuple[object, ...]) -> None:
    proxy = Proxies(url, {}, SECRETS).find(shop())

    assert proxy is not None
    assert (proxy.is_socks, proxy.host, proxy.port, proxy.user, proxy.password) == expected
    assert proxy.is_tls == url.startswith("https:")


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@proxy.test/path",
        "ftp://x",
        "http://",
        "http://x:y",
        "a b",
        "a\nb",
        "http://[::1",
        "http://x:65536",
    ],
)
def test_a_proxy_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(OptionError, match="cannot read the proxy") as caught:
        Proxies(url, {}, SECRETS)

    assert "secret" not in str(caught.value)


def shop(host: str = "shop.test", *, is_tls: bool = False) -> Origin:
    return Origin(is_tls=is_tls, host=host, port=443 if is_tls else 80)


def test_a_given_proxy_is_for_this_machine_too_and_no_proxy_names_exceptions() -> None:
    proxies = Proxies("proxy.test", {"NO_PROXY": "shop.test", "HTTP_PROXY": "other"}, SECRETS)

    assert proxies.find(shop()) is None
    local = proxies.find(shop("127.0.0.1"))
    assert local is not None
    assert local.host == "proxy.test"


def test_an_empty_proxy_switches_those_of_the_environment_off() -> None:
    environment = {"HTTPS_PROXY": "proxy.test"}

    assert Proxies("", environment, SECRETS).find(shop(is_tls=True)) is None
    assert Proxies(None, environment, SECRETS).find(shop(is_tls=True)) is not None
    assert Proxies(None, environment, SECRETS).find(shop()) is None


def test_a_broken_proxy_of_the_environment_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match="HTTP_PROXY: cannot read the proxy 'gopher://x'"):
        Proxies(None, {"HTTP_PROXY": "gopher://x"}, SECRETS)


def through(proxy: Server, scheme: str = "http", user: str = "") -> Proxies:
    return Proxies(f"{scheme}://{user}127.0.0.1:{proxy.port}", {}, SECRETS)


@pytest.mark.sockets
@in_real_time
async def test_a_plain_request_is_sent_to_the_proxy_with_its_whole_url() -> None:
    async with replying(OK) as proxy, a_tester(proxies=through(proxy, user="ann:pw@")) as tester:
        first = await tester.client.get("http://shop.test/cart?all")
        again = await tester.client.post("http://shop.test:8080/cart", content=b"body")
        third = await tester.client.get("http://shop.test/cart?all")

    assert (first.text, again.text, third.text) == ("ok", "ok", "ok")
    assert proxy.heads[0].startswith(
        b"GET http://shop.test/cart?all HTTP/1.1\r\n"
        b"Proxy-Authorization: Basic YW5uOnB3\r\n"
        b"Host: shop.test\r\n"
    )
    assert proxy.heads[1].startswith(b"POST http://shop.test:8080/cart HTTP/1.1\r\n")
    assert proxy.bodies[1] == b"body"
    assert proxy.connections == 2, "one for each server behind it"


async def join(one: Peer, other: trio.SocketStream) -> None:
    """Carry bytes both ways until one side ends."""

    async def carry(receive: Any, send: Any) -> None:
        while data := await receive():
            await send(data)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(carry, one.stream.receive_some, other.send_all)
        await carry(other.receive_some, one.stream.send_all)


@pytest.mark.sockets
@in_real_time
async def test_a_request_over_tls_goes_through_a_tunnel(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.test").configure_cert(context)
    asked = []

    async with replying(OK, context=context) as server:

        async def handler(peer: Peer) -> None:
            asked.append(await peer.head())
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await join(peer, stream)

        async with (
            serving(handler) as proxy,
            a_tester(
                proxies=through(proxy, user="ann:pw@"), verify=str(tmp_path / "ca.pem")
            ) as tester,
        ):
            first = await tester.client.get("https://shop.test/")
            second = await tester.client.get("https://shop.test/")

    assert (first.text, second.text) == ("ok", "ok")
    assert asked == [
        b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n"
        b"Proxy-Authorization: Basic YW5uOnB3\r\n\r\n"
    ]
    assert b"Proxy-Authorization" not in server.heads[0]
    assert first.timings.connecting > 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 407 secret\r\n\r\n", "proxyconnect: 407 Proxy Authentication Required"),
        (b"HTTP/1.1 599 secret\r\n\r\n", "proxyconnect: 599"),
        (b"secret\r\n\r\n", "proxyconnect: malformed HTTP response"),
        (b"HTTP/1.1 200 OK\r\n", "proxyconnect: unexpected EOF"),
        (b"", "proxyconnect: unexpected EOF"),
        (70_000 * b"x", "proxyconnect: response headers exceeded 65536 bytes; aborted"),
    ],
)
@pytest.mark.sockets
@in_real_time
async def test_a_proxy_that_opens_no_tunnel_is_a_failed_request(answer: bytes, error: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    async with serving(handler) as proxy, a_tester(proxies=through(proxy)) as tester:
        response = await tester.client.get("https://shop.test/")

    assert (response.error, response.error_code) == (error, 1000)


@pytest.mark.sockets
@in_real_time
async def test_a_proxy_that_is_away_or_silent_is_told_as_such() -> None:
    async def silent(peer: Peer) -> None:
        await peer.head()
        await trio.sleep_forever()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with a_tester(proxies=Proxies(f"127.0.0.1:{port}", {}, SECRETS)) as tester:
        away = await tester.client.get("http://shop.test/")
    async with serving(silent) as proxy, a_tester(proxies=through(proxy)) as tester:
        late = await tester.client.get("https://shop.test/", timeout=0.1)

    assert (away.error, away.error_code) == ("proxyconnect: dial: connection refused", 1200)
    assert late.error == "request timeout"


def socks(replies: list[bytes], asked: list[bytes], then: bytes = OK) -> Callable[[Peer], Any]:
    """Return a handler that answers SOCKS5 by `replies`, and one request by `then`."""

    async def handler(peer: Peer) -> None:
        for reply in replies:
            asked.append(bytes(await peer.stream.receive_some()))
            await peer.send(reply)
        while await peer.head():
            await peer.send(then)

    return handler


CONNECTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("user", "host", "replies", "asked"),
    [
        (
            "",
            "shop.test",
            [b"\x05\x00", CONNECTED],
            [b"\x05\x01\x00", b"\x05\x01\x00\x03\x09shop.test\x00\x50"],
        ),
        (
            "ann:pw@",
            "10.0.0.1",
            [b"\x05\x02", b"\x01\x00", CONNECTED],
            [
                b"\x05\x02\x00\x02",
                b"\x01\x03ann\x02pw",
                b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50",
            ],
        ),
        (
            "",
            "[::1]",
            [b"\x05\x00", b"\x05\x00\x00\x03\x01x\x00\x50"],
            [b"\x05\x01\x00", b"\x05\x01\x00\x04" + 15 * b"\x00" + b"\x01\x00\x50"],
        ),
    ],
)
@pytest.mark.sockets
@in_real_time
async def test_socks5_leads_to_names_and_addresses_with_a_password_or_without(
    user: str, host: str, replies: list[bytes], asked: list[bytes]
) -> None:
    heard: list[bytes] = []
    async with (
        serving(socks(replies, heard)) as proxy,
        a_tester(proxies=through(proxy, "socks5", user)) as tester,
    ):
        response = await tester.client.get(f"http://{host}/")

    assert response.text == "ok"
    assert heard == asked


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([b"\x05\xff"], "no acceptable authentication methods"),
        ([b"\x05\x02"], "no acceptable authentication methods"),
        ([b"\x04\x00"], "unexpected protocol version"),
        ([b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)], "connection refused"),
        ([b"\x05\x00", b"\x05\x63\x00\x01" + bytes(6)], "unknown code 99"),
        ([b"\x05\x00", b"\x05\x00\x00\x09" + bytes(6)], "unknown address type"),
    ],
)
@pytest.mark.sockets
@in_real_time
async def test_a_socks_proxy_that_refuses_is_a_failed_request(
    replies: list[bytes], error: str
) -> None:
    async with (
        serving(socks(replies, [])) as proxy,
        a_tester(proxies=through(proxy, "socks5")) as tester,
    ):
        response = await tester.client.get("http://shop.test/")

    assert (response.error, response.error_code) == (f"proxyconnect: {error}", 1200)


# Certificates of clients


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server that asks for certificates, and the folder with ours."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("ann", "bob"):
        issued = authority.issue_cert(f"{name}@shop.test", common_name=name)
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context, tmp_path


@contextmanager
def naming_server(context: ssl.SSLContext, connections: int) -> Iterator[str]:
    """Run a server that answers each connection with its client's name; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(connections):
                sock, _ = listener.accept()
                with context.wrap_socket(sock, server_side=True) as stream:
                    subject = dict(pair[0] for pair in stream.getpeercert()["subject"])  # type: ignore[index,misc]
                    name = subject["commonName"].encode()
                    stream.recv(65_536)
                    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
                    stream.sendall(head + str(len(name)).encode() + b"\r\n\r\n" + name)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)


@pytest.mark.sockets
@in_real_time
async def test_each_virtual_user_can_show_a_certificate_of_its_own(
    certificates: tuple[ssl.SSLContext, Path],
) -> None:
    context, folder = certificates
    async with a_tester(verify=str(folder / "ca.pem")) as tester:
        with naming_server(context, 3) as url:
            tester.client.cert = str(folder / "ann.pem")
            ann = await tester.client.get(url)
            tester.client.cert = (str(folder / "bob.crt"), str(folder / "bob.key"))
            bob = await tester.client.get(url)
            bob_again = await tester.client.get(url)

    assert (ann.text, bob.text, bob_again.text) == ("ann", "bob", "bob")
    assert tester.client.cert == (str(folder / "bob.crt"), str(folder / "bob.key"))


@in_real_time
async def test_a_certificate_that_cannot_be_read_is_refused_where_it_is_set(
    certificates: tuple[ssl.SSLContext, Path],
) -> None:
    _, folder = certificates
    async with a_tester() as tester:
        with pytest.raises(OptionError, match="no_such.pem': No such file or directory"):
            tester.client.cert = str(folder / "no_such.pem")
        with pytest.raises(OptionError, match="no certificate with its key"):
            tester.client.cert = str(folder / "ann.crt")

    assert tester.client.cert is None
