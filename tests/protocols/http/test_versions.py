"""What works over HTTP/1.1 works over every version, or is told before any load.

Each of `FEATURES` is tried over each of `VERSIONS`. Where a version cannot have it, `TOLD` has
options that are refused, with the words; where there is no TLS, `WITHOUT_TLS` has the features
that are TLS's.
"""

import gzip
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

pytest.importorskip("qh3")
pytest.importorskip("jh2")

from pytest_k6api.model import SECRETS, OptionError, Tracer
from pytest_k6api.protocols.http import (
    ClientOptions,
    DigestAuth,
    HostTable,
    LocalAddresses,
    Proxies,
    SyncClient,
    read_dns,
)
from tests.protocols.http.serving import Harness, a_tester
from tests.protocols.http.versions import PROTOS, VERSIONS, Asked, Place, Said, Service, offering

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.usefixtures("waiting"),
]


class Trial(NamedTuple):
    """What a feature is tried with.

    Attributes:
        version: One of `VERSIONS`.
        folder: For files.
        asked: All requests, in order.
    """

    version: str
    folder: Path
    asked: list[Asked]

    def serve(self, service: Service = lambda _: Said()) -> AbstractAsyncContextManager[Place]:
        """Serve `service`, and take note of what it is asked."""

        def noted(asked: Asked) -> Said:
            self.asked.append(asked)
            return service(asked)

        return offering(self.version, self.folder, noted)

    def client(self, place: Place, **options: Any) -> AbstractAsyncContextManager[Harness]:
        """Give a client of `place`."""
        given = {"verify": str(place.ca), "timeout": 10.0, "base_url": place.url, **options}
        return a_tester(http_versions=VERSIONS[self.version], **given)

    @asynccontextmanager
    async def meet(
        self, service: Service = lambda _: Said(), **options: Any
    ) -> AsyncIterator[tuple[Place, Harness]]:
        """Do both."""
        async with self.serve(service) as place, self.client(place, **options) as tester:
            yield place, tester


Feature = Callable[[Trial], Awaitable[None]]
FEATURES: dict[str, Feature] = {}
WITHOUT_TLS = {
    "certificates are checked",
    "a certificate of the client",
    "no check of certificates",
}


def feature(run: Feature) -> Feature:
    """Have `run`, a feature named as its function, tried over each version."""
    FEATURES[run.__name__.replace("_", " ")] = run
    return run


TOLD: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("h3", "a proxy"): (
        {"proxies": Proxies("http://proxy.test:1", {}, SECRETS)},
        "http_versions='3' goes through no proxy",
    ),
    ("h3", "a socket in the file system"): (
        {"hosts": HostTable({"shop.test": "unix:/run/shop.sock"})},
        "http_versions='3' goes to no socket in the file system",
    ),
}


@feature
async def a_response(trial: Trial) -> None:
    async with trial.meet() as (_, tester):
        got = await tester.client.get("/a?b=c")

    assert (got.status_code, got.text, got.http_version) == (200, "hello", PROTOS[trial.version])
    assert trial.asked[0][:2] == ("GET", "/a?b=c")
    assert tester.tags()["proto"] == PROTOS[trial.version]
    assert tester.tags().get("tls_version") == (None if trial.version == "h2c" else "tls1.3")


@feature
async def times_of_responses_that_differ(trial: Trial) -> None:
    def service(_asked: Asked) -> Said:
        return Said(fields=[("x-number", str(len(trial.asked)))])

    async with trial.meet(service) as (_, tester):
        responses = [await tester.client.get("/") for _ in range(5)]
        responses += await tester.client.batch(["/"] * 3)

    assert [got.timings.waiting > 0 for got in responses] == [True] * 8
    assert [got.timings.blocked > 0 for got in responses[:5]] == [True, False, False, False, False]


@feature
async def bodies_that_are_sent(trial: Trial) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with trial.meet(lambda asked: Said(body=asked.body)) as (_, tester):
        posted = await tester.client.post("/", json={"a": 1})
        put = await tester.client.put("/", content=pieces())
        none = await tester.client.delete("/")

    assert [got.text for got in (posted, put, none)] == ['{"a":1}', "onetwo", ""]
    assert [asked.method for asked in trial.asked] == ["POST", "PUT", "DELETE"]


@feature
async def heads_alone(trial: Trial) -> None:
    async with trial.meet(lambda _: Said(fields=[("content-length", "5")])) as (_, tester):
        got = await tester.client.head("/")

    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", "5")


@feature
async def redirects_and_cookies(trial: Trial) -> None:
    def service(asked: Asked) -> Said:
        if asked.target == "/":
            return Said(302, [("location", "/next"), ("set-cookie", "a=1")], b"")
        return Said(body=asked.fields["cookie"].encode())

    async with trial.meet(service) as (_, tester):
        got = await tester.client.get("/")

    assert (got.text, len(got.history), len(tester.rows)) == ("a=1", 1, 2)


