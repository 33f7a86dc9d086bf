"""The live page: who gets it, what it asks for, and how it shows the token."""

import http.client
import json
import re
from collections.abc import Iterator

import pytest

from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.wire import served

PAUSE = '{"data":{"type":"status","id":"default","attributes":{"paused":true}}}'


class Client:
    """Sends requests with headers of its own, and keeps the cookies that it gets."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookie = ""

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent["Cookie"] = f"other=1; {self.cookie}"
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return (
            response.status,
            {key.lower(): value for key, value in response.getheaders()},
            content,
        )

    def sign_in(self, token: str) -> int:
        status, headers, _ = self.ask("POST", "/v1/login", json.dumps({"token": token}))
        self.cookie = headers.get("set-cookie", "").partition(";")[0]
        return status


@pytest.fixture
def load_test() -> FakeLoadTest:
    return FakeLoadTest()


@pytest.fixture
def client(load_test: FakeLoadTest) -> Iterator[Client]:
    with served(FakeSession(load_test)) as address:
        yield Client(address)


@pytest.fixture
def guarded(load_test: FakeLoadTest) -> Iterator[Client]:
    with served(FakeSession(load_test), token="s3cret") as address:
        yield Client(address)


def test_a_browser_gets_the_page_and_other_clients_ok(client: Client) -> None:
    status, headers, page = client.ask("GET", "/", Accept="text/html,*/*")

    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<!doctype html>" in page
    assert client.ask("GET", "/", Accept="*/*")[2] == b"ok"
    assert client.ask("POST", "/", Accept="text/html")[2] == b"ok"


def test_the_page_may_run_its_own_script_and_ask_its_own_server_alone(client: Client) -> None:
    _, headers, page = client.ask("GET", "/", Accept="text/html")

    policy = headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; img-src data:; connect-src 'self'; script-src 'sha"
    )
    assert "unsafe" not in policy
    assert policy.endswith("frame-ancestors 'none'")
    assert re.findall(rb'(?:src|href)="([^"]*)"', page) == [b"data:,", b"/v1/"]


def test_what_the_page_shows_is_there_for_each_load_test(
    client: Client, load_test: FakeLoadTest
) -> None:
    load_test.shown = {"name": "test_shop", "requests": []}

    _, headers, report = client.ask("GET", "/v1/tests/t1/report")

    assert headers["cache-control"] == "no-store"
    assert json.loads(report)["data"] == {"name": "test_shop", "requests": []}


@pytest.mark.parametrize("since", ["-1", "0", "x", "1.5", "99999999999", "%D9%A1"])
def test_seconds_that_cannot_be_read_are_refused(client: Client, since: str) -> None:
    status, _, body = client.ask("GET", f"/v1/timeline?since={since}")

    assert status == 400
    assert b"since is a number from 1 to 1000000000" in body


def test_with_a_token_the_page_is_there_and_what_it_asks_for_is_not(guarded: Client) -> None:
    assert guarded.ask("GET", "/", Accept="text/html")[0] == 200
    assert guarded.ask("GET", "/")[0] == 401
    assert guarded.ask("GET", "/v1/tests")[0] == 401
    assert guarded.ask("GET", "/v1/", Accept="text/html")[0] == 401


def test_the_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(guarded: Client) -> None:
    _, headers, _ = guarded.ask("POST", "/v1/login", '{"token":"s3cret"}')

    cookie = headers["set-cookie"]
    assert re.fullmatch(r"k6api_\w{8}=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict", cookie)
    assert "s3cret" not in cookie


def test_the_cookie_lets_the_page_read_and_with_its_header_command(
    guarded: Client, load_test: FakeLoadTest
) -> None:
    assert guarded.sign_in("s3cret") == 200

    assert guarded.ask("GET", "/v1/tests")[0] == 200
    assert guarded.ask("PATCH", "/v1/status", PAUSE)[0] == 401
    assert not load_test.paused
    assert guarded.ask("PATCH", "/v1/status", PAUSE, X_K6_Page="1")[0] == 200
    assert load_test.paused


def test_a_page_of_another_site_cannot_use_the_cookie(
    guarded: Client, load_test: FakeLoadTest
) -> None:
    guarded.sign_in("s3cret")

    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "null"},
    ):
        assert guarded.ask("PATCH", "/v1/status", PAUSE, X_K6_Page="1", **headers)[0] == 403
        assert guarded.ask("POST", "/v1/login", '{"token":"s3cret"}', **headers)[0] == 403
    assert not load_test.paused


@pytest.mark.parametrize("token", ["", "wrong", "s3cre", "s3cret ü"])
def test_a_wrong_token_gets_no_cookie(guarded: Client, token: str) -> None:
    assert guarded.sign_in(token) == 401
    assert guarded.cookie == ""
    assert guarded.ask("GET", "/v1/tests")[0] == 401


def test_the_cookie_of_one_server_does_not_open_another(guarded: Client) -> None:
    guarded.sign_in("s3cret")

    with served(FakeSession(FakeLoadTest()), token="s3cret") as address:
        other = Client(address)
        other.cookie = guarded.cookie
        assert other.ask("GET", "/v1/tests")[0] == 401


def test_without_a_token_there_is_nothing_to_sign_in_to(client: Client) -> None:
    assert client.sign_in("anything") == 200
    assert client.cookie == ""
