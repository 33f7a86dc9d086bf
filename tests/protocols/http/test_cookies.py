import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import Cookies, Headers
from pytest_k6api.protocols.http.message import Cookie, parse_set_cookie

NOW = 1_700_000_000.0


def parsed(header: str, host: str = "shop.example.com", path: str = "/a/b") -> Cookie | None:
    return parse_set_cookie(header, host, path, now=NOW)


def test_a_plain_cookie_belongs_to_its_host_and_folder() -> None:
    assert parsed("id=1") == Cookie(
        name="id", value="1", domain="shop.example.com", is_host_only=True, path="/a"
    )


def test_attributes_are_read_in_any_case_and_the_last_one_counts() -> None:
    header = "id=a=b; PATH=/x; path=/y; Secure; HttpOnly; SameSite=Lax; DOMAIN=.Example.com"

    assert parsed(header) == Cookie(
        name="id",
        value="a=b",
        domain="example.com",
        is_host_only=False,
        path="/y",
        is_secure=True,
    )


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("Max-Age=10", NOW + 10),
        ("Max-Age=0", 0.0),
        ("Max-Age=-5", 0.0),
        ("Max-Age=soon", None),
        ("Expires=Wed, 21 Oct 2015 07:28:00 GMT", 1445412480.0),
        ("Expires=Wed, 21-Oct-2015 07:28:00 GMT", 1445412480.0),
        ("Expires=never", None),
        ("Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=10", NOW + 10),
    ],
)
def test_expiry(attributes: str, expires: float | None) -> None:
    cookie = parsed(f"id=1; {attributes}")

    assert cookie is not None
    assert cookie.expires == expires


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("=1", "h"),
        ("novalue", "h"),
        ("a=1; Domain=other.com", "shop.example.com"),
        ("a=1; Domain=sub.shop.example.com", "shop.example.com"),
        ("a=1; Domain=0.0.1", "127.0.0.1"),
        ("a=\x01", "h"),
    ],
)
def test_what_the_standard_ignores_is_ignored(header: str, host: str) -> None:
    assert parsed(header, host) is None


@pytest.mark.parametrize(
    ("host", "path", "is_tls", "expected"),
    [
        ("example.com", "/shop", False, True),
        ("www.example.com", "/shop/cart", False, True),
        ("example.com", "/shopping", False, False),
        ("example.com", "/", False, False),
        ("badexample.com", "/shop", False, False),
    ],
)
def test_a_cookie_goes_to_its_domain_and_path(
    host: str, path: str, is_tls: bool, expected: bool
) -> None:
    cookie = Cookie(name="a", value="1", domain="example.com", is_host_only=False, path="/shop")

    assert cookie.matches(host, path, is_tls=is_tls) is expected


def test_a_secure_cookie_goes_over_tls_only() -> None:
    cookie = Cookie(name="a", value="1", is_secure=True)

    assert not cookie.matches("h", "/", is_tls=False)
    assert cookie.matches("h", "/", is_tls=True)


def test_the_header_has_the_longest_path_first_and_no_expired_cookie() -> None:
    cookies = Cookies({"everywhere": "1"})
    cookies.store("short=2; Path=/", "h", "/")
    cookies.store("long=3; Path=/a/b", "h", "/")
    cookies.store("old=4; Max-Age=0", "h", "/")

    assert cookies.header("h", "/a/b/c?q=/x", is_tls=False) == "long=3; everywhere=1; short=2"
    assert cookies.header("other", "/", is_tls=False) == "everywhere=1"


def test_a_server_deletes_its_cookie_by_letting_it_expire() -> None:
    cookies = Cookies()
    cookies.store("a=1", "h", "/")
    cookies.store("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "h", "/")

    assert not cookies


def test_the_jar_is_a_mapping() -> None:
    cookies = Cookies({"a": "1"})
    cookies.set("b", "2", domain="h", path="/x")
    cookies["a"] = "3"

    assert dict(cookies) == {"a": "3", "b": "2"}
    assert len(cookies) == 2
    assert len(cookies.jar()) == 2
    assert repr(Cookies(cookies)) == "<Cookies a=**** for */, b=**** for h/x>"

    del cookies["a"]
    cookies.delete("b", domain="other")
    assert dict(cookies) == {"b": "2"}
    with pytest.raises(KeyError):
        del cookies["a"]
    with pytest.raises(KeyError):
        cookies["a"]
    cookies.clear()
    assert not cookies


@pytest.mark.parametrize(("name", "value"), [("", "1"), ("a=b", "1"), ("a", "1;2"), ("a", "1\r\n")])
def test_a_cookie_that_would_break_the_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(OptionError, match="cannot send the cookie"):
        Cookies().set(name, value)


@given(st.binary().map(lambda data: data.decode("latin-1")), st.text())
def test_any_set_cookie_is_kept_or_ignored(value: str, attribute: str) -> None:
    cookies = Cookies()

    for text in (
        value,
        f"a={value}",
        f"a=b; Max-Age={value}",
        f"a=b; Expires={value}; {attribute}",
    ):
        cookies.store(text, "h", "/")

    Headers({"Cookie": cookies.header("h", "/", is_tls=True)})


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        (f"Max-Age={'9' * 400}", 999_999_999_999.0 + 1000),
        (f"Max-Age=-{'9' * 400}", 0.0),
        ("Max-Age=²", None),
        ("Expires=Thu, 01 Jan 1970 00:00:10", 10.0),
        ("Expires=Thu, 01 Jan 99999 00:00:10 GMT", None),
    ],
)
def test_an_expiry_that_no_calendar_has_does_not_raise(
    attributes: str, expires: float | None
) -> None:
    cookie = parse_set_cookie(f"a=b; {attributes}", "h", "/", now=1000.0)

    assert cookie is not None
    assert cookie.expires == expires


def test_a_cookies_value_is_in_no_representation() -> None:
    cookies = Cookies({"a": "secret"})

    with pytest.raises(OptionError) as caught:
        cookies.set("a", "secret\n")

    assert "secret" not in repr(cookies) + repr(cookies.jar()) + str(caught.value)