@feature
async def encoded_bodies(trial: Trial) -> None:
    said = Said(fields=[("content-encoding", "gzip")], body=gzip.compress(b"hello"))
    async with trial.meet(lambda _: said) as (_, tester):
        got = await tester.client.get("/")

    assert got.text == "hello"


@feature
async def failures_by_status(trial: Trial) -> None:
    async with trial.meet(lambda _: Said(503)) as (_, tester):
        await tester.client.get("/")

    assert (tester.rows[0][1], tester.tags()["error_code"]) == (1, "1503")


@feature
async def a_limit_of_bodies(trial: Trial) -> None:
    async with trial.meet(max_response_size=4) as (_, tester):
        got = await tester.client.get("/")

    assert (got.error_code, got.error) == (1000, "response body exceeded 4 bytes")


@feature
async def bodies_that_are_not_kept(trial: Trial) -> None:
    async with trial.meet(discard_response_bodies=True) as (_, tester):
        got = await tester.client.get("/")
        kept = await tester.client.get("/", discard_response_body=False)

    assert (got.status_code, got.content, kept.content) == (200, b"", b"hello")


@feature
async def connections_that_are_used_again(trial: Trial) -> None:
    async with trial.meet() as (place, tester):
        for _ in range(3):
            await tester.client.get("/")
        number = place.connections()

    assert number == 1


@feature
async def a_connection_for_each_request(trial: Trial) -> None:
    async with trial.meet(no_connection_reuse=True) as (place, tester):
        responses = [await tester.client.get("/") for _ in range(3)]
        number = place.connections()

    assert ([got.text for got in responses], number) == (["hello"] * 3, 3)
    assert [row[4] > 0 for row in tester.rows] == [True] * 3  # connecting


@feature
async def batches(trial: Trial) -> None:
    async with trial.meet() as (place, tester):
        responses = await tester.client.batch(["/1", ("POST", "/2", {"content": b"x"}), "/3"])
        number = place.connections()

    assert [got.text for got in responses] == ["hello"] * 3
    assert number == (3 if trial.version == "1.1" else 1)


@feature
async def scenarios_in_threads(trial: Trial) -> None:
    async with trial.meet() as (_, tester):
        client = SyncClient(tester.client)
        got = await trio.to_thread.run_sync(client.get, "/")

    assert got.text == "hello"


@feature
async def streams(trial: Trial) -> None:
    async with (
        trial.meet() as (_, tester),
        tester.client.stream("GET", "/") as response,
    ):
        pieces = [piece async for piece in response.aiter_bytes()]

    assert (b"".join(pieces), len(tester.rows)) == (b"hello", 1)


@feature
async def events(trial: Trial) -> None:
    said = Said(fields=[("content-type", "text/event-stream")], body=b"data: a\n\ndata: b\n\n")
    async with (
        trial.meet(lambda _: said) as (_, tester),
        tester.client.sse("/", reconnections=0) as stream,
    ):
        told = [event.data async for event in stream]

    assert told == ["a", "b"]


@feature
async def digest_authentication(trial: Trial) -> None:
    def service(asked: Asked) -> Said:
        challenge = 'Digest realm="r", nonce="n", qop="auth"'
        is_known = "authorization" in asked.fields
        return Said() if is_known else Said(401, [("www-authenticate", challenge)])

    async with trial.meet(service) as (_, tester):
        got = await tester.client.get("/", auth=DigestAuth("u", "p"))

    assert (got.status_code, len(got.history)) == (200, 1)
    assert trial.asked[1].fields["authorization"].startswith('Digest username="u"')


@feature
async def traces(trial: Trial) -> None:
    async with trial.meet(tracer=Tracer()) as (_, tester):
        for _ in range(2):
            await tester.client.get("/")

    sent = [asked.fields["traceparent"] for asked in trial.asked]
    assert len({*sent}) == 2
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", each) for each in sent)


@feature
async def shown_exchanges(trial: Trial) -> None:
    shown: list[str] = []
    options = {"http_debug": "all", "show_exchange": shown.append}
    async with trial.meet(lambda _: Said(404), **options) as (_, tester):
        await tester.client.post("/a", content=b"body", headers={"X-A": "b"})

    (text,) = shown
    for line in ("> POST ", "> X-A: b", "body", "< 404 ", "hello"):
        assert line in text


@feature
async def given_addresses(trial: Trial) -> None:
    async with trial.serve() as place:
        hosts = HostTable({"shop.test": f"127.0.0.1:{place.port}"})
        url = place.url.replace("127.0.0.1", "shop.test").rpartition(":")[0]
        async with trial.client(place, hosts=hosts, base_url=url) as tester:
            got = await tester.client.get("/")

    fields = trial.asked[0].fields
    assert (got.text, got.error) == ("hello", "")
    assert fields.get("host", fields.get(":authority")) == "shop.test"


