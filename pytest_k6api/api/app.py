"""The API as a Quart-Trio application: bodies with limits in, replies out.

Quart reads bodies within limits and streams replies; k6's rules about paths and
methods are not those of Quart's router, which is therefore not asked.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart import Request as QuartRequest
from quart import Response
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from pytest_k6api.api.control import Control
from pytest_k6api.api.reply import Reply, Request, error_reply
from pytest_k6api.api.settings import ApiLimits

_SLACK = 1.0
"""Seconds beyond the stream's own limit after which a send is given up."""
_VERSIONS = ("1.0", "1.1")


class _WholeSends(TrioASGIHTTPConnection):
    """Lets every send to the server finish.

    Quart-Trio 0.12 cancels the request's tasks as soon as it hears of the
    disconnect, which Hypercorn reports from inside the last send: the connection
    is then never closed nor reused. A shield around the send cures it; its
    deadline is a safety net, since the stream below has its own.
    """

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        limit = self.app.config["SEND_TIME"] + _SLACK

        async def send_whole(event: ASGISendEvent) -> None:
            with trio.move_on_after(limit, shield=True):
                await send(event)

        await super().__call__(receive, send_whole)


class ControlApp(QuartTrio):
    """Serves a `Control` over ASGI.

    Args:
        control: What answers.
        limits: How large and how slow bodies may be.
    """

    asgi_http_class: type[TrioASGIHTTPConnection] = _WholeSends

    def __init__(self, control: Control, limits: ApiLimits) -> None:
        super().__init__(__name__, static_folder=None)
        self._control = control
        self.config["MAX_CONTENT_LENGTH"] = limits.body_bytes
        self.config["BODY_TIMEOUT"] = limits.body_time
        self.config["RESPONSE_TIMEOUT"] = None
        self.config["SEND_TIME"] = limits.send_time

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve one ASGI scope; anything but HTTP/1 is refused."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        elif scope["http_version"] not in _VERSIONS:
            await send({"type": "http.response.start", "status": 505, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            # Quart would parse the path, and fail on some that need no parsing here.
            await super().__call__({**scope, "path": "/"}, receive, send)

    async def handle_request(self, request: QuartRequest) -> Response:
        """Answer `request` by the rules of k6 instead of Quart's."""
        scope: Any = request.scope  # a TypedDict of Hypercorn's, whose members are bytes
        asked = Request(
            method=scope["method"],
            target=_target(scope["raw_path"], scope["query_string"]),
            headers=_headers(scope["headers"]),
        )
        return _response(await self._answer(asked, request.get_data))

    async def _answer(self, asked: Request, read: Callable[[], Awaitable[Any]]) -> Reply:
        refused = self._control.refuse(asked)
        if refused is not None:
            return refused
        try:
            body = await read()
        except RequestEntityTooLarge:
            limit = self.config["MAX_CONTENT_LENGTH"]
            return error_reply(413, "Body too large", f"a body may have {limit} bytes")
        except RequestTimeout:
            limit = self.config["BODY_TIMEOUT"]
            return error_reply(408, "Body too slow", f"a body may take {limit:g} seconds")
        return await self._control.answer(
            Request(
                method=asked.method, target=asked.target, headers=asked.headers, body=bytes(body)
            )
        )


def _target(path: bytes, query: bytes) -> str:
    return (path + b"?" + query if query else path).decode("latin-1")


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    if reply.content_type is None:
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = reply.content_type
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.update(reply.headers)
    return response
