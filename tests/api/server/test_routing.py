"""Requests find their endpoints by the rules of k6's server, which are Go's."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api.server.app import clean_path
from pytest_k6api.metrics import MetricSnapshot
from pytest_k6api.model import Contains, MetricKind
from tests.api.fake import FakeLoadTest, FakeSession
from tests.api.wire import exchange, served, status_of

pytestmark = pytest.mark.sockets

OK = b"ok"
UNKNOWN = b"404 page not found\n"
COUNTER = MetricSnapshot(
    id="",
    name="http_reqs",
    kind=MetricKind.COUNTER,
    contains=Contains.DEFAULT,
    sample={"count": 1.0},
    extra={},
    samples=1,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(FakeSession()) as address:
        yield address


def ask(address: str, method: str, target: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    reply = exchange(address, ("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    head, _, body = reply.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return status_of(reply), fields, body


@pytest.mark.parametrize(
    ("method", "target", "status", "allowed"),
    [
        ("GET", "/v1/status", 200, None),
        ("GET", "/v1/statu%73?x=1", 200, None),
        ("GET", "http://localhost/v1/status", 200, None),
        ("GET", "/v1/", 200, None),
        ("HEAD", "/v1/status", 405, "GET, PATCH"),
        ("OPTIONS", "/v1/status", 405, "GET, PATCH"),
        ("POST", "/v1/metrics/nope", 405, "GET"),
        ("GET", "/v1/%zz", 400, None),
        ("GET", "http://[", 400, None),
    ],
)
def test_paths_and_methods_are_judged_as_gos_server_judges_them(
    address: str, method: str, target: str, status: int, allowed: str | None
) -> None:
    found, headers, _ = ask(address, method, target)

    assert (found, headers.get("allow")) == (status, allowed)


@pytest.mark.parametrize(
    ("target", "metric_id"),
    [
        ("/v1/metrics/a%7Bb%3Ac%2F%2Fd%7D", "a{b:c//d}"),
        ("/v1/metrics/a/b/", "a/b/"),
        ("/v1/metrics/a+b%2541", "a+b%41"),
        ("/v1/metrics/%C3%BC%FF", "\u00fc\ufffd"),
    ],
)
def test_the_id_of_a_metric_is_all_the_rest_of_the_path(target: str, metric_id: str) -> None:
    load_test = FakeLoadTest()
    load_test.metrics[metric_id] = replace(COUNTER, id=metric_id)

    with served(FakeSession(load_test)) as address:
        status, _, body = ask(address, "GET", target)

    assert (status, json.loads(body)["data"]["id"]) == (200, metric_id)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/status/", UNKNOWN),
        ("/v1/status/x", UNKNOWN),
        ("/v1/STATUS", UNKNOWN),
        ("/v1/groups/a/b", UNKNOWN),
        ("/v1%2Fstatus", OK),
        ("/ping", OK),
    ],
)
def test_what_is_not_there_is_not_found_below_v1_and_ok_elsewhere(
    address: str, target: str, body: bytes
) -> None:
    status, _, found = ask(address, "GET", target)

    assert (status, found) == (404 if body is UNKNOWN else 200, body)


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/v1", "/v1/"),
        ("//v1//status?x=//", "/v1/status?x=//"),
        ("/v1/../v1/./status", "/v1/status"),
        ("/v1/metrics//", "/v1/metrics/"),
    ],
)
def test_a_path_that_is_not_clean_is_redirected(address: str, target: str, location: str) -> None:
    status, headers, _ = ask(address, "GET", target)

    assert (status, headers["location"]) == (301, location)


@pytest.mark.parametrize("target", ["/v1/metrics/", "/v1/groups/"])
def test_an_empty_id_is_the_id_of_nothing(address: str, target: str) -> None:
    status, _, body = ask(address, "GET", target)

    assert status == 404
    assert json.loads(body)["errors"][0]["title"] == "Not Found"


def test_any_method_is_fine_outside_of_the_api(address: str) -> None:
    for method in ("DELETE", "OPTIONS", "FOO"):
        assert ask(address, method, "/ping")[2] == OK
    assert ask(address, "OPTIONS", "*")[2] == OK


def test_a_browser_that_asks_for_the_root_gets_the_page(address: str) -> None:
    browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    status, headers, body = ask(address, "GET", "/", browser)

    assert (status, headers["vary"]) == (200, "Accept")
    assert body.startswith(b"<!doctype html>")
    assert ask(address, "GET", "/ping", browser)[2] == OK


def test_other_clients_that_ask_for_the_root_get_k6s_answer(address: str) -> None:
    for accepted in ((), ("Accept: */*",)):
        assert ask(address, "GET", "/", *accepted)[2] == OK


@given(st.text("/.a"))
def test_a_clean_path_is_clean_already(path: str) -> None:
    clean = clean_path(path)

    assert clean_path(clean) == clean
    assert clean.startswith("/")
    assert "//" not in clean
