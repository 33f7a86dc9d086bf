import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import URL
from pytest_k6api.protocols.http.message import (
    InvalidURL,
    Target,
    add_params,
    encode_form,
    join_base,
    resolve_location,
)


@pytest.mark.parametrize(
    ("text", "host", "port", "authority", "path"),
    [
        ("http://Example.com", "example.com", 80, "example.com", "/"),
        ("http://example.com:80/a", "example.com", 80, "example.com", "/a"),
        ("https://example.com/a?b=c#d", "example.com", 443, "example.com", "/a?b=c"),
        ("https://example.com:80", "example.com", 80, "example.com:80", "/"),
        ("http://[::1]:8000/x", "::1", 8000, "[::1]:8000", "/x"),
        ("http://[fe80::1%25lo]/", "fe80::1%lo", 80, "[fe80::1]", "/"),
        ("http://[fe80::1%lo]:8000/", "fe80::1%lo", 8000, "[fe80::1]:8000", "/"),
        ("http://h:0/", "h", 0, "h:0", "/"),
        ("http://h:/", "h", 80, "h", "/"),
        ("http://h:08000/", "h", 8000, "h:8000", "/"),
        ("http://h.", "h.", 80, "h.", "/"),
        ("http://h?", "h", 80, "h", "/?"),
        ("http://h/?#", "h", 80, "h", "/?"),
        ("http://faß.example/", "xn--fa-hia.example", 80, "xn--fa-hia.example", "/"),
        ("http://h/\ud83d", "h", 80, "h", "/%EF%BF%BD"),
        ("http://bücher.example/ü?q=ß", "xn--bcher-kva.example", 80, "xn--bcher-kva.example",
         "/%C3%BC?q=%C3%9F"),
        ("http://h/a b?c=d e&f=%20", "h", 80, "h", "/a%20b?c=d%20e&f=%20"),
        ("http://h?q", "h", 80, "h", "/?q"),
    ],
)  # fmt: skip
def test_a_url_becomes_the_parts_of_a_request(
    text: str, host: str, port: int, authority: str, path: str
) -> None:
    target = Target(text)

    assert (target.host, target.port, target.authority, target.path) == (
        host,
        port,
        authority,
        path,
    )


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("foo://x/", 'unsupported protocol scheme "foo"', 1000),
        ("http://", "http: no Host in request URL", 1000),
        ("http://[::1/", "invalid URL: invalid character in host name", 1020),
        ("http://a b/", "invalid URL: invalid character in host name", 1020),
        ("http://{host}/", "invalid URL: invalid character in host name", 1020),
        ("http://shop.test\\@h/", "invalid URL: invalid character in host name", 1020),
        ("http://ann:p/w@h/", "invalid URL: invalid port after host", 1020),
        ("http://h:²/", "invalid URL: invalid port after host", 1020),
        ("http://h/a\nb", "invalid URL: invalid control character in URL", 1020),
        ("http://[fe80::1%]/", "invalid URL: invalid zone of an IPv6 address", 1020),
        ("http://h:99999/", "dial: invalid port", 1210),
        (f"http://h:{'9' * 5000}/", "dial: invalid port", 1210),
        ("http://.example/", "lookup: no such host", 1101),
        ("http://a..b/", "lookup: no such host", 1101),
        (f"http://{'a' * 64}.example/", "lookup: no such host", 1101),
        (f"http://{'a.' * 130}example/", "lookup: no such host", 1101),
        ("http://☃.example/", "lookup: no such host", 1101),
        ("http://[::zz]/", "lookup: no such host", 1101),
    ],
)
def test_what_cannot_be_requested_is_refused_with_k6s_code(
    text: str, message: str, code: int
) -> None:
    with pytest.raises(InvalidURL) as caught:
        Target(text)

    assert (str(caught.value), caught.value.code) == (message, code)


