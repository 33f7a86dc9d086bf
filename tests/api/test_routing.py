import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.api.routing import (
    BadTarget,
    Decision,
    Match,
    Outside,
    Redirect,
    Router,
    Unknown,
    WrongMethod,
    absolute_host,
    clean_path,
)

ROUTER = Router(
    [
        ("GET", "/v1/status", "read"),
        ("PATCH", "/v1/status", "write"),
        ("GET", "/v1/metrics/{id...}", "metric"),
        ("GET", "/v1/groups/{id}", "group"),
        ("GET", "/v1/", "index"),
    ]
)


@pytest.mark.parametrize(
    ("method", "target", "decision"),
    [
        ("GET", "/v1/status", Match("read")),
        ("PATCH", "/v1/status?x=1", Match("write")),
        ("GET", "/v1/statu%73", Match("read")),
        ("GET", "http://localhost/v1/status", Match("read")),
        ("HEAD", "/v1/status", WrongMethod(("GET", "PATCH"))),
        ("POST", "/v1/metrics/nope", WrongMethod(("GET",))),
        ("GET", "/v1/metrics/a%7Bb%3Ac%2F%2Fd%7D", Match("metric", {"id": "a{b:c//d}"})),
        ("GET", "/v1/metrics/a{b:c, d:e}", Match("metric", {"id": "a{b:c, d:e}"})),
        ("GET", "/v1/metrics/a/b/", Match("metric", {"id": "a/b/"})),
        ("GET", "/v1/metrics/a+b%2541", Match("metric", {"id": "a+b%41"})),
        ("GET", "/v1/metrics/%C3%BC", Match("metric", {"id": "ü"})),
        ("GET", "/v1/metrics/", Match("metric", {"id": ""})),
        ("GET", "/v1/groups/", Match("group", {"id": ""})),
        ("GET", "/v1/groups/a/b", Unknown()),
        ("GET", "/v1/status/", Unknown()),
        ("GET", "/v1/STATUS", Unknown()),
        ("GET", "/v1", Redirect("/v1/")),
        ("GET", "/v1/", Match("index")),
        ("GET", "//v1//status?x=//", Redirect("/v1/status?x=//")),
        ("GET", "/v1/../v1/./status", Redirect("/v1/status")),
        ("GET", "/v1/metrics//", Redirect("/v1/metrics/")),
        ("GET", "/v1%2Fstatus", Outside()),
        ("DELETE", "/ping", Outside()),
        ("OPTIONS", "*", Outside()),
        ("GET", "/v1/%zz", BadTarget()),
        ("GET", "http://[", BadTarget()),
    ],
)
def test_requests_are_routed_as_gos_server_does(
    method: str, target: str, decision: Decision[str]
) -> None:
    assert ROUTER.decide(method, target) == decision


@given(st.text("/.a"))
def test_a_clean_path_is_clean_already(path: str) -> None:
    clean = clean_path(path)

    assert clean_path(clean) == clean
    assert clean.startswith("/")
    assert "//" not in clean


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_target_is_decided(method: str, target: str) -> None:
    ROUTER.decide(method, target)


def test_a_target_in_absolute_form_names_its_host() -> None:
    assert absolute_host("http://example.com:1/v1/status") == "example.com:1"
    assert absolute_host("/v1/metrics/http://x") is None
