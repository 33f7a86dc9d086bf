import pytest

from pytest_k6api.api.server.access_control import AccessControl

OPEN = AccessControl([], None)
LOCKED = AccessControl([], "s3cret")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:6565",
        "LocalHost:1",
        "localhost.:6565",
        "127.0.0.1:6565",
        "[::1]:6565",
        "10.1.2.3",
        "loadgen:6565",
    ],
)
def test_localhost_addresses_and_the_own_name_are_let_in(host: str) -> None:
    assert AccessControl(["loadgen"], None).refusal("GET", {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:6565",
        "",
        "localhost:x",
        "user@localhost",
        "[::1",
        "a/b",
    ],
)
def test_any_other_host_may_be_a_rebound_name_and_is_refused(host: str) -> None:
    refusal = OPEN.refusal("GET", {"host": host})

    assert refusal is not None
    assert (refusal.status, refusal.title) == (403, "Host refused")


def test_http_1_0_has_no_host() -> None:
    assert OPEN.refusal("GET", {}) is None


def test_who_knows_the_token_may_use_any_name() -> None:
    headers = {"host": "loadgen.internal:6565", "authorization": "Bearer s3cret"}

    assert LOCKED.refusal("GET", headers) is None


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic s3cret",
        "s3cret",
        "Bearer s3cretx",
        "Bearer é",
    ],
)
def test_a_missing_or_wrong_token_is_refused_without_a_hint(authorization: str | None) -> None:
    headers = {"host": "localhost"}
    if authorization is not None:
        headers["authorization"] = authorization

    refusal = LOCKED.refusal("GET", headers)

    assert refusal is not None
    assert refusal.status == 401
    assert "s3cret" not in refusal.detail


def test_the_scheme_of_the_token_is_read_in_any_case() -> None:
    assert LOCKED.refusal("GET", {"authorization": "bearer s3cret"}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://localhost:6565"},
        {"origin": "http://localhost:8080"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    refusal = OPEN.refusal("GET", {"host": "localhost:6565", **headers})

    assert refusal is not None
    assert (refusal.status, refusal.title) == (403, "Origin refused")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:6565"},
        {"origin": "HTTP://LOCALHOST:6565"},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_the_apis_own_pages_and_links_to_it_are_let_in(headers: dict[str, str]) -> None:
    assert OPEN.refusal("GET", {"host": "localhost:6565", **headers}) is None


def test_a_form_of_another_site_is_no_link() -> None:
    headers = {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert OPEN.refusal("POST", headers) is not None
