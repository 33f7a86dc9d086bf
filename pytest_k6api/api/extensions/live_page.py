"""The live page: its document, what it asks for, and how it shows the token."""

from functools import cache
from typing import Final

from msgspec import Struct

from pytest_k6api.api.documents import Document, JsonObject
from pytest_k6api.api.messages import INVALID_DATA, Call, Endpoint, Reply, decode
from pytest_k6api.page import make_page

LOGIN: Final = "/v1/login"

_NEVER_STORED: Final = {"Cache-Control": "no-store"}


class TokenDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/login``."""

    token: str


@cache
def live_page() -> Reply[bytes]:
    """Return the page; it holds nothing that is secret."""
    page = make_page(
        "live.js",
        title="Load test",
        heading="pytest-k6api",
        body='<main></main><footer><a href="/v1/">The API</a></footer>',
        connects=True,
    )
    headers = {"Content-Security-Policy": page.policy, "Vary": "Accept", **_NEVER_STORED}
    return Reply(page.html.encode(), headers=headers)


@Endpoint("GET", "/v1/report", each_test=True)
async def show_report(call: Call) -> Reply[Document[JsonObject]]:
    """Show all that a report tells of the load test, but for its timeline."""
    return Reply(Document(dict(await call.load_test.report())), headers=_NEVER_STORED)


@Endpoint(
    "POST",
    LOGIN,
    errors=(400, 401),
    takes=TokenDocument,
    example='-X POST {url}/v1/login -d \'{"token":"..."}\'',
)
async def sign_in(call: Call) -> Reply[Document[JsonObject]]:
    """Give the live page a cookie for the token, so that scripts need not keep it."""
    asked: TokenDocument = decode(
        call.body, TokenDocument, title=INVALID_DATA, example='{"token":"..."}'
    )
    if not call.api.asks_token:
        return Reply(Document({}), headers=_NEVER_STORED)
    cookie = call.api.sign_in(asked.token)
    return Reply(Document({}), headers={**_NEVER_STORED, "Set-Cookie": cookie})
