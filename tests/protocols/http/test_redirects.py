import pytest

from pytest_k6api.protocols.http import BearerAuth
from tests.protocols.http.serving import OK, Peer, Server, a_tester, replying, serving
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


def redirecting(status: int, location: str) -> bytes:
    head = f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


def request_lines(server: Server) -> list[str]:
    return [head.decode().partition(" HTTP/")[0] for head in server.heads]


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("GET", 301, "GET"),
        ("PUT", 301, "GET"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("PUT", 302, "GET"),
        ("PATCH", 302, "GET"),
        ("DELETE", 302, "GET"),
        ("OPTIONS", 302, "GET"),
        ("POST", 303, "GET"),
        ("DELETE", 303, "GET"),
        ("POST", 307, "POST"),
        ("PUT", 308, "PUT"),
        ("DELETE", 308, "DELETE"),
    ],
)
@in_real_time
async def test_a_redirect_is_followed_as_k6_does(method: str, status: int, then: str) -> None:
    async with replying(redirecting(status, "../b?x=1"), OK) as server, a_tester() as tester:
        url = f"{server.url}/a/c"
        response = await tester.client.request(
            method, url, json={"a": 1}, params={"p": 1}, headers={"Content-Type": "x/y"}
        )

    assert request_lines(server) == [f"{method} /a/c?p=1", f"{then} /b?x=1"]
    assert server.bodies[1] == (b"" if then == "GET" else b'{"a":1}')
    assert (b"x/y" in server.heads[1]) == bool(server.bodies[1])
    assert response.url == f"{server.url}/b?x=1"
    assert [old.status_code for old in response.history] == [status]
    assert len(tester.rows) == 2
    assert (tester.tags(0)["status"], tester.tags(1)["status"]) == (str(status), "200")
    assert response.history[0].has_redirect_location


@pytest.mark.parametrize(
    ("location", "error", "code", "url"),
    [
        ("mailto:ann@shop.test", 'unsupported protocol scheme "mailto"', 1000, None),
        ("com.shop.app:/cb?code=x", 'unsupported protocol scheme "com.shop.app"', 1000, None),
        ("http://", "http: no Host in request URL", 1000, None),
        ("http://a..b/", "lookup: no such host", 1101, None),
        ("http://127.0.0.1:70000/", "dial: invalid port", 1210, None),
        ("http://[::bad/", "failed to parse Location header: invalid character in host name", 1000, ""),
        ("http://h:x/", "failed to parse Location header: invalid port after host", 1000, ""),
        ("/a\tb", "failed to parse Location header: invalid control character in URL", 1000, ""),
        (
            "shop,test:80/x",
            "failed to parse Location header: first path segment in URL cannot contain colon",
            1000,
            "",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("has_base", [True, False], ids=["base", "no base"])
@in_real_time
async def test_a_redirect_that_leads_nowhere_is_a_failed_response_as_in_k6(
    location: str, error: str, code: int, url: str | None, has_base: bool
) -> None:
    async with replying(redirecting(302, location), OK) as server, a_tester() as tester:
        tester.client.base_url = server.url if has_base else ""
        response = await tester.client.get("/start" if has_base else f"{server.url}/start")

    assert request_lines(server) == ["GET /start"]
    assert (response.status_code, response.error, response.error_code) == (0, error, code)
    assert response.url == (location if url is None else f"{server.url}/start")
    assert [old.status_code for old in response.history] == [302]
    assert [tester.tags(index)["status"] for index in (0, 1)] == ["302", "0"]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"?x", "/a/b?x"),
        (b"c?", "/a/c?"),
        (b"./../c/.", "/c/"),
        (b"///c", "///c"),
        (b"/http://h/", "/http://h/"),
        ("/ä ö".encode(), "/%C3%A4%20%C3%B6"),
        (b"/\xe4", "/%E4"),
        (b"/%zz", "/%zz"),
    ],
)
@in_real_time
async def test_a_location_is_resolved_and_sent_as_it_was_written(
    location: bytes, path: str
) -> None:
    reply = b"HTTP/1.1 302 Go\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    async with replying(reply, OK) as server, a_tester() as tester:
        await tester.client.get(f"{server.url}/a/b")

    assert request_lines(server) == ["GET /a/b", f"GET {path}"]


