"""The page at ``/v1/``: what there is, how to ask for it, and how the load test is doing."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from pytest_k6api.api.messages import HTML, Call, Endpoint, Reply

_OUR_URL: Final = "http://localhost:6565"


@Endpoint("GET", "/v1/", media=HTML)
async def show_index(call: Call) -> Reply[bytes]:
    """Show this page."""
    page = _page(call.api.endpoints)
    return Reply(page.encode(), headers={"Content-Security-Policy": _policy()})


def _page(endpoints: Sequence[Endpoint]) -> str:
    rows = "\n".join(_row(endpoint) for endpoint in endpoints if "{test}/" not in endpoint.path)
    return Template(_part("index.html")).substitute(
        rows=rows, script=_part("index.js"), style=_part("index.css")
    )


def _row(endpoint: Endpoint) -> str:
    path = escape(endpoint.path.replace("...", ""))
    example = escape(endpoint.example and f"curl {endpoint.example.replace('{url}', _OUR_URL)}")
    return (
        f"<tr><td>{endpoint.method}</td><td><code>{path}</code></td>"
        f"<td>{escape(endpoint.summary)}<code class='curl'>{example}</code></td></tr>"
    )


@cache
def _part(name: str) -> str:
    return (files("pytest_k6api.api") / "page" / name).read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """Return what the page may do: run its own script and ask its own server, no more."""
    hashes = {
        name: base64.b64encode(hashlib.sha256(_part(name).encode()).digest()).decode()
        for name in ("index.js", "index.css")
    }
    return (
        f"default-src 'none'; connect-src 'self'; script-src 'sha256-{hashes['index.js']}';"
        f" style-src 'sha256-{hashes['index.css']}'; base-uri 'none'; frame-ancestors 'none'"
    )
