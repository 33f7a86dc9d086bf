"""Requests on the real loopback, with servers that behave."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import (
    URL,
    BasicAuth,
    BearerAuth,
    Client,
    HTTPStatusError,
    Request,
    SyncClient,
)
from pytest_k6api.protocols.http.message import Timings
from tests.protocols.http.serving import OK, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


def lines(head: bytes) -> list[str]:
    return head.decode().removesuffix("\r\n\r\n").split("\r\n")


@in_real_time
async def test_a_get_sends_what_k6_sends_and_records_one_row() -> None:
    async with replying(OK) as server, a_tester() as tester:
        response = await tester.client.get(f"{server.url}/a?b=c")

    assert lines(server.heads[0]) == [
        "GET /a?b=c HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"User-Agent: {tester.runtime.options.user_agent}",
    ]
    assert (response.status_code, response.content, response.text) == (200, b"ok", "ok")
    (row,) = tester.rows
    assert tester.tags() == {
        "method": "GET",
        "name": f"{server.url}/a?b=c",
        "url": f"{server.url}/a?b=c",
        "status": "200",
        "proto": "HTTP/1.1",
        "expected_response": "true",
    }
    _, failed, duration, blocked, connecting, tls, sending, waiting, receiving, _ = row
    assert (failed, tls) == (0, 0)
    assert duration == sending + waiting + receiving
    assert blocked >= connecting > 0
    assert tester.recorder.bytes_sent == len(server.heads[0])
    assert tester.recorder.bytes_received == len(OK)


@in_real_time
async def test_a_connection_is_kept_and_then_costs_no_time() -> None:
    async with replying(OK) as server, a_tester(base_url=server.url) as tester:
        for _ in range(3):
            await tester.client.get("/")

    assert server.connections == 1
    assert [row[3:6] for row in tester.rows[1:]] == [(0, 0, 0), (0, 0, 0)]
    assert len({row[0] for row in tester.rows}) == 1


@in_real_time
async def test_a_response_tells_what_httpx_tells() -> None:
    reply = (
        b"HTTP/1.1 201 Made it\r\nContent-Type: application/json; charset=latin-1\r\n"
        b'Content-Length: 8\r\nX: 1\r\nX: 2\r\nSet-Cookie: id=7; Path=/\r\n\r\n{"a": 1}'
    )
    async with replying(reply) as server, a_tester() as tester:
        response = await tester.client.post(f"{server.url}/new", json={"b": 2})

    assert response.json() == {"a": 1}
    assert (response.reason_phrase, response.http_version) == ("Made it", "HTTP/1.1")
    assert (response.is_success, response.is_error, response.is_redirect) == (True, False, False)
    assert (response.error, response.error_code) == ("", 0)
    assert response.headers["x"] == "1, 2"
    assert response.cookies["id"] == "7"
    assert response.encoding == "iso8859-1"
    response.encoding = "utf-8"
    assert response.encoding == "utf-8"
    assert response.url == f"{server.url}/new"
    assert response.elapsed.total_seconds() > 0
    assert response.num_bytes_downloaded == len(reply)
    assert response.raise_for_status() is response
    assert response.history == ()
    request = response.request
    assert (request.method, request.url, request.content) == ("POST", response.url, b'{"b":2}')
    assert request.headers["content-type"] == "application/json"
    assert isinstance(request.url, URL)
    assert repr(request) == f"<Request POST {server.url}/new>"
    assert repr(response).startswith(f"<Response [201 Made it] POST {server.url}/new, ")


@in_real_time
async def test_timings_are_milliseconds_that_add_up() -> None:
    async def slow(peer: Peer) -> None:
        await peer.head()
        await trio.sleep(0.03)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await trio.sleep(0.02)
        await peer.send(b"ok")

    async with serving(slow) as server, a_tester() as tester:
        timings = (await tester.client.get(server.url)).timings

    assert isinstance(timings, Timings)
    assert 30 <= timings.waiting < 500
    assert 19 <= timings.receiving < 500
    assert timings.tls_handshaking == 0
    total = timings.sending + timings.waiting + timings.receiving
    assert timings.duration == pytest.approx(total)


@pytest.mark.parametrize("method", ["post", "put", "patch"])
@in_real_time
async def test_methods_that_carry_a_body_say_when_it_is_empty(method: str) -> None:
    async with replying(OK) as server, a_tester() as tester:
        await getattr(tester.client, method)(server.url)

    assert lines(server.heads[0])[-1] == "Content-Length: 0"
    assert tester.tags()["method"] == method.upper()


@pytest.mark.parametrize("method", ["get", "delete", "options", "head"])
@in_real_time
async def test_other_methods_send_no_length(method: str) -> None:
    reply = OK if method != "head" else OK.removesuffix(b"ok")
    async with replying(reply) as server, a_tester() as tester:
        for _ in range(2):
            response = await getattr(tester.client, method)(server.url)
            assert response.status_code == 200

    assert server.connections == 1
    assert b"Content-Length" not in server.heads[0]


@in_real_time
async def test_headers_of_a_request_replace_the_clients() -> None:
    async with replying(OK) as server, a_tester() as tester:
        client = tester.client
        client.headers["X-Own"] = "1"
        client.headers["X-Kept"] = "2"
        await client.get(server.url, headers={"x-own": "3", "Host": "other"})
        await client.get(server.url)
        client.headers = {"Host": "mine"}
        await client.get(server.url)
        await client.get(server.url)

    agent = f"User-Agent: {tester.runtime.options.user_agent}"
    assert lines(server.heads[0]) == [
        "GET / HTTP/1.1",
        agent,
        "X-Kept: 2",
        "x-own: 3",
        "Host: other",
    ]
    assert lines(server.heads[1])[2:] == [agent, "X-Own: 1", "X-Kept: 2"]
    assert lines(server.heads[2]) == lines(server.heads[3]) == ["GET / HTTP/1.1", "Host: mine"]


@in_real_time
async def test_a_bodys_type_and_length_are_set_unless_the_user_did() -> None:
    async with replying(OK) as server, a_tester() as tester:
        post = tester.client.post
        await post(server.url, json=[1])
        await post(server.url, json=[1], headers={"Content-Type": "x/y", "Content-Length": "3"})

    assert lines(server.heads[0])[-2:] == ["Content-Length: 3", "Content-Type: application/json"]
    assert lines(server.heads[1])[-2:] == ["Content-Type: x/y", "Content-Length: 3"]
    assert server.bodies == [b"[1]", b"[1]"]


async def chunks() -> AsyncIterator[bytes | str]:
    yield b"abc"
    await trio.lowlevel.checkpoint()
    yield ""
    yield "dü"


def plain_chunks() -> Iterator[bytes]:
    yield b"abc"
    yield "dü".encode()


@pytest.mark.parametrize("produce", [chunks, plain_chunks])
@in_real_time
async def test_an_iterator_is_sent_in_chunks(produce: Any) -> None:
    async with replying(OK) as server, a_tester() as tester:
        response = await tester.client.post(server.url, content=produce())
        sized = {"Content-Length": "6"}
        await tester.client.post(server.url, content=produce(), headers=sized)

    assert lines(server.heads[0])[-1] == "Transfer-Encoding: chunked"
    assert server.bodies == [b"3\r\nabc\r\n3\r\nd\xc3\xbc\r\n0\r\n\r\n", b"abcd\xc3\xbc"]
    assert response.request.content == b""
    assert tester.recorder.bytes_sent == sum(map(len, server.heads + server.bodies))


@in_real_time
async def test_a_large_body_is_sent_whole() -> None:
    body = bytes(range(256)) * 20_000
    async with replying(OK) as server, a_tester() as tester:
        response = await tester.client.put(server.url, content=body)

    assert response.status_code == 200
    assert server.bodies == [body]
    assert tester.recorder.bytes_sent == len(server.heads[0]) + len(body)


@pytest.mark.parametrize("size", [0, 1, 65_000, 1_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
@in_real_time
async def test_a_body_of_any_size_and_framing_is_received_whole(size: int, framing: str) -> None:
    body = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
    head = b"HTTP/1.1 200 OK\r\n"
    if framing == "length":
        reply = b"%bContent-Length: %d\r\n\r\n%b" % (head, size, body)
    elif framing == "chunked":
        pieces = [body[i : i + 7000] for i in range(0, size, 7000)]
        data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        reply = b"%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (head, data)
    else:
        reply = b"%b\r\n%b" % (head, body)
    async with replying(reply, close=framing == "end") as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.get(server.url)
            assert (response.status_code, response.error) == (200, "")
            assert response.content == body

    assert server.connections == (2 if framing == "end" else 1)
    assert tester.recorder.bytes_received == 2 * len(reply)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Upgrade\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    ],
)
@in_real_time
async def test_the_connection_is_kept_after(reply: bytes) -> None:
    async with replying(reply) as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.get(server.url)

    assert response.status_code in (200, 204, 304)
    assert response.error == ""
    assert server.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 404 No\r\nconnection: x, CLOSE\r\nContent-Length: 2\r\n\r\nok",
        OK + b"more than was announced",
        OK + OK,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
@in_real_time
async def test_the_connection_is_not_used_again_after(reply: bytes) -> None:
    async with replying(reply) as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.get(server.url)
            assert response.status_code > 0
            assert response.error == ""

    assert server.connections == 2


@pytest.mark.parametrize("size", [1, 3])
@in_real_time
async def test_a_response_that_trickles_is_put_together(size: int) -> None:
    reply = b"HTTP/1.1 100 Continue\r\n\r\n" + OK

    async def trickle(peer: Peer) -> None:
        while await peer.head():
            for index in range(0, len(reply), size):
                await peer.send(reply[index : index + size])
                await trio.sleep(0.001)

    async with serving(trickle) as server, a_tester() as tester:
        for _ in range(2):
            response = await tester.client.get(server.url)
            assert response.content == b"ok"

    assert response.headers == {"content-length": "2"}
    assert server.connections == 1


@in_real_time
async def test_an_old_version_is_tagged() -> None:
    async with replying(b"HTTP/1.0 200 OK\r\n\r\nhi", close=True) as server, a_tester() as tester:
        response = await tester.client.get(server.url)

    assert (response.text, response.http_version) == ("hi", "HTTP/1.0")
    assert tester.tags()["proto"] == "HTTP/1.0"


@in_real_time
async def test_cookies_are_kept_and_sent_back() -> None:
    login = b"HTTP/1.1 200 OK\r\nSET-COOKIE: id=7\r\nContent-Length: 0\r\n\r\n"
    async with replying(login, OK) as server, a_tester() as tester:
        await tester.client.get(server.url)
        await tester.client.get(server.url, cookies={"more": "1"})
        await tester.client.get(server.url)
        tester.client.cookies.clear()
        await tester.client.get(server.url)

    sent = [line for head in server.heads for line in lines(head) if line.startswith("Cookie")]
    assert sent == ["Cookie: id=7; more=1", "Cookie: id=7"]


def sign(request: Request) -> None:
    request.headers["X-Signature"] = f"{request.method} {request.url.path} {request.content!r}"


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        (("user", "pa:ß"), "Authorization: Basic dXNlcjpwYTrDnw=="),
        (BasicAuth("user", "p"), "Authorization: Basic dXNlcjpw"),
        (BearerAuth("token"), "Authorization: Bearer token"),
        (sign, "X-Signature: GET /x b''"),
    ],
)
@in_real_time
async def test_requests_are_signed(auth: Any, field: str) -> None:
    async with replying(OK) as server, a_tester(base_url=server.url) as tester:
        await tester.client.get("/x", auth=auth)
        tester.client.auth = auth
        await tester.client.get("/x")
        await tester.client.get("/x", auth=None)
        await tester.client.get(f"http://user:p@127.0.0.1:{server.port}/", auth=None)

    assert [lines(head)[-1] for head in server.heads[:2]] == [field, field]
    assert len(lines(server.heads[2])) == 3
    assert lines(server.heads[3])[-1] == "Authorization: Basic dXNlcjpw"
    assert tester.tags()["name"] == f"http://****:****@127.0.0.1:{server.port}/"


@in_real_time
async def test_names_and_tags_are_on_the_samples() -> None:
    async with replying(OK) as server, a_tester(base_url=server.url) as tester:
        for number in range(2):
            await tester.client.get(f"/items/{number}", name="item")
        await tester.client.get("/items/2", tags={"name": "item", "kind": "x"})
        tester.recorder.context = tester.recorder.context.enter_group("outer")
        await tester.client.get("/")

    assert tester.rows[0][0] == tester.rows[1][0]
    assert (tester.tags(0)["name"], tester.tags(0)["url"]) == ("item", "item")
    assert tester.tags(2) == {**tester.tags(0), "kind": "x"}
    assert tester.table[tester.rows[3][0]]["group"] == "::outer"


@in_real_time
async def test_who_judges_a_status() -> None:
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with replying(missing) as server, a_tester() as tester:
        client = tester.client
        await client.get(server.url)
        await client.get(server.url, expected_statuses={200, 404})
        await client.get(server.url, expected_statuses=None)
        client.expected_statuses = [range(200, 300), 404]
        assert client.expected_statuses == frozenset([*range(200, 300), 404])
        await client.get(server.url)
        client.expected_statuses = None
        await client.get(server.url)
        response = await client.get(server.url, expected_statuses=200)

    assert [row[1] for row in tester.rows] == [1, 0, None, 0, None, 1]
    assert tester.tags(0)["expected_response"] == "false"
    assert tester.tags(1)["expected_response"] == "true"
    assert "expected_response" not in tester.tags(2)
    assert tester.tags(0)["error_code"] == "1404"
    assert (response.error, response.error_code) == ("", 1404)
    assert response.is_client_error
    with pytest.raises(HTTPStatusError, match="404 Not Found") as caught:
        response.raise_for_status()
    assert caught.value.response is response
    assert caught.value.request.method == "GET"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expected_statuses": "2xx"}, "expected_statuses takes a status, a range, a collection"),
        ({"timeout": 0}, "timeout is a number of seconds above 0, got 0"),
        ({"auth": 5}, "auth takes"),
        ({"headers": {"X": "a\r\nb"}}, "may not contain line ends"),
    ],
)
@in_real_time
async def test_an_option_that_makes_no_sense_is_a_clear_error(options: Any, message: str) -> None:
    async with a_tester() as tester:
        with pytest.raises(OptionError, match=message):
            await tester.client.get("http://127.0.0.1:1/", **options)

    assert tester.rows == []


@in_real_time
async def test_an_unknown_option_or_method_is_refused() -> None:
    async with a_tester() as tester:
        with pytest.raises(TypeError, match="a request takes no colour; it takes auth, content"):
            await tester.client.get("http://127.0.0.1:1/", colour=1)  # type: ignore[call-arg]
        with pytest.raises(OptionError, match=r"got 'GET X'; write 'GET', say"):
            await tester.client.request("GET X", "http://127.0.0.1:1/")
        with pytest.raises(OptionError, match="cannot request '/' without a base URL"):
            await tester.client.get("/")


@in_real_time
async def test_throw_raises_for_a_bad_status() -> None:
    broken = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    async with replying(broken) as server, a_tester() as tester:
        with pytest.raises(HTTPStatusError, match="500 Internal Server Error"):
            await tester.client.get(server.url, throw=True)

    assert len(tester.rows) == 1


@in_real_time
async def test_a_batch_runs_at_once_on_six_connections_and_keeps_the_order() -> None:
    async def echo_path(peer: Peer) -> None:
        while head := await peer.head():
            path = head.split()[1]
            await trio.sleep(0.01)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with serving(echo_path) as server, a_tester(base_url=server.url) as tester:
        requests: list[Any] = [f"/{n}" for n in range(10)]
        requests += [("POST", "/p"), ("GET", "/n", {"name": "named"})]
        for _ in range(2):
            responses = await tester.client.batch(requests)

    assert [r.text for r in responses] == [f"/{n}" for n in range(10)] + ["/p", "/n"]
    assert server.connections == 6
    assert len(tester.rows) == 24
    assert tester.client.last_response in responses


@in_real_time
async def test_a_batch_ends_with_its_first_mistake() -> None:
    async with replying(OK) as server, a_tester(base_url=server.url) as tester:
        with pytest.raises(OptionError, match="a batch takes URLs"):
            await tester.client.batch([("GET", "/", {}, 5)])  # type: ignore[list-item]
        with pytest.raises(OptionError, match="timeout is"):
            await tester.client.batch(["/", ("GET", "/", {"timeout": -1})])


@in_real_time
async def test_a_thread_uses_the_same_client_without_await() -> None:
    def scenario(client: SyncClient) -> None:
        client.base_url = server.url
        client.headers["X-Own"] = "1"
        client.headers = client.headers.copy()
        client.auth = BearerAuth("t")
        client.expected_statuses = range(200, 300)
        assert client.get("/").text == "ok"
        for method in ("post", "put", "patch", "delete", "options"):
            assert getattr(client, method)("/", name="n").status_code == 200
        assert len(client.batch(["/", "/"])) == 2
        assert client.last_response is not None
        assert (client.base_url, client.auth) == (server.url, BearerAuth("t"))
        assert client.expected_statuses == range(200, 300)
        assert client.cert is None
        with pytest.raises(OptionError, match="no-such-file"):
            client.cert = "no-such-file"
        assert not client.cookies

    async with replying(OK) as server, a_tester() as tester:
        await trio.to_thread.run_sync(scenario, SyncClient(tester.client))

    assert len(tester.rows) == 8
    assert b"X-Own: 1" in server.heads[0]


@in_real_time
async def test_a_thread_asks_for_a_head_too() -> None:
    async with replying(OK.removesuffix(b"ok")) as server, a_tester() as tester:
        client = SyncClient(tester.client)
        response = await trio.to_thread.run_sync(client.head, server.url)

    assert response.content == b""
    assert repr(client).startswith("<SyncClient of <Client of any server")


@in_real_time
async def test_virtual_users_share_what_is_the_same_and_nothing_else() -> None:
    async with replying(OK) as server, a_tester(base_url=server.url) as tester:
        other = Client(tester.runtime, tester.recorder)
        await tester.client.get("/")
        await other.get("/")
        other.headers["X"] = "1"
        other.cookies["c"] = "1"
        await tester.client.get("/")
        other.close()

    assert server.connections == 2
    assert server.heads[0] == server.heads[1] == server.heads[2]


@in_real_time
async def test_exchanges_can_be_logged_with_secrets_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="pytest_k6api.protocols.http")
    failing = (
        b"HTTP/1.1 400 Bad\r\nSet-Cookie: s=secret\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
    )
    async with replying(OK, failing) as server, a_tester(http_debug="failed") as tester:
        await tester.client.get(server.url)
        await tester.client.post(server.url, auth=BearerAuth("secret"), json={"a": 1})

    (record,) = caplog.records
    text = record.getMessage()
    assert "secret" not in text
    assert text.startswith(f"> POST {server.url}\n> Host: ")
    assert '\n> Authorization: ****\n{"a":1}\n< 400 Bad after ' in text
    assert "\n< Set-Cookie: ****\n" in text
    assert text.endswith("x" * 2000 + "… (3,000 bytes)")


@in_real_time
async def test_compressed_bodies_are_decoded(tmp_path: Path) -> None:
    import gzip

    body = gzip.compress(json.dumps({"a": 1}).encode())
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
    async with replying(reply) as server, a_tester() as tester:
        response = await tester.client.get(server.url, headers={"Accept-Encoding": "gzip"})

    assert response.json() == {"a": 1}
    assert response.num_bytes_downloaded == len(reply)
