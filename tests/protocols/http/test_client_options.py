"""What a load test may ask of all its requests: bodies that are not kept, connections of their own."""

import gzip

import pytest
import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import TlsRules, read_cipher_suites, read_tls_version
from tests.protocols.http.serving import OK, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


def with_length(body: bytes, fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


@in_real_time
async def test_bodies_are_read_and_not_kept() -> None:
    large = bytes(300_000)
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    zipped = with_length(gzip.compress(b"x"), b"Content-Encoding: gzip\r\nSet-Cookie: id=7\r\n")
    replies = (OK, OK, with_length(large), chunks, zipped, OK)
    options = {"discard_response_bodies": True, "max_response_size": 1000}
    async with replying(*replies) as server, a_tester(**options) as tester:
        bodies = [(await tester.client.get(server.url)).content for _ in range(5)]
        kept = await tester.client.get(server.url, discard_response_body=False)

    assert bodies == [b""] * 5
    assert kept.content == b"ok"
    assert tester.client.cookies["id"] == "7"
    assert [row[1] for row in tester.rows] == [0] * 6
    assert server.connections == 1
    assert tester.recorder.bytes_received == sum(map(len, replies))


@in_real_time
async def test_one_body_need_not_be_kept() -> None:
    async with replying(OK) as server, a_tester() as tester:
        first = await tester.client.get(server.url, discard_response_body=True)
        second = await tester.client.get(server.url)
        async with tester.client.stream("GET", server.url) as streamed:
            body = await streamed.aread()

    assert (first.content, first.status_code, second.content, body) == (b"", 200, b"ok", b"ok")


@in_real_time
async def test_a_body_that_is_cut_is_a_failure_also_when_it_is_not_wanted() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    async with (
        replying(cut, close=True) as server,
        a_tester(discard_response_bodies=True) as tester,
    ):
        response = await tester.client.get(server.url)

    assert (response.error, response.content) == ("unexpected EOF", b"")


@in_real_time
async def test_without_reuse_each_request_opens_a_connection_that_is_closed_at_once() -> None:
    ends = trio.Semaphore(0)

    async def handler(peer: Peer) -> None:
        while head := await peer.head():
            server.heads.append(head)
            await peer.send(OK)  # it would keep the connection
        ends.release()

    async with serving(handler) as server, a_tester(no_connection_reuse=True) as tester:
        for _ in range(2):
            await tester.client.get(server.url)
        async with tester.client.stream("GET", server.url) as response:
            await response.aread()
        await tester.client.batch([server.url] * 3)
        with trio.fail_after(10):
            for _ in range(6):
                await ends.acquire()

    assert server.connections == 6
    assert all(b"\r\nConnection: close\r\n" in head for head in server.heads)
    assert [row[4] > 0 for row in tester.rows] == [True] * 6


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("", ()),
        ("tls1.3", ("tls1.3", "tls1.3")),
        ("TLS1.2 - tls1.3", ("tls1.2", "tls1.3")),
        ("tls1.0-tls1.2", ("tls1.0", "tls1.2")),
    ],
)
def test_versions_of_tls_are_read(text: str, versions: tuple[str, ...]) -> None:
    assert read_tls_version(text) == versions


@pytest.mark.parametrize("text", ["1.2", "tls1.4", "tls1.3-tls1.2", "ssl3.0", "-tls1.2"])
def test_what_is_no_version_of_tls_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="write one of tls1.0, tls1.1, tls1.2, tls1.3, or the"):
        read_tls_version(text)


def test_cipher_suites_are_read_by_the_standards_names_and_openssls() -> None:
    names = [
        "TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_GCM_SHA384",
        "tls_ecdhe_rsa_with_aes_128_gcm_sha256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-AES256-SHA",
    ]

    assert read_cipher_suites(names) == (
        "AES128-SHA",
        "AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES256-SHA",
    )
    assert read_cipher_suites([]) == ()
    with pytest.raises(OptionError, match="cannot use the cipher suite 'TLS_AES_128_GCM_SHA256'"):
        read_cipher_suites(["TLS_AES_128_GCM_SHA256"])


def test_rules_of_tls_are_those_of_openssl_unless_given() -> None:
    assert TlsRules() == ((), ())
