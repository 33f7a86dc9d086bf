"""Proxies that are reached over TLS: requests to them, tunnels through them, TLS within TLS."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio
import trustme

from pytest_k6api.model import SECRETS
from pytest_k6api.protocols.grpc import GrpcClient, StatusCode
from pytest_k6api.protocols.http import ClientCertificate, Proxies
from tests.protocols.http.h2.speaking import OK as OK_HEAD
from tests.protocols.http.h2.speaking import Speaker, data, head, literal, speaking
from tests.protocols.http.serving import OK, Peer, Server, a_tester, replying, serving
from tests.protocols.websocket.serving import WsHarness, WsPeer, upgrading
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Certified(NamedTuple):
    """An authority that clients trust by `file`, and a way to certificates of it."""

    authority: trustme.CA
    file: str

    def context(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return Certified(authority, str(file))


def through(proxy: Server, user: str = "") -> Proxies:
    return Proxies(f"https://{user}127.0.0.1:{proxy.port}", {}, SECRETS)


async def carry(receive: Callable[[], Any], send: Callable[[bytes], Any]) -> None:
    while piece := await receive():
        await send(piece)


@asynccontextmanager
async def tunneling(to: Server, context: ssl.SSLContext) -> AsyncIterator[Server]:
    """Serve a proxy over TLS whose tunnels all lead to the server `to`."""

    async def handler(peer: Peer) -> None:
        proxy.heads.append(await peer.head())
        async with await trio.open_tcp_stream("127.0.0.1", to.port) as stream:
            await peer.send(ESTABLISHED)
            async with trio.open_nursery() as nursery:

                async def back() -> None:
                    await carry(stream.receive_some, peer.send)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(back)
                await carry(peer.stream.receive_some, stream.send_all)
                nursery.cancel_scope.cancel()

    async with serving(handler, context) as proxy:
        yield proxy


@in_real_time
async def test_a_plain_request_goes_to_the_proxy_over_tls(certified: Certified) -> None:
    async with (
        replying(OK, context=certified.context()) as proxy,
        a_tester(proxies=through(proxy, "ann:pw@"), verify=certified.file) as tester,
    ):
        first = await tester.client.get("http://shop.test/")
        again = await tester.client.post("http://shop.test/cart", content=b"body")

    assert (first.text, again.text, proxy.connections) == ("ok", "ok", 1)
    assert proxy.heads[0].startswith(
        b"GET http://shop.test/ HTTP/1.1\r\n"
        b"Proxy-Authorization: Basic YW5uOnB3\r\n"
        b"Host: shop.test\r\n"
    )
    assert (tester.tags()["proto"], tester.tags()["tls_version"]) == ("HTTP/1.1", "tls1.3")


@in_real_time
async def test_tls_to_the_server_goes_through_tls_to_the_proxy(certified: Certified) -> None:
    large = bytes(3_000_000)
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + large
    async with (
        replying(OK, reply, OK, context=certified.context("shop.test")) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy, "ann:pw@"), verify=certified.file) as tester,
    ):
        client = tester.client
        first = await client.get("https://shop.test/")
        received = await client.get("https://shop.test/large")
        sent = await client.post("https://shop.test/large", content=large)
        async with client.stream("GET", "https://shop.test/") as streamed:
            pieces = [piece async for piece in streamed.aiter_bytes()]

    assert (first.text, received.content, sent.text) == ("ok", large, "ok")
    assert b"".join(pieces) == b"ok"
    assert server.bodies[2] == large
    assert proxy.heads == [
        b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n"
        b"Proxy-Authorization: Basic YW5uOnB3\r\n\r\n"
    ]
    assert (proxy.connections, server.connections) == (1, 1)
    assert first.timings.connecting > 0
    assert first.timings.tls_handshaking > 0
    assert tester.tags()["tls_version"] == "tls1.3"
    assert tester.recorder.bytes_sent > len(large)
    assert tester.recorder.bytes_received > len(large)


@in_real_time
async def test_a_body_that_ends_with_the_connection_ends_there(certified: Certified) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await peer.close()

    async with (
        serving(handler, certified.context("shop.test")) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        response = await tester.client.get("https://shop.test/")

    assert response.text == "all of it"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@in_real_time
async def test_a_tunnel_that_breaks_is_a_failed_request(sent: bytes, certified: Certified) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        if sent:
            await peer.send(sent)

    async with (
        serving(handler, certified.context("shop.test")) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        response = await tester.client.post("https://shop.test/")

    assert response.error in {"EOF", "unexpected EOF"}


@in_real_time
async def test_http2_goes_through_tls_to_the_proxy(certified: Certified) -> None:
    context = certified.context("shop.test")
    context.set_alpn_protocols(["h2"])

    async def handler(peer: Peer) -> None:
        speaker = Speaker(peer)
        await speaker.greet()
        while True:
            stream = await speaker.request()
            pieces = [data(stream, bytes(10_000), ends=False)] * 50
            await speaker.send(head(stream), *pieces, data(stream, b""))

    async with (
        serving(handler, context) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        responses = await tester.client.batch(["https://shop.test/"] * 5)

    assert [len(each.content) for each in responses] == [500_000] * 5
    assert tester.tags()["proto"] == "HTTP/2.0"
    assert proxy.connections == 1


@in_real_time
async def test_grpc_without_tls_goes_through_a_tunnel_too(certified: Certified) -> None:
    fields = [literal(b"content-type", b"application/grpc"), literal(b"grpc-status", b"5")]

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        while True:
            stream = await speaker.request()
            await speaker.send(head(stream, OK_HEAD + b"".join(fields), ends=True))

    async with (
        speaking(speech) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        client = GrpcClient(tester.client, tester.recorder)
        call = client.channel("shop.test:50051").unary_unary("/shop.Greeter/Greet")(b"")
        code = await call.code()
        client.close()

    assert code is StatusCode.NOT_FOUND
    assert proxy.heads == [b"CONNECT shop.test:50051 HTTP/1.1\r\nHost: shop.test:50051\r\n\r\n"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@in_real_time
async def test_websocket_goes_through_tls_to_the_proxy(scheme: str, certified: Certified) -> None:
    context = certified.context("shop.test") if scheme == "wss" else None
    async with (
        upgrading(WsPeer.echo, context=context) as server,
        tunneling(server, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
        WsHarness(tester).ws.connect(f"{scheme}://shop.test:{server.port}/") as session,
    ):
        await session.send("x" * 200_000)
        received = await session.receive()

    assert received == "x" * 200_000
    assert proxy.heads[0].startswith(b"CONNECT shop.test:%d HTTP/1.1\r\n" % server.port)


@in_real_time
async def test_the_certificate_of_the_proxy_is_checked_as_those_of_servers(
    certified: Certified,
) -> None:
    wrong = certified.context("other.test")
    async with replying(OK, context=wrong) as proxy:
        for options in ({}, {"verify": certified.file}):
            async with a_tester(proxies=through(proxy), **options) as tester:
                refused = await tester.client.get("http://shop.test/")
                assert refused.error.startswith("proxyconnect: ")
                assert "x509" in refused.error
        async with a_tester(proxies=through(proxy), verify=False) as tester:
            taken = await tester.client.get("http://shop.test/")

    assert taken.text == "ok"


@in_real_time
async def test_a_proxy_that_speaks_no_tls_is_a_failed_request(certified: Certified) -> None:
    async def handler(peer: Peer) -> None:
        await peer.stream.receive_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        serving(handler) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        response = await tester.client.get("https://shop.test/")

    assert response.error == "proxyconnect: tls: wrong version number"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 407 secret\r\n\r\n", "proxyconnect: 407 Proxy Authentication Required"),
        (b"HTTP/1.1 200 OK\r\n", "proxyconnect: unexpected EOF"),
        (ESTABLISHED + b"more", "proxyconnect: malformed HTTP response"),
        (b"", "proxyconnect: unexpected EOF"),
    ],
)
@in_real_time
async def test_a_proxy_that_opens_no_tunnel_is_a_failed_request(
    answer: bytes, error: str, certified: Certified
) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        if answer:
            await peer.send(answer)
        await peer.close()

    async with (
        serving(handler, certified.context()) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file) as tester,
    ):
        response = await tester.client.get("https://shop.test/")

    assert (response.error, response.error_code) == (error, 1000)


@in_real_time
async def test_a_proxy_gets_the_certificate_of_the_client(
    certified: Certified, tmp_path: Path
) -> None:
    context = certified.context()
    context.verify_mode = ssl.CERT_REQUIRED
    certified.authority.configure_trust(context)
    own = certified.authority.issue_cert("load@test.example")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    shown = ClientCertificate(str(tmp_path / "own.pem"), "")
    async with (
        replying(OK, context=context) as proxy,
        a_tester(proxies=through(proxy), verify=certified.file, certificate=shown) as tester,
    ):
        response = await tester.client.get("http://shop.test/")

    assert response.text == "ok"
