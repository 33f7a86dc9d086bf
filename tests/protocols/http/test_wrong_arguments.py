"""What a test got wrong is an `OptionError` before anything is sent, and shows no value of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import URL
from tests.protocols.http.serving import OK, a_tester, replying
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": "secret"}, "headers takes a mapping, or pairs of name and value, got str"),
        ({"headers": 5}, "headers takes a mapping, or pairs of name and value, got int"),
        ({"headers": [("A", "secret", "c")]}, "headers takes a mapping, or pairs"),
        ({"headers": {"A": ["secret"]}}, "the header 'A' takes text, got list"),
        ({"headers": {5: "secret"}}, "cannot send a header named 5; use letters"),
        ({"headers": {"A": "secret\n"}}, "got '\\n' at character 7 of 7; use strip()"),
        ({"headers": {"A": "secret€"}}, "a header takes latin-1 characters, got '€'"),
        ({"cookies": "secret"}, "cookies takes a mapping, or pairs of name and value, got str"),
        ({"cookies": {"a": ["secret"]}}, "a name and a value that are text, got str and list"),
        ({"cookies": {"a": "secret;"}}, "cannot send the cookie 'a' with its value, which is not"),
        ({"params": 5}, "a query or form takes a mapping, or pairs of name and value, got int"),
        ({"params": ["secret"]}, "a query or form takes a mapping, or pairs"),
        ({"data": 5}, "a body is bytes, text, an iterator of them or a mapping, got int"),
        (
            {"data": "secret", "files": {}},
            "data= beside files= is a mapping of form fields, got str",
        ),
        ({"files": 5}, "files takes a mapping, or pairs of name and value, got int"),
        ({"files": {"a": 5}}, "cannot upload int as the file 'a'; give bytes"),
        ({"auth": ("ann", "secret", "x")}, "auth takes (user, password), BasicAuth"),
        ({"auth": "secret"}, "a function of the request, got str"),
        ({"tags": "secret"}, "tags takes a mapping, or pairs of name and value, got str"),
        ({"timeout": "5"}, "timeout is a number of seconds above 0, got '5'"),
        ({"timeout": float("nan")}, "timeout is a number of seconds above 0, got nan"),
        ({"max_redirects": -1}, "max_redirects is a whole number, 0 or more, got -1"),
        ({"expected_statuses": 4.5}, "expected_statuses takes a status, a range, a collection"),
    ],
)
@in_real_time
async def test_an_option_that_cannot_be_used_is_refused(
    options: Mapping[str, Any], message: str
) -> None:
    async with replying(OK) as server, a_tester() as tester:
        with pytest.raises(OptionError) as caught:
            await tester.client.post(server.url, **options)

    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert server.heads == []
    assert len(tester.rows) == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, 'a URL is text, got None; write one, such as "/" for the base URL'),
        (5, "a URL is text, got int; write str(url)"),
        (b"http://h/", "a URL is text, got bytes; write str(url)"),
    ],
)
@in_real_time
async def test_a_url_that_is_no_text_is_refused(url: Any, message: str) -> None:
    async with a_tester() as tester:
        with pytest.raises(OptionError) as caught:
            await tester.client.get(url)

    assert str(caught.value) == message


@in_real_time
async def test_an_option_with_a_misspelt_name_is_refused_with_the_name_that_is_near() -> None:
    options: Any = {"header": {"a": "b"}, "timeuot": 3, "zzz": 1}
    async with a_tester() as tester:
        with pytest.raises(TypeError) as caught:
            await tester.client.get("http://127.0.0.1:1/", **options)

    assert str(caught.value).startswith(
        "a request takes no header (did you mean headers?), timeuot (did you mean timeout?), zzz;"
        " it takes auth, content, cookies,"
    )


@in_real_time
async def test_an_option_of_another_client_is_refused_with_what_is_written_here() -> None:
    options: Any = {"stream": True, "allow_redirects": False}
    async with a_tester() as tester:
        with pytest.raises(TypeError) as caught:
            await tester.client.get("http://127.0.0.1:1/", **options)

    assert str(caught.value).startswith(
        "a request takes no allow_redirects (write follow_redirects=), stream (write async with"
        " vu.http.stream(method, url) as response:); it takes auth,"
    )


@pytest.mark.parametrize("method", [None, "", "GET X", "GÄT", "GET\r\nX"])
@in_real_time
async def test_a_method_that_is_no_token_is_refused(method: Any) -> None:
    async with a_tester() as tester:
        with pytest.raises(OptionError, match="an HTTP method is made of letters, digits"):
            await tester.client.request(method, "http://h/")


@pytest.mark.parametrize("requests", [5, [5], [("GET",)], [("GET", "/?token=secret", {}, 1)]])
@in_real_time
async def test_a_batch_of_something_else_is_refused(requests: Any) -> None:
    async with a_tester() as tester:
        with pytest.raises(OptionError, match="a batch takes") as caught:
            await tester.client.batch(requests)

    assert "secret" not in str(caught.value)


@in_real_time
async def test_bytes_numbers_and_halves_of_characters_are_sent_as_they_can_be() -> None:
    async with replying(OK) as server, a_tester() as tester:
        options: dict[str, Any] = {
            "headers": {b"X-Bytes": b"\xe4", "X-Number": 5},
            "cookies": {"a": 1},
            "params": {"half": "\ud83d", "bytes": b"\xff"},
        }
        await tester.client.post(URL(server.url), content="\ud83d", **options)

    head = server.heads[0]
    assert head.startswith(b"POST /?half=%EF%BF%BD&bytes=%FF HTTP/1.1\r\n")
    assert b"\r\nX-Bytes: \xe4\r\nX-Number: 5\r\n" in head
    assert b"\r\nCookie: a=1\r\n" in head
    assert server.bodies == ["\ufffd".encode()]
