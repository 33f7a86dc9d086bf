from dataclasses import dataclass, field
from typing import cast

from pytest_k6api.model import SECRETS, Secrets
from pytest_k6api.protocols.http import Headers, HttpRow, Request, Response
from pytest_k6api.protocols.http.client import describe_exchange


@dataclass
class FakeResponse:
    """What a report asks of a response."""

    request: Request
    status_code: int = 503
    reason_phrase: str = "Service Unavailable"
    error: str = ""
    error_code: int = 0
    headers: Headers = field(default_factory=lambda: Headers({"Content-Type": "text/plain"}))
    content: bytes = b"try again"
    # tags, failed, duration, blocked, connecting, tls, sending, waiting, receiving, ended
    row: HttpRow = (0, 1, 2350, 0, 0, 0, 100, 2000, 250, 0)
    secrets: Secrets = SECRETS


def _describe(response: FakeResponse) -> str:
    return describe_exchange(cast("Response", response))


def test_an_exchange_is_told_in_few_lines_and_without_secrets() -> None:
    request = Request(
        "GET",
        "https://shop.test/cart?token=abc&page=2",
        Headers({"Host": "shop.test", "Authorization": "Bearer abc", "X-Api-Key": "abc"}),
        b"password=abc",
    )

    assert _describe(FakeResponse(request)) == (
        "> GET https://shop.test/cart?token=****&page=2\n"
        "> Host: shop.test\n"
        "> Authorization: ****\n"
        "> X-Api-Key: ****\n"
        "< 503 Service Unavailable after 2.350 ms"
        " (blocked 0.000, sending 0.100, waiting 2.000, receiving 0.250)\n"
        "< Content-Type: text/plain\n"
        "try again"
    )


def test_a_request_without_response_tells_the_error() -> None:
    request = Request("GET", "http://127.0.0.1:9/", Headers())
    response = FakeResponse(
        request,
        status_code=0,
        error="dial: connection refused",
        error_code=1212,
        headers=Headers(),
        content=b"",
    )

    assert (
        _describe(response)
        .splitlines()[1]
        .startswith("< dial: connection refused (error code 1212) after 2.350")
    )


def test_a_long_body_is_cut() -> None:
    response = FakeResponse(Request("GET", "http://a/", Headers()), content=b"x" * 5000)

    assert _describe(response).splitlines()[-1] == "x" * 1000 + "… (5,000 bytes of text/plain)"


def test_a_head_of_very_many_fields_is_cut() -> None:
    headers = Headers([("X", str(number)) for number in range(5000)])
    response = FakeResponse(Request("GET", "http://a/", Headers()), headers=headers)

    lines = _describe(response).splitlines()

    assert lines[-3:] == ["< X: 199", "< …", "try again"]


def test_names_of_a_users_own_are_masked_and_urls_in_headers_too() -> None:
    request = Request("GET", "http://h/?tenant=abc", Headers({"Referer": "/?token=abc"}))
    headers = Headers({"Location": "http://a:abc@h/cb?code=abc#id_token=abc", "X-Shop-Id": "abc"})
    secrets = Secrets(["tenant", "X-Shop-*"])

    text = _describe(FakeResponse(request, headers=headers, secrets=secrets))

    assert "abc" not in text
    assert "< Location: http://****:****@h/cb?code=****#id_token=****\n" in text


def test_control_characters_of_a_header_are_shown_and_not_obeyed() -> None:
    headers = Headers.from_head(b"HTTP/1.1 200 OK\r\nX: \x1b[31m\r\n")

    text = _describe(FakeResponse(Request("GET", "http://h/", Headers()), headers=headers))

    assert "< X: \\x1b[31m\n" in text
