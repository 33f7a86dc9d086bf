"""The API as a Quart-Trio application: access control, routing, endpoints, errors.

Quart routes, reads bodies within limits and streams replies. Its router gets paths
as they were sent, escapes included, because k6's server (Go's) tells them apart:
``/v1%2Fstatus`` is not ``/v1/status``. What else is Go's: a path is cleaned by a
redirect, HEAD is a method like any other, and a path outside of ``/v1/`` answers
``ok``.

Source: Go 1.24, ``net/http/server.go``; k6 v1.1.0, ``internal/api/server.go``.
"""

import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart import Response, request
from quart.wrappers.base import BaseRequestWebsocket
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
)
from werkzeug.routing import BaseConverter, MapAdapter

from pytest_k6api.api.documents import encode, error_document
from pytest_k6api.api.extensions.live_page import LOGIN, live_page
from pytest_k6api.api.messages import HTML, JSON, TEXT, Api, Call, Endpoint, Reply
from pytest_k6api.api.no_load_test import NoLoadTest
from pytest_k6api.api.ports import LoadTestPort, SessionPort
from pytest_k6api.api.server.access_control import AccessControl
from pytest_k6api.api.settings import ApiLimits
from pytest_k6api.model import ControlError

_SLACK: Final = 1.0
"""Seconds beyond the stream's own limit after which a send is given up."""
_VERSIONS: Final = ("1.0", "1.1")
_ANY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_LETTER: Final = re.compile("%([46][1-9A-Fa-f]|[57][0-9Aa]|3[0-9])")
_PARAMETER: Final = re.compile(r"\{(\w+)(\.\.\.)?\}")


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


class _Segment(BaseConverter):
    """One segment of a path, its escapes decoded."""

    regex = "[^/]*"
    part_isolating = True

    def to_python(self, value: str) -> str:
        return unquote(value, errors="replace")


class _Rest(_Segment):
    """All the rest of a path, slashes included; it may be empty."""

    regex = ".*"
    part_isolating = False


class ControlApp(QuartTrio):
    """Serves the endpoints of an `Api` over ASGI.

    Args:
        session: The session that requests are about.
        api: The endpoints, and what they need beside.
        access: Decides which requests are let in.
        limits: Limits of the size and the time of bodies.
        report: Called with a handler's unforeseen exception; the client gets a bare 500.
    """

    asgi_http_class: type[TrioASGIHTTPConnection] = _WholeSends

    def __init__(
        self,
        session: SessionPort,
        api: Api,
        access: AccessControl,
        limits: ApiLimits,
        report: Callable[[Exception], None],
    ) -> None:
        super().__init__(__name__, static_folder=None)
        self.config.update(
            MAX_CONTENT_LENGTH=limits.body_bytes,
            BODY_TIMEOUT=limits.body_time,
            RESPONSE_TIMEOUT=None,
            SEND_TIME=limits.send_time,
        )
        self._limits = limits
        self._session = session
        self._api = api
        self._access = access
        self._report = report
        self.url_map.converters |= {"segment": _Segment, "rest": _Rest}
        self.url_map.merge_slashes = False
        for endpoint in api.endpoints:
            self._add(endpoint)
        for rule in self.url_map.iter_rules():
            (rule.methods or set()).discard("HEAD")
        self.before_request(self._admit)
        for error, handler in self._error_handlers().items():
            self.register_error_handler(error, handler)

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
            await super().__call__(_with_origin_form(scope), receive, send)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Route by path and method alone; a Host that cannot be read is none of the router's."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)

    def _add(self, endpoint: Endpoint) -> None:
        async def view(**parameters: str) -> Response:
            body: Any = await request.get_data()  # bytes, where Quart's annotation says AnyStr
            call = Call(
                session=self._session,
                load_test=self._load_test(parameters.get("test")),
                api=self._api,
                parameters=parameters,
                query=request.args,
                body=bytes(body),
            )
            try:
                return _response(await endpoint.handler(call), endpoint.media)
            except ControlError as error:
                return _error(error.status, error.title, error.detail, endpoint.error_media)

        self.add_url_rule(
            _PARAMETER.sub(_converter, endpoint.path),
            f"{endpoint.method} {endpoint.path}",
            view,
            methods=[endpoint.method],
            provide_automatic_options=False,
        )

    def _load_test(self, test_id: str | None) -> LoadTestPort:
        if test_id is None:
            return self._session.current or NoLoadTest(self._session.end)
        for load_test in self._session.load_tests:
            if load_test.id == test_id:
                return load_test
        raise ControlError("Not Found", "No load test with that ID was found", status=404)

    async def _admit(self) -> Response | None:
        """Return the reply to a request that is not let in, or whose path is not clean; or None."""
        refusal = self._access.refusal(request.method, _headers(request.scope["headers"]))
        if refusal is not None and not (refusal.status == 401 and _signs_in()):
            raise refusal
        # Read before anything else is answered: with a body left unread, the connection closes.
        await request.get_data()
        path = request.path
        if _BAD_ESCAPE.search(path):
            raise BadRequest
        clean = clean_path(path)
        if clean == path:
            return None
        query = request.query_string.decode()
        return _redirect(request.method, f"{clean}?{query}" if query else clean)

    def _error_handlers(self) -> dict[type[Exception], Callable[[Any], Awaitable[Response]]]:
        return {
            ControlError: self._on_control_error,
            NotFound: self._on_not_found,
            MethodNotAllowed: self._on_wrong_method,
            HTTPException: self._on_http_error,
            Exception: self._on_exception,
        }

    async def _on_control_error(self, error: ControlError) -> Response:
        response = _error(error.status, error.title, error.detail)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    async def _on_not_found(self, _error: NotFound) -> Response:
        if request.path.startswith("/v1/"):
            return _response(Reply(b"404 page not found\n", 404), TEXT)
        if _is_for_page():
            return _response(live_page(), HTML)
        return _response(Reply(b"ok"), TEXT)

    async def _on_wrong_method(self, error: MethodNotAllowed) -> Response:
        allowed = [method for method in _ANY_METHOD if method in (error.valid_methods or ())]
        return _response(Reply(None, 405, {"Allow": ", ".join(allowed)}), TEXT)

    async def _on_http_error(self, error: HTTPException) -> Response:
        limits = self._limits
        if isinstance(error, RequestEntityTooLarge):
            return _error(413, "Body too large", f"a body may have {limits.body_bytes} bytes")
        if isinstance(error, RequestTimeout):
            return _error(408, "Body too slow", f"a body may take {limits.body_time:g} seconds")
        return _response(Reply(f"{error.code} {error.name}".encode(), error.code or 400), TEXT)

    async def _on_exception(self, error: Exception) -> Response:
        self._report(error)
        return _error(
            500, "Internal error", "the control API could not answer; see pytest's output"
        )


