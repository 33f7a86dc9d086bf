import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.net import (
    TlsRules,
    make_context,
    read_cipher_suites,
    read_tls_version,
)
from tests.protocols.http.serving import OK, Harness, Peer, Server, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def rsa_context() -> ssl.SSLContext:
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    certificate.configure_cert(context)
    return context


@asynccontextmanager
async def secured(
    context: ssl.SSLContext, *replies: bytes, verify: bool | str
) -> AsyncIterator[tuple[Server, Harness]]:
    async with replying(*replies, context=context) as server, a_tester(verify=verify) as tester:
        yield server, tester


@in_real_time
async def test_a_trusted_server_is_talked_to_over_one_kept_connection(
    authority: trustme.CA, authority_file: str
) -> None:
    body = bytes(range(256)) * 1000
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    context = server_context(authority)
    async with secured(context, OK, large, verify=authority_file) as (server, tester):
        first = await tester.client.get(server.url)
        second = await tester.client.get(server.url)
        third = await tester.client.put(server.url, content=body)

    assert first.content == b"ok"
    assert second.content == third.content == server.bodies[2] == body
    assert server.connections == 1
    assert tester.tags()["tls_version"] == "tls1.3"
    assert tester.tags()["proto"] == first.http_version == "HTTP/1.1"
    assert first.timings.tls_handshaking > 0
    assert first.timings.blocked >= first.timings.connecting + first.timings.tls_handshaking
    assert second.timings.tls_handshaking == second.timings.blocked == 0


@in_real_time
async def test_an_older_version_is_tagged(authority: trustme.CA, authority_file: str) -> None:
    context = server_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with secured(context, OK, verify=authority_file) as (server, tester):
        await tester.client.get(server.url)

    assert tester.tags()["tls_version"] == "tls1.2"


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the system counts no TCP bytes")
@in_real_time
async def test_bytes_are_those_on_the_wire_with_handshake_and_records(
    authority: trustme.CA, authority_file: str
) -> None:
    context = server_context(authority)
    async with secured(context, OK, verify=authority_file) as (server, tester):
        await tester.client.get(server.url)
        first = tester.recorder.bytes_sent, tester.recorder.bytes_received
        await tester.client.get(server.url)

    # A record of TLS 1.3 adds 22 bytes; the handshake is far larger.
    second = tester.recorder.bytes_sent - first[0], tester.recorder.bytes_received - first[1]
    assert second == (len(server.heads[1]) + 22, len(OK) + 22)
    assert first[0] > len(server.heads[0]) + 300
    assert first[1] > len(OK) + 500


@pytest.mark.parametrize(
    ("host", "trusts", "error"),
    [
        ("127.0.0.1", False, ("x509: unknown authority", 1310)),
        ("other.example", True, ("x509: certificate doesn't match hostname", 1311)),
    ],
)
@in_real_time
async def test_a_certificate_that_does_not_hold_is_k6s_error(
    authority: trustme.CA, authority_file: str, host: str, trusts: bool, error: tuple[str, int]
) -> None:
    context = server_context(authority, host)
    verify = authority_file if trusts else True
    async with secured(context, OK, verify=verify) as (server, tester):
        response = await tester.client.get(server.url)

    assert (response.error, response.error_code) == error
    assert tester.rows[0][2:9] == (0, 0, 0, 0, 0, 0, 0)


@in_real_time
async def test_verification_can_be_switched_off(authority: trustme.CA) -> None:
    context = server_context(authority, "other.example")
    async with secured(context, OK, verify=False) as (server, tester):
        response = await tester.client.get(server.url)

    assert response.status_code == 200


@in_real_time
async def test_a_server_without_tls_is_a_tls_error() -> None:
    async def plain(peer: Peer) -> None:
        await peer.exactly(100)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await trio.sleep(0.05)

    async with serving(plain) as server, a_tester() as tester:
        response = await tester.client.get(f"https://127.0.0.1:{server.port}/")

    assert response.error_code == 1300
    assert response.error.startswith("tls: ")


@pytest.mark.parametrize(
    ("size", "text", "code"), [(None, "request timeout", 1050), (100, "EOF", 1000)]
)
@in_real_time
async def test_a_handshake_that_comes_to_nothing(size: int | None, text: str, code: int) -> None:
    async def vanish(peer: Peer) -> None:
        if size is None:
            await trio.sleep_forever()
        await peer.until(b"\x00")
        await trio.sleep(0.02)
        if isinstance(peer.stream, trio.SocketStream):
            await peer.stream.send_eof()
            await trio.sleep(0.05)

    async with serving(vanish) as server, a_tester(timeout=0.2 if size is None else 10) as tester:
        response = await tester.client.get(f"https://127.0.0.1:{server.port}/")

    assert (response.error, response.error_code) == (text, code)


@in_real_time
async def test_a_secured_server_that_closes_is_noticed(
    authority: trustme.CA, authority_file: str
) -> None:
    async def one_each(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await trio.sleep(0.02)

    async with (
        serving(one_each, server_context(authority)) as server,
        a_tester(verify=authority_file) as tester,
    ):
        for pause in (0.0, 0.1, 0.1):
            await trio.sleep(pause)
            response = await tester.client.post(server.url, content="x")
            assert (response.status_code, response.error) == (200, "")

    assert server.connections == 3


@in_real_time
async def test_an_idle_secured_connection_stays_in_use(
    authority: trustme.CA, authority_file: str
) -> None:
    async with secured(server_context(authority), OK, verify=authority_file) as (server, tester):
        for _ in range(3):
            assert (await tester.client.get(server.url)).status_code == 200
            # So long that the connection is looked at, session tickets and all.
            await trio.sleep(0.06)

    assert server.connections == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="puts two records into one segment")