@feature
async def addresses_of_this_machine(trial: Trial) -> None:
    there, elsewhere = LocalAddresses("127.0.0.2"), LocalAddresses("::1")
    async with trial.serve() as place:
        async with trial.client(place, local_addresses=there) as tester:
            got = await tester.client.get("/")
            (connection,) = tester.runtime._connections
            with socket.socket(fileno=socket.dup(connection.fd)) as sock:  # type: ignore[attr-defined]  # all have one
                address = sock.getsockname()[0]
        async with trial.client(place, local_addresses=elsewhere) as tester:
            failed = await tester.client.get("/")

    assert (got.text, address) == ("hello", "127.0.0.2")
    assert failed.error == (
        "dial: unknown errno 99 error with msg `cannot assign requested address`"
    )


class Names(trio.abc.HostnameResolver):
    """Knows a host with an address where nobody is, and another."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def getaddrinfo(self, host: object, port: object, *_: object, **__: object) -> Any:
        if host not in {b"shop.test", "shop.test"}:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        addresses = [("127.0.0.3", self.port), ("127.0.0.1", self.port)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]

    async def getnameinfo(self, *_: object) -> Any:
        raise NotImplementedError


@feature
async def names_with_several_addresses(trial: Trial) -> None:
    async with trial.serve() as place:
        trio.socket.set_custom_hostname_resolver(Names(place.port))
        url = place.url.replace("127.0.0.1", "shop.test")
        async with trial.client(place, base_url=url, dns=read_dns("select=first")) as tester:
            got = await tester.client.get("/")
            unknown = await tester.client.get(url.replace("shop", "other"))

    assert got.text == "hello"
    assert (unknown.error_code, unknown.error) == (1101, "lookup: no such host")


@feature
async def a_server_that_is_not_there(trial: Trial) -> None:
    async with trial.meet() as (place, tester):
        pass
    async with trial.client(place) as tester:
        got = await tester.client.get("/")

    assert (got.error_code, got.error) == (1212, "dial: connection refused")
    assert tester.rows[0][1:9] == (1, 0, 0, 0, 0, 0, 0, 0)


@feature
async def certificates_are_checked(trial: Trial) -> None:
    async with trial.serve() as place:
        async with trial.client(place, verify=True) as tester:
            unknown = await tester.client.get("/")
        hosts = HostTable({"other.test": "127.0.0.1"})
        async with trial.client(place, hosts=hosts) as tester:
            other = await tester.client.get(place.url.replace("127.0.0.1", "other.test"))

    assert (unknown.error_code, unknown.error) == (1310, "x509: unknown authority")
    assert (other.error_code, other.error) == (1311, "x509: certificate doesn't match hostname")


@feature
async def no_check_of_certificates(trial: Trial) -> None:
    hosts = HostTable({"other.test": "127.0.0.1"})
    async with trial.meet(verify=False, hosts=hosts) as (place, tester):
        got = await tester.client.get(place.url.replace("127.0.0.1", "other.test"))

    assert (got.text, got.error) == ("hello", "")


@asynccontextmanager
async def forwarding(listener: trio.SocketListener, port: int) -> AsyncIterator[list[bytes]]:
    """Lead whoever connects to `port`; one that sends CONNECT is answered first."""
    heads: list[bytes] = []

    async def copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await target.send_all(data)

    async def lead(client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", port)
        first = await client.receive_some()
        if first.startswith(b"CONNECT"):
            heads.append(first)
            await client.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            await server.send_all(first)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(copy, client, server)
            await copy(server, client)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, lead, [listener])
        yield heads
        nursery.cancel_scope.cancel()


@feature
async def a_proxy(trial: Trial) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxies = Proxies(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", {}, SECRETS)
    async with (
        trial.meet(proxies=proxies) as (place, tester),
        forwarding(listener, port=place.port) as heads,
    ):
        got = await tester.client.get("/")

    assert (got.text, got.error) == ("hello", "")
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")


@feature
async def a_socket_in_the_file_system(trial: Trial) -> None:
    path = trial.folder / "sock"
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    async with trial.serve() as place, forwarding(trio.SocketListener(sock), port=place.port):
        hosts = HostTable({"shop.test": f"unix:{path}"})
        url = place.url.replace("127.0.0.1", "shop.test")
        async with trial.client(place, hosts=hosts, base_url=url) as tester:
            got = await tester.client.get("/")

    assert (got.text, got.error) == ("hello", "")


@feature
async def another_version_from_now_on(trial: Trial) -> None:
    async with trial.meet() as (_, tester):
        tester.client.http_versions = "1.1"
        tester.client.http_versions = VERSIONS[trial.version]
        got = await tester.client.get("/")

    assert got.http_version == PROTOS[trial.version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_works_over_each_version_or_is_told(
    tmp_path: Path, name: str, version: str
) -> None:
    if version == "h2c" and name in WITHOUT_TLS:
        pytest.skip("there is no TLS")
    if (version, name) in TOLD:
        options, words = TOLD[version, name]
        with pytest.raises(OptionError, match=words):
            ClientOptions(http_versions=VERSIONS[version], base_url="https://shop.test", **options)
        return
    trio.run(partial(FEATURES[name], Trial(version, tmp_path, [])))