@given(st.text())
def test_a_whole_url_of_any_text_is_a_target_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidURL):
        Target(text)
    for url in (URL(text), URL("http://h/a?b#c").join(text)):
        parts = (url.scheme, url.host, url.port, url.path, url.query, url.fragment)
        assert len(parts) == 6
    assert Target.broken(text).url == text


@given(st.binary().map(lambda data: data.decode("latin-1")))
def test_any_location_is_resolved_or_refused(location: str) -> None:
    with contextlib.suppress(InvalidURL):
        Target(resolve_location(URL("http://h/a?b#c"), location))


@given(st.text(st.characters(exclude_characters="/?#\\")))
def test_a_password_is_in_no_text_of_a_url(password: str) -> None:
    text = f"http://ann:{password}MARK@shop.test:x/"

    with pytest.raises(InvalidURL) as caught:
        Target(text)

    assert "MARK" not in str(caught.value) + repr(URL(text)) + Target.broken(text).name


@pytest.mark.parametrize("host", ["shop.test", "shop test"])
def test_a_password_of_any_length_is_masked(host: str) -> None:
    text = f"http://ann:{'secret' * 2000}@{host}/"

    name = Target.broken(text).name

    assert "secret" not in name


@given(st.text())
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = Target("http://host/" + text)
    except InvalidURL:
        return

    assert target.path.isascii()
    assert not set(" \r\n\t") & set(target.path)


def test_credentials_are_read_and_masked() -> None:
    target = Target("http://us%40er:pa:ss@h/x")

    assert target.credentials == ("us@er", "pa:ss")
    assert target.name == "http://****:****@h/x"
    assert target.url == "http://us%40er:pa:ss@h/x"


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("http://h", "/a", "http://h/a"),
        ("http://h/", "/a", "http://h/a"),
        ("http://h/api", "/a", "http://h/api/a"),
        ("http://h/api/", "a?b", "http://h/api/a?b"),
        ("http://h/api", "", "http://h/api"),
        ("http://h/api", "?q=1", "http://h/api?q=1"),
        ("http://h", "https://other/x", "https://other/x"),
        ("", "http://h/x", "http://h/x"),
        ("http://h", "/http://other/", "http://h/http://other/"),
        ("http://h", "/https://other/", "http://h/https://other/"),
        ("http://h", "items:cancel", "http://h/items:cancel"),
    ],
)
def test_a_relative_url_is_put_below_the_base(base: str, url: str, joined: str) -> None:
    assert join_base(base, url) == joined


def test_a_relative_url_without_a_base_says_what_to_write() -> None:
    with pytest.raises(OptionError) as caught:
        join_base("", "/items")

    assert str(caught.value) == (
        "cannot request '/items' without a base URL; write the whole URL, or give base_url= to"
        " the scenario or --k6-base-url on the command line"
    )


def test_params_are_appended_to_the_query_before_the_fragment() -> None:
    params: dict[str, Any] = {"a": 1, "b": [True, None], "c": "ü &"}

    assert add_params("http://h/x?y=z#f", params) == ("http://h/x?y=z&a=1&b=true&b=&c=%C3%BC+%26#f")
    assert add_params("/x", "?a=b") == "/x?a=b"
    assert add_params("/x", b"a=b") == "/x?a=b"
    assert add_params("/x", {}) == "/x"


def test_forms_take_pairs_in_order() -> None:
    assert encode_form([("b", "2"), ("a", 1.5), ("b", "x y")]) == "b=2&a=1.5&b=x+y"


def test_a_url_is_text_with_parts() -> None:
    url = URL("https://u:p@Example.com:8443/a%20b?q=1#top")

    assert url == "https://u:p@Example.com:8443/a%20b?q=1#top"
    assert (url.scheme, url.host, url.port) == ("https", "example.com", 8443)
    assert (url.path, url.query, url.fragment) == ("/a b", b"q=1", "top")
    assert url.join("/c") == "https://u:p@Example.com:8443/c"
    assert URL("http://h").port is None
    assert repr(URL("http://h/")) == "URL('http://h/')"
    assert type(Target("http://h/").name) is str
