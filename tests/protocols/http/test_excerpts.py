import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import SECRETS, Secrets
from pytest_k6api.protocols.http.client import excerpt

PAGE = """<!DOCTYPE html>
<html><head><title>500 &mdash; Server Error</title><style>h1 {color: red}</style></head>
<body><!-- <p>a comment</p> --><h1>Something&nbsp;broke</h1>
<p>KeyError: <b>'price'</b></p><script>render("<p>no</p>")</script></body></html>
"""


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/xhtml+xml", ""])
def test_of_a_page_the_title_and_the_visible_text_are_shown(content_type):
    shown = excerpt(PAGE.encode(), content_type, 1000, SECRETS)

    assert shown == "500 — Server Error: Something broke KeyError: 'price'"


def test_of_a_long_page_300_characters_are_shown():
    page = f"<html><title>Long</title><body>{'<p>word</p>' * 200}</body></html>"

    shown = excerpt(page.encode(), "text/html", 1000, SECRETS)

    assert shown.startswith("Long: word word word")
    assert len(shown) == 300 + len("…")


@pytest.mark.parametrize(
    ("content", "content_type", "shown"),
    [
        (b"", "text/plain", ""),
        (b"plain", "text/plain", "plain"),
        (b"no type", "", "no type"),
        (b"two\r\nlines \x1b[31m", "", "two\nlines \\x1b[31m"),
        (b"\xe4", "text/plain; charset=latin-1", "ä"),
        (b"\xe4", "text/plain; charset=nonsense", "\\xe4"),
        (b'{"token": "abc", "page": 1}', "application/json", '{"token": "****", "page": 1}'),
        (b'{"token": "abc"}', "application/problem+json", '{"token": "****"}'),
        (b"password=abc&page=1", "application/x-www-form-urlencoded", "password=****&page=1"),
        (b"\x89PNG\0", "image/png", "(5 bytes of image/png)"),
        (b"\x89PNG\0", "", "(5 bytes)"),
        (b"--x\r\nsecret", "multipart/form-data; boundary=x", "(11 bytes of multipart/form-data)"),
        (b"<html></html>", "text/html", "(13 bytes of text/html)"),
        (b"x" * 20, "text/plain", "xxxxxxxxxx… (20 bytes of text/plain)"),
    ],
)
def test_the_start_of_a_body_is_shown_as_its_type_allows(content, content_type, shown):
    limit = 10 if content == b"x" * 20 else 1000

    assert excerpt(content, content_type, limit, SECRETS) == shown


def test_bodies_can_be_left_out():
    shown = excerpt(b"plain", "text/plain", 1000, Secrets(hides_bodies=True))

    assert shown == "(5 bytes of text/plain)"


@given(
    st.binary(), st.sampled_from(["text/html", "text/plain; charset=utf-16", "image/svg+xml", ""])
)
def test_any_body_can_be_shown(content, content_type):
    assert isinstance(excerpt(content, content_type, 1000, SECRETS), str)


@pytest.mark.parametrize("piece", [b"<", b"<!--", b"<!---", b"<a ", b"&lt;", b"</head>", b"&"])
def test_a_page_of_any_size_takes_bounded_time(piece):
    began = time.process_time()

    excerpt(piece * (10_000_000 // len(piece)), "text/html", 1000, SECRETS)

    # Some 20 ms; to look at all of it, or at each byte twice, would take minutes.
    assert time.process_time() - began < 2