@in_real_time
async def test_a_secured_connection_whose_end_came_with_the_response_is_not_used_again(
    authority: trustme.CA, authority_file: str
) -> None:
    connections: list[socket.socket] = []

    def answer_and_end(listener: socket.socket) -> None:
        while len(connections) < 2:
            try:
                raw, _ = listener.accept()
            except TimeoutError:
                return
            peer = server_context(authority).wrap_socket(raw, server_side=True)
            connections.append(peer)  # its end in TLS is not yet its end in TCP
            peer.recv(65536)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            peer.sendall(OK)
            peer.setblocking(False)
            with suppress(ssl.SSLWantReadError):
                peer.unwrap()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
        server = threading.Thread(target=answer_and_end, args=(listener,))
        server.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with a_tester(verify=authority_file) as tester:
            first = await tester.client.get(url)
            await trio.sleep(0.08)
            second = await tester.client.post(url, content="x")
        server.join()
    for peer in connections:
        peer.close()

    assert (first.error, second.error, len(connections)) == ("", "", 2)


def test_a_file_without_authorities_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("")

    for cafile in (str(path), str(tmp_path / "missing.pem")):
        with pytest.raises(OptionError, match="cannot read certificate authorities") as caught:
            make_context(cafile)
        assert f" from '{cafile}': " in str(caught.value)


@in_real_time
async def test_a_server_that_wants_a_certificate_says_so(
    authority: trustme.CA, authority_file: str
) -> None:
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    errors = set()

    def serve() -> None:
        # In a thread: whether the alert or the broken pipe comes first is a race.
        for _ in range(20):
            client, _ = listener.accept()
            with suppress(OSError):
                context.wrap_socket(client, server_side=True)
            client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        async with a_tester(verify=authority_file) as tester:
            for _ in range(20):
                url = f"https://127.0.0.1:{listener.getsockname()[1]}"
                response = await tester.client.post(url, content=bytes(3000))
                errors.add((response.error, response.error_code))
        thread.join(5)

    assert errors == {("remote error: tls: certificate required", 1010)}


@pytest.mark.parametrize(
    ("framing", "is_proper", "error"),
    [
        (b"X: y", True, ""),
        (b"X: y", False, "unexpected EOF"),
        (b"Content-Length: 5", False, ""),
        (b"Content-Length: 9", False, "unexpected EOF"),
        (b"Content-Length: 9", True, "unexpected EOF"),
    ],
)
@in_real_time
async def test_a_stream_that_was_cut_is_no_complete_body(
    authority: trustme.CA, authority_file: str, framing: bytes, is_proper: bool, error: str
) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\nhello" % framing)
        if is_proper:
            await peer.close()

    async with (
        serving(answer, server_context(authority)) as server,
        a_tester(verify=authority_file) as tester,
    ):
        response = await tester.client.get(server.url)

    assert (response.error, response.content) == (error, b"hello")


@in_real_time
async def test_a_kept_connection_that_was_cut_is_replaced(
    authority: trustme.CA, authority_file: str
) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()

    async with (
        serving(answer, server_context(authority)) as server,
        a_tester(verify=authority_file) as tester,
    ):
        errors = [(await tester.client.get(server.url)).error for _ in range(3)]

    assert errors == ["", "", ""]
    assert server.connections == 3


class Here(trio.abc.HostnameResolver):
    """Know every name, and let all of them be this machine."""

    async def getaddrinfo(self, host: object, port: object, *_: object, **__: object) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def getnameinfo(self, *_: object) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("host", ["shop.test", "shop.test."])
@in_real_time
async def test_the_dot_of_a_whole_name_is_no_part_of_its_certificate(
    authority: trustme.CA, authority_file: str, host: str
) -> None:
    trio.socket.set_custom_hostname_resolver(Here())
    names = []
    context = server_context(authority, "shop.test")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with (
        replying(OK, context=context) as server,
        a_tester(verify=authority_file) as tester,
    ):
        response = await tester.client.get(f"https://{host}:{server.port}/")

    assert (response.error, names) == ("", ["shop.test"])


@pytest.mark.parametrize(
    ("version", "suites", "tag"),
    [
        ("tls1.2", (), "tls1.2"),
        ("tls1.2", ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",), "tls1.2"),
        ("tls1.2-tls1.3", (), "tls1.3"),
        ("tls1.3", (), "tls1.3"),
    ],
)
@in_real_time
async def test_versions_and_suites_can_be_chosen(
    rsa_context: ssl.SSLContext, version: str, suites: tuple[str, ...], tag: str
) -> None:
    rules = TlsRules(read_tls_version(version), read_cipher_suites(suites))
    async with (
        replying(OK, context=rsa_context) as server,
        a_tester(verify=False, tls=rules) as tester,
    ):
        response = await tester.client.get(server.url)

    assert response.status_code == 200
    assert tester.tags()["tls_version"] == tag


@in_real_time
async def test_a_server_without_a_common_version_is_a_failed_request(
    rsa_context: ssl.SSLContext,
) -> None:
    rsa_context.minimum_version = ssl.TLSVersion.TLSv1_3
    rules = TlsRules(read_tls_version("tls1.0-tls1.2"))
    async with (
        replying(OK, context=rsa_context) as server,
        a_tester(verify=False, tls=rules) as tester,
    ):
        response = await tester.client.get(server.url)

    assert response.status_code == 0
    assert response.error_code in {1000, 1010}  # whether its alert comes, too