def _is_for_page() -> bool:
    is_browser = "text/html" in request.headers.get("Accept", "")
    return is_browser and (request.method, request.path) == ("GET", "/")


def _signs_in() -> bool:
    """Return whether a request is about showing the token, and so cannot have it yet."""
    return _is_for_page() or (request.method, request.path) == ("POST", LOGIN)


def _with_origin_form(scope: Any) -> Any:  # a TypedDict of Hypercorn's, whose members are bytes
    """Return `scope` with a target in absolute form taken apart, and the path as it was sent."""
    target = scope["raw_path"].decode("latin-1")
    if target.startswith("/"):
        return {**scope, "path": _decode_letters(target)}
    try:
        parts = urlsplit(target)
    except ValueError:
        return {**scope, "path": "/%"}  # as any other target that cannot be read
    headers = scope["headers"]
    if parts.netloc:
        host = (b"host", parts.netloc.encode("latin-1"))
        headers = [*(pair for pair in headers if pair[0].lower() != b"host"), host]
    # The asterisk of OPTIONS is none of ours, as the root.
    path = _decode_letters(parts.path) if parts.path.startswith("/") else "/"
    return {**scope, "path": path, "headers": headers}


def _decode_letters(path: str) -> str:
    """Decode escapes of letters and digits, which mean the same without them."""
    return _ESCAPED_LETTER.sub(lambda found: chr(int(found[1], 16)), path)


def clean_path(path: str) -> str:
    """Return `path` without empty, ``.`` and ``..`` segments; a slash at its end stays.

    >>> clean_path("//v1/./x/../metrics//"), clean_path("/v1")
    ('/v1/metrics/', '/v1/')
    """
    clean = posixpath.normpath("/" + path.lstrip("/"))
    needs_slash = path.endswith("/") or clean == "/v1"
    return clean + "/" if needs_slash and clean != "/" else clean


def _converter(found: re.Match[str]) -> str:
    return f"<{'rest' if found[2] else 'segment'}:{found[1]}>"


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _redirect(method: str, location: str) -> Response:
    # Go writes a body only for methods that people use.
    link = f'<a href="{escape(location)}">Moved Permanently</a>.\n\n'
    body = link.encode() if method in ("GET", "HEAD") else None
    return _response(Reply(body, 301, {"Location": location}), HTML)


def _error(status: int, title: str, detail: str, media: str = JSON) -> Response:
    return _response(Reply(error_document(status, title, detail), status), media)


def _response(reply: Reply[Any], media: str) -> Response:
    body = reply.body
    if not isinstance(body, bytes) and not hasattr(body, "__aiter__"):
        body = b"" if body is None else encode(body)
    response = Response(body, reply.status)
    if reply.body is None:
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = media
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.update(reply.headers)
    return response
