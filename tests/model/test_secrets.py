import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model.secrets import SECRETS, Secrets


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization", "X-Auth-User", "X-Api-Key",
        "Api-Token", "X-Session-Id", "X-Amz-Signature", "access_token", "apiKey", "sig", "key",
        "auth", "code", "password", "client_secret", "user[password]", "PHPSESSID",
        "access%5Ftoken", "%74oken", "%2574oken",
    ],
)  # fmt: skip
def test_names_that_tell_of_a_secret_are_hidden(name):
    assert SECRETS.hides(name)


@pytest.mark.parametrize(
    "name",
    [
        "Content-Type", "Location", "author", "X-Author", "WWW-Authenticate", "monkey", "keyword",
        "design", "compass", "Access-Control-Allow-Credentials", "error_code", "page", "q", "id",
    ],
)  # fmt: skip
def test_ordinary_names_are_shown(name):
    assert not SECRETS.hides(name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ann:pw@shop.test/", "http://****:****@shop.test/"),
        ("http://ann@shop.test/", "http://****@shop.test/"),
        ("http://ann:p@w@shop.test/", "http://****:****@shop.test/"),
        ("http://ann:p/w@shop.test/", "http://****:****@shop.test/"),
        ("http://ann:p#w@shop.test/", "http://****:****@shop.test/"),
        ("http://an n:p w@sh op/", "http://****:****@sh op/"),
        ("http://ann:pw@shop.test:99999/", "http://****:****@shop.test:99999/"),
        ("ftp://ann:pw@shop.test/", "ftp://****:****@shop.test/"),
        ("//ann:pw@shop.test/", "//****:****@shop.test/"),
        ("http://shop.test:80/@ann", "http://shop.test:80/@ann"),
        ("http://[::1]:80/@ann", "http://[::1]:80/@ann"),
        ("/x?page=2&token=abc&q=1", "/x?page=2&token=****&q=1"),
        ("/x?token=a b'c", "/x?token=****"),
        ("/x?%74oken=abc", "/x?%74oken=****"),
        ("/x?a=1;sig=abc", "/x?a=1;sig=****"),
        ("/x;jsessionid=abc", "/x;jsessionid=****"),
        ("/cb#access_token=abc&state=1", "/cb#access_token=****&state=1"),
        ("?next=%2Fx%3Ftoken%3Dabc%26q%3D1", "?next=%2Fx%3Ftoken%3D****%26q%3D1"),
        ("?next=%252Fx%253Ftoken%253Dabc", "?next=%252Fx%253Ftoken%253D****"),
        ("?next=http://a:b@h/", "?next=http://****:****@h/"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert SECRETS.mask_url(url) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("X-Auth-Token", "abc", "****"),
        ("Location", "/cb?code=abc&state=1", "/cb?code=****&state=1"),
        ("Referer", "http://a:b@h/", "http://****:****@h/"),
        ("Content-Type", "text/html; charset=utf-8", "text/html; charset=utf-8"),
    ],
)
def test_a_header_is_shown_without_its_secrets(name, value, shown):
    assert SECRETS.mask_header(name, value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://a:b@h/?token=x, 2 ms", "GET http://****:****@h/?token=**** 2 ms"),
        ("GET /?token=****, 2 ms", "GET /?token=****, 2 ms"),
        ('http.get("/x?token=abc")', 'http.get("/x?token=****")'),
        (
            "{'Authorization': 'Bearer x', 'Accept': 'y'}",
            "{'Authorization': '****', 'Accept': 'y'}",
        ),
        ("[('X-Api-Key', 'x'), ('Accept', 'y')]", "[('X-Api-Key', '****'), ('Accept', 'y')]"),
        ('{"password": "a\\"b", "page": 1}', '{"password": "****", "page": 1}'),
        ("{'token': None, 'code': 404, 'key': 'a'}", "{'token': None, 'code': 404, 'key': 'a'}"),
        ("> X-Api-Key: x\n> Accept: y", "> X-Api-Key: ****\n> Accept: y"),
        ("password   = 'x'", "password   = '****'"),
        ("got 'Bearer abcdef.ghi'", "got 'Bearer ****'"),
        ("call http://h:80 or ann@shop.test", "call http://h:80 or ann@shop.test"),
        ("for key in keys: token = new()", "for key in keys: token = new()"),
    ],
)
def test_text_is_shown_without_the_secrets_in_it(text, shown):
    assert SECRETS.mask_text(text) == shown


def test_added_names_are_hidden_with_the_others():
    secrets = Secrets(["tenant", "X-Shop-*"])

    shown = secrets.mask_url("/?Tenant=a&tenants=b&x-shop-id=c&token=d")

    assert shown == "/?Tenant=****&tenants=b&x-shop-id=****&token=****"


_word = st.text(st.characters(exclude_characters="&#"))


@given(st.text(), _word)
def test_a_secret_parameter_is_hidden_whatever_is_around_it(before, value):
    shown = SECRETS.mask_url(f"{before.replace('=', '')}&token={value}MARK")

    assert "MARK" not in shown


@given(st.text(st.characters(exclude_characters="/?#\\")))
def test_a_password_is_hidden_whatever_it_is(password):
    shown = SECRETS.mask_url(f"http://ann:{password}MARK@shop.test/")

    assert "MARK" not in shown


@given(st.text())
def test_any_text_can_be_masked_and_masking_twice_changes_nothing(text):
    once = SECRETS.mask_text(text)

    assert SECRETS.mask_text(once) == once


@pytest.mark.parametrize(
    "piece",
    ["?&=", "://a:", "'a", "a-", "a-b: ", "'token': '", '"\\', "?a%3D", "Bearer ", "@", "["],
)
def test_a_long_text_takes_linear_time(piece):
    def seconds(size):
        text = piece * (size // len(piece))
        began = time.process_time()
        SECRETS.mask_text(text)
        SECRETS.mask_url(text)
        return time.process_time() - began

    # Quadratic time would be 256 times as long.
    assert seconds(320_000) < 64 * max(seconds(20_000), 0.001)


def test_tickets_of_cas_proofs_of_possession_and_identities_of_a_load_balancer_are_masked():
    assert SECRETS.mask_url("/in?ticket=ST-1-abc&state=5&se=2") == "/in?ticket=****&state=5&se=2"
    assert SECRETS.mask_text('{"ticket": "ABC-12"}') == '{"ticket": "ABC-12"}'
    for name in ("DPoP", "X-Amzn-Oidc-Data", "x-amzn-oidc-identity"):
        assert SECRETS.mask_header(name, "eyJhbGciOi") == "****"