@in_real_time
async def test_a_head_stays_a_head() -> None:
    reply = OK.removesuffix(b"ok")
    async with replying(redirecting(303, "/b"), reply) as server, a_tester() as tester:
        response = await tester.client.head(server.url)

    assert request_lines(server) == ["HEAD /", "HEAD /b"]
    assert response.status_code == 200


@in_real_time
async def test_redirects_end_at_the_limit_with_the_last_response_as_in_k6() -> None:
    async with (
        replying(redirecting(302, "/loop")) as server,
        a_tester(max_redirects=3) as tester,
    ):
        response = await tester.client.get(server.url)
        shorter = await tester.client.get(server.url, max_redirects=1)
        none = await tester.client.get(server.url, follow_redirects=False)

    assert (response.status_code, len(response.history)) == (302, 3)
    assert (shorter.status_code, len(shorter.history)) == (302, 1)
    assert (none.status_code, len(none.history)) == (302, 0)
    assert len(tester.rows) == 4 + 2 + 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nLocation: /x\r\n\r\n",
    ],
)
@in_real_time
async def test_without_a_location_there_is_nothing_to_follow(reply: bytes) -> None:
    async with replying(reply) as server, a_tester() as tester:
        response = await tester.client.get(server.url)

    assert response.is_redirect
    assert response.history == ()


@in_real_time
async def test_credentials_do_not_go_to_another_server_nor_back() -> None:
    async with replying(OK) as last, a_tester() as tester:
        secret = {"Authorization": "own", "Cookie": "own=1", "X-Harmless": "1"}
        tester.client.headers["Authorization"] = "client's"
        async with (
            replying(redirecting(307, f"{last.url}/end")) as middle,
            replying(redirecting(307, f"{middle.url}/x")) as first,
        ):
            await tester.client.get(first.url, headers=secret, cookies={"c": "1"})
            await tester.client.get(first.url, auth=BearerAuth("token"))

    assert all(b"uthorization" in head for head in first.heads)
    for head in middle.heads + last.heads:
        assert b"uthorization" not in head
        assert b"Cookie" not in head
    assert b"X-Harmless: 1" in last.heads[0]


@in_real_time
async def test_credentials_stay_on_the_same_server() -> None:
    async with replying(redirecting(302, "/b"), OK) as server, a_tester() as tester:
        await tester.client.get(server.url, auth=("u", "p"), name="login")

    assert b"Authorization: Basic" in server.heads[1]
    assert tester.tags(1)["name"] == "login"


@in_real_time
async def test_cookies_set_by_a_redirect_go_with_the_next_request() -> None:
    reply = b"HTTP/1.1 302 Go\r\nLocation: /b\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
    async with replying(reply, OK) as server, a_tester() as tester:
        await tester.client.get(server.url)

    assert b"Cookie: a=1" in server.heads[1]


@in_real_time
async def test_a_location_beyond_ascii_is_utf8() -> None:
    async with replying(redirecting(302, "/ü"), OK) as server, a_tester() as tester:
        response = await tester.client.get(f"{server.url}/#top")

    assert request_lines(server)[1] == "GET /%C3%BC"
    assert response.url == f"{server.url}/%C3%BC#top"


@in_real_time
async def test_a_body_that_is_gone_is_not_sent_again() -> None:
    async with replying(redirecting(307, "/b")) as server, a_tester() as tester:
        response = await tester.client.post(server.url, content=iter([b"x"]))

    assert response.status_code == 307
    assert len(server.heads) == 1


@in_real_time
async def test_the_timeout_covers_all_hops() -> None:
    async def slow(peer: Peer) -> None:
        import trio

        while await peer.head():
            await trio.sleep(0.06)
            await peer.send(redirecting(302, "/again"))

    async with serving(slow) as server, a_tester() as tester:
        response = await tester.client.get(server.url, timeout=0.2)

    assert response.error_code == 1050
    assert 1 <= len(response.history) <= 4
