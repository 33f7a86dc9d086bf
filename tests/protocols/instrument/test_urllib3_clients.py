import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trustme

from pytest_k6api.model import current_recorder
from pytest_k6api.protocols.http import HTTP_ROWS, Client, HttpRuntime
from pytest_k6api.protocols.instrument import instrument
from tests.protocols.http.serving import OK, Harness, Peer, replying, serving
from tests.virtual_time import in_real_time

requests = pytest.importorskip("requests")
urllib3 = pytest.importorskip("urllib3")

pytestmark = pytest.mark.sockets

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\nok"

Call = Callable[..., Any]


@pytest.fixture
def rows() -> Iterator[Harness]:
    """Be a virtual user that stands in a group, as far as recording goes."""
    harness = Harness(HttpRuntime())
    token = current_recorder.set(harness.recorder)
    yield harness
    current_recorder.reset(token)


def session_of_requests(**options: Any) -> Any:
    session = instrument(requests.Session(), **options)
    session.trust_env = False
    return session


def manager_of_urllib3(**options: Any) -> Any:
    return instrument(urllib3.PoolManager(retries=False), **options)


@pytest.fixture(params=[session_of_requests, manager_of_urllib3], ids=["requests", "urllib3"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


async def get(client: Any, url: str, method: str = "GET", **options: Any) -> Any:
    return await trio.to_thread.run_sync(
        lambda: client.request(method, url, **options), abandon_on_cancel=True
    )


@in_real_time
async def test_a_request_leaves_the_row_that_ours_would(make: Call, rows: Harness) -> None:
    client = make()
    async with replying(OK) as server:
        await get(client, f"{server.url}/cart?token=17")
        await get(client, f"{server.url}/cart?token=17")

    assert len(rows.rows) == 2
    assert rows.tags() == {
        "method": "GET",
        "url": f"{server.url}/cart?token=****",
        "name": f"{server.url}/cart?token=****",
        "status": "200",
        "proto": "HTTP/1.1",
        "expected_response": "true",
    }
    assert server.connections == 1
    assert rows.recorder.bytes_sent == sum(map(len, server.heads))
    assert rows.recorder.bytes_received == 2 * len(OK)


@in_real_time
async def test_phases_tell_connecting_waiting_and_receiving_apart(
    make: Call, rows: Harness
) -> None:
    async def handler(peer: Peer) -> None:
        while await peer.head():
            await trio.sleep(0.1)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            await trio.sleep(0.05)
            await peer.send(b"k")

    client = make()
    async with serving(handler) as server:
        await get(client, server.url)
        await get(client, server.url)

    _, failed, duration, blocked, connecting, tls, sending, waiting, receiving, _ = rows.rows[0]
    assert failed == 0
    assert 0 < connecting <= blocked
    assert tls == 0
    # A busy machine reads late what came in time: it moves from one phase to the next.
    assert duration == sending + waiting + receiving >= 149_000
    assert waiting >= 50_000
    assert receiving >= 25_000
    assert rows.rows[1][4] == 0  # a connection used again


@pytest.mark.parametrize("reply", [OK, CHUNKED, UNTIL_CLOSED])
@in_real_time
async def test_bodies_of_every_framing_are_counted_to_their_end(
    make: Call, rows: Harness, reply: bytes
) -> None:
    client = make()
    async with replying(reply, close=True) as server:
        await get(client, server.url)

    assert [row[1] for row in rows.rows] == [0]
    assert rows.recorder.bytes_received == len(reply)


@in_real_time
async def test_every_hop_of_a_redirect_is_a_request(rows: Harness) -> None:
    client = session_of_requests()
    async with replying(MOVED, OK) as server:
        await get(client, f"{server.url}/here")

    assert [(rows.tags(i)["status"], rows.tags(i)["name"]) for i in (0, 1)] == [
        ("302", f"{server.url}/here"),
        ("200", f"{server.url}/there"),
    ]


@in_real_time
async def test_every_attempt_is_a_request(rows: Harness) -> None:
    retries = urllib3.Retry(2, status_forcelist=[503], backoff_factor=0)
    client = instrument(urllib3.PoolManager(retries=retries))
    async with replying(BUSY, BUSY, OK) as server:
        response = await get(client, server.url)

    assert response.status == 200
    assert [rows.tags(index)["status"] for index in range(3)] == ["503", "503", "200"]


@in_real_time
async def test_a_function_names_requests(make: Call, rows: Harness) -> None:
    client = make(name=lambda method, url: f"{method} {url.rpartition('/')[0][-4:]}/{{id}}")
    async with replying(OK) as server:
        await get(client, f"{server.url}/cart/17")

    assert rows.tags()["name"] == "GET cart/{id}"


@in_real_time
async def test_the_virtual_user_says_which_statuses_are_no_failure(
    make: Call, rows: Harness
) -> None:
    client = Client(HttpRuntime(), rows.recorder)
    client.expected_statuses = None
    strict, lenient = make(), make(vu=SimpleNamespace(http=client))
    async with replying(NOT_FOUND) as server:
        await get(strict, server.url)
        await get(lenient, server.url)

    assert [row[1] for row in rows.rows] == [1, None]


@in_real_time
async def test_a_check_can_accept_the_failed_response_of_a_session(rows: Harness) -> None:
    session = session_of_requests()
    async with replying(NOT_FOUND) as server:
        response = await get(session, server.url)

    assert rows.recorder.failed is response


@in_real_time
async def test_a_refused_connection_is_a_row_with_our_error_and_an_exception_of_theirs(
    make: Call, rows: Harness
) -> None:
    client = make()
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"

    with pytest.raises((requests.ConnectionError, urllib3.exceptions.NewConnectionError)):
        await get(client, url)

    assert rows.rows[0][1:9] == (1, 0, 0, 0, 0, 0, 0, 0)
    assert (rows.tags()["error"], rows.tags()["error_code"]) == (
        "dial: connection refused",
        "1212",
    )


async def hang_up(peer: Peer) -> None:
    await peer.head()


async def hang_up_midway(peer: Peer) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")


async def hang_up_between_chunks(peer: Peer) -> None:
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")


async def reset(peer: Peer) -> None:
    await peer.head()
    await peer.reset()


async def talk_nonsense(peer: Peer) -> None:
    await peer.head()
    await peer.send(b"nonsense\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "code", "text"),
    [
        (hang_up, "1000", "EOF"),
        (hang_up_midway, "1000", "unexpected EOF"),
        (hang_up_between_chunks, "1000", "unexpected EOF"),
        (reset, "1220", "read: connection reset by peer"),
        (talk_nonsense, "1000", "BadStatusLine"),
    ],
)
@in_real_time
async def test_a_broken_answer_is_told_in_our_words(
    make: Call, rows: Harness, handler: Any, code: str, text: str
) -> None:
    client = make()
    async with serving(handler) as server:
        with pytest.raises((requests.RequestException, urllib3.exceptions.HTTPError)):
            await get(client, server.url)

    assert len(rows.rows) == 1
    assert (rows.tags()["error_code"], rows.tags()["error"]) == (code, text)


@in_real_time
async def test_a_late_answer_is_a_timeout(make: Call, rows: Harness) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await trio.sleep(5)

    client = make()
    async with serving(handler) as server:
        with pytest.raises((requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
            await get(client, server.url, timeout=0.1)

    assert (rows.tags()["error_code"], rows.tags()["error"]) == ("1050", "request timeout")
    assert rows.rows[0][7] >= 99_000  # it waited


@in_real_time
async def test_tls_has_a_phase_and_a_version(rows: Harness, tmp_path: Any) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    session = session_of_requests()
    session.verify = str(tmp_path / "ca.pem")

    async with replying(OK, context=server_side) as server:
        await get(session, server.url)

    assert rows.tags()["tls_version"] == "tls1.3"
    assert rows.rows[0][4] > 0
    assert rows.rows[0][5] > 0


@in_real_time
async def test_an_untrusted_authority_is_told_as_ours_is(rows: Harness) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server_side)
    session = session_of_requests()

    async def handler(peer: Peer) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await peer.head()

    async with serving(handler, server_side) as server:
        with pytest.raises(requests.exceptions.SSLError):
            await get(session, server.url)

    assert rows.tags()["error_code"] == "1310"


@in_real_time
async def test_a_streamed_body_counts_until_it_is_closed(rows: Harness) -> None:
    session = session_of_requests()
    async with replying(OK) as server:
        response = await get(session, server.url, stream=True)
        before = list(rows.rows)
        await trio.to_thread.run_sync(response.close)

    assert before == []
    assert [row[1] for row in rows.rows] == [0]


@in_real_time
async def test_requests_through_a_proxy_are_measured(rows: Harness) -> None:
    session = session_of_requests()
    async with replying(OK) as proxy:
        await get(session, "http://shop.invalid/cart", proxies={"http": proxy.url})

    assert proxy.heads[0].startswith(b"GET http://shop.invalid/cart HTTP/1.1\r\n")
    assert rows.tags()["name"] == "http://shop.invalid/cart"


@in_real_time
async def test_instrumenting_twice_measures_once(make: Call, rows: Harness) -> None:
    client = instrument(make(), name=lambda _method, _url: "anew")
    async with replying(OK) as server:
        await get(client, server.url)

    assert [rows.tags(index)["name"] for index in range(len(rows.rows))] == ["anew"]


@in_real_time
async def test_without_a_virtual_user_requests_pass_unmeasured(make: Call) -> None:
    client = make()
    async with replying(OK) as server:
        response = await get(client, server.url)

    assert response.headers["content-length"] == "2"


def test_an_adapter_without_connections_is_refused() -> None:
    class Canned(requests.adapters.BaseAdapter):  # type: ignore[name-defined]
        pass

    session = requests.Session()
    session.mount("mock://", Canned())

    with pytest.raises(TypeError, match=r"mounted at 'mock://', has no urllib3\.PoolManager"):
        instrument(session)
    assert type(session.adapters["https://"]) is requests.adapters.HTTPAdapter


def test_a_connection_of_the_standard_library_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a requests\.Session\(\), a urllib3\.PoolManager\(\)"):
        instrument(http.client.HTTPConnection("127.0.0.1"))


@pytest.mark.parametrize("kind", ["client", "resource"])
@in_real_time
async def test_clients_of_boto3_are_measured(rows: Harness, kind: str) -> None:
    boto3 = pytest.importorskip("boto3")
    async with replying(OK) as server:
        of_boto3 = getattr(boto3, kind)(
            "s3",
            endpoint_url=server.url,
            region_name="eu-west-1",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
        )
        client = instrument(of_boto3, name=lambda method, _url: f"s3 {method}")
        low = client if kind == "client" else client.meta.client
        body = await trio.to_thread.run_sync(
            lambda: low.get_object(Bucket="shop", Key="cart")["Body"].read()  # noqa: PLW0108
        )

    assert body == b"ok"
    assert [rows.tags(index)["name"] for index in range(len(rows.rows))] == ["s3 GET"]
    assert len(rows.recorder.buffer.rows[HTTP_ROWS]) == 1
