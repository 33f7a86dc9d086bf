"""Digest authentication: RFC 7616, and requests that are sent again with the answer."""

import re

import pytest

from pytest_k6api.protocols.http import DigestAuth
from pytest_k6api.protocols.http.message import request as request_module
from tests.protocols.http.serving import OK, Peer, a_tester, replying, serving
from tests.virtual_time import in_real_time

CHALLENGE = 'Digest realm="r", qop="auth", nonce="abc", opaque="xyz", algorithm=MD5'
REFUSED = (
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %b\r\nContent-Length: 2\r\n\r\nno"
    % CHALLENGE.encode()
)
# RFC 7616, section 3.9.1.
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_standard_are_answered(
    algorithm: str, response: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_module, "token_hex", lambda _size: CNONCE)
    auth = DigestAuth("Mufasa", "Circle of Life")

    is_known = auth.learn(
        [
            'Basic realm="else"',
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
            f' nonce="{NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        ]
    )

    assert is_known
    assert auth.answer("GET", "/dir/index.html", b"") == (
        'Digest username="Mufasa", realm="http-auth@example.org",'
        f' nonce="{NONCE}", uri="/dir/index.html", response="{response}",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",'
        f' algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{CNONCE}"'
    )


def test_what_servers_offer_else_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "token_hex", lambda _size: "0a4f113b")
    # RFC 2617's example, without the qop of RFC 2069's.
    old = DigestAuth("Mufasa", "Circle Of Life")
    assert old.learn(['Digest realm="testrealm@host.com", nonce="dcd98b"'])
    session = DigestAuth('quo"te', "p")
    assert session.learn(['digest realm="r", nonce=n, algorithm=md5-sess, qop="auth-int"'])

    answer = old.answer("GET", "/dir/index.html", b"")
    with_body = session.answer("POST", "/", b"body")
    without = session.answer("POST", "/", b"")

    assert answer is not None
    assert re.fullmatch(
        r'Digest username="Mufasa", realm="testrealm@host\.com", nonce="dcd98b",'
        r' uri="/dir/index\.html", response="[0-9a-f]{32}"',
        answer,
    )
    assert with_body is not None
    assert without is not None
    assert with_body.startswith('Digest username="quo\\"te", ')
    assert "algorithm=md5-sess, qop=auth-int, nc=00000001" in with_body
    assert "nc=00000002" in without


@pytest.mark.parametrize(
    "challenges",
    [[], ['Basic realm="r"'], ['Digest realm="r"'], ['Digest nonce="n", algorithm=CRC32'], ["Digest"]],
)  # fmt: skip
def test_what_is_no_challenge_of_ours_is_left_alone(challenges: list[str]) -> None:
    auth = DigestAuth("u", "p")

    assert not auth.learn(challenges)
    assert auth.answer("GET", "/", b"") is None
    assert repr(auth) == "DigestAuth(username='u')"


@pytest.mark.sockets
@in_real_time
async def test_a_challenge_is_answered_once_and_no_failure() -> None:
    async with replying(REFUSED, OK) as server, a_tester(base_url=server.url) as tester:
        auth = DigestAuth("u", "p")
        first = await tester.client.post("/a?b=c", json={"x": 1}, auth=auth)
        second = await tester.client.get("/", auth=auth, max_redirects=0)

    assert (first.status_code, second.status_code) == (200, 200)
    assert [each.status_code for each in first.history] == [401]
    assert b"Authorization" not in server.heads[0]
    assert b'uri="/a?b=c"' in server.heads[1]
    assert b"nc=00000001" in server.heads[1]
    assert b"nc=00000002" in server.heads[2]
    assert server.bodies == [b'{"x":1}', b'{"x":1}', b""]
    assert [(tester.tags(index)["status"], tester.rows[index][1]) for index in range(3)] == [
        ("401", 0), ("200", 0), ("200", 0),
    ]  # fmt: skip


@pytest.mark.sockets
@in_real_time
async def test_an_answer_that_is_refused_is_a_failure() -> None:
    async with replying(REFUSED) as server, a_tester() as tester:
        tester.client.auth = DigestAuth("u", "wrong")
        response = await tester.client.get(server.url)
        async with tester.client.stream("GET", server.url) as streamed:
            pass

    assert (response.status_code, streamed.status_code) == (401, 401)
    # The stream brings an answer along, which is refused; then it answers anew.
    assert [row[1] for row in tester.rows] == [0, 1, 0, 1]
    assert len(server.heads) == 4


@pytest.mark.sockets
@in_real_time
async def test_a_challenge_without_an_answer_is_the_last_word() -> None:
    plain = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n'

    async def chunks():
        yield b"x"

    async with replying(plain) as server, a_tester() as tester:
        response = await tester.client.get(server.url, auth=DigestAuth("u", "p"))
    async with replying(REFUSED) as server, a_tester() as uploading:
        upload = await uploading.client.post(
            server.url, content=chunks(), auth=DigestAuth("u", "p")
        )

    assert (response.status_code, len(tester.rows)) == (401, 1)
    assert (upload.status_code, uploading.rows[0][1]) == (401, 1)


@pytest.mark.sockets
@in_real_time
async def test_another_origin_does_not_see_an_answer() -> None:
    async def elsewhere(peer: Peer) -> None:
        other.heads.append(await peer.head())
        await peer.send(OK)

    async with serving(elsewhere) as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n"
        async with replying(REFUSED, moved.encode()) as server, a_tester() as tester:
            response = await tester.client.get(server.url, auth=DigestAuth("u", "p"))

    assert response.status_code == 200
    assert b"Authorization" not in other.heads[0]
