"""Redirects and challenges: the next request that a response asks for, and what it keeps of the one before.

Pure: the client sends the next request.
"""

from typing import NamedTuple

from pytest_k6api.protocols.http.client.prepare import Defaults, Hop, prepare, prepare_broken
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.errors import GENERIC, INVALID_URL, RequestFailure
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.message.urls import URL, Target, resolve_location

_BODY = ("json", "data", "content", "files")
# These keep method and body; after the others comes a GET without body, whatever the method
# was, or a HEAD. Source: k6 v1.1.0 (Go's net/http, redirectBehavior), measured on its binary;
# httpx and requests do the same but for 301, which changes only their POST.
_PRESERVING = frozenset({307, 308})


class Redirect(NamedTuple):
    """The next request.

    Attributes:
        is_cross_origin: Whether it goes to another origin, which must not see the
            credentials meant for the first.
        is_answer: Whether it answers a challenge, and is no redirect.
        failure: Why it cannot be made, or None. `url` is the one that was redirected then
            if ``Location`` cannot be read, as in k6.
    """

    method: str
    url: URL
    options: RequestOptions
    is_cross_origin: bool
    failure: RequestFailure | None
    is_answer: bool = False


class RedirectChain:
    """The redirects and challenges that one request leads through.

    Attributes:
        history: The responses but the last, in their order.

    Args:
        defaults: What the client adds to all requests.
        request: The first request.
    """

    __slots__ = ("_defaults", "_is_cross_origin", "_left", "_request", "history")

    def __init__(self, defaults: Defaults, request: PreparedRequest) -> None:
        self.history: list[Response] = []
        self._defaults, self._request = defaults, request
        self._left, self._is_cross_origin = request.redirects, False

    def next(self, response: Response) -> Redirect | None:
        """Return what `response` asks to request next, or None if it is the last word."""
        request = self._request
        digest = request.digest
        if digest is None or response.status_code != 401:
            return redirect(response, request) if self._left else None
        if not digest.learn(response.headers.get_list("www-authenticate")):
            return None
        options = RequestOptions(**request.options)
        options.pop("params", None)
        url = request.target.url
        return Redirect(request.method, url, options, False, None, is_answer=True)

    def follow(self, to: Redirect, response: Response, timeout: int) -> PreparedRequest:
        """Return the request for `to`, which stands for it in reports if that cannot be made.

        Args:
            to: What `next` returned.
            response: What `next` was asked about.
            timeout: Nanoseconds that are left.
        """
        self.history.append(response)
        self._left -= not to.is_answer
        # After a cross-origin hop credentials stay stripped, also on the way back.
        self._is_cross_origin = self._is_cross_origin or to.is_cross_origin
        if to.failure is not None:
            return prepare_broken(self._defaults, to.method, to.url, to.options, is_hop=True)
        hop = Hop(max(1, timeout), self._is_cross_origin, self._request.trace, to.is_answer)
        self._request = request = prepare(self._defaults, to.method, to.url, to.options, hop)
        return request


def redirect(response: Response, request: PreparedRequest) -> Redirect | None:
    """Return where `response` redirects `request` to, or None if it is the last word.

    A body from an iterator is gone once it was sent; a redirect that wants it
    again is returned as it is; so is one with an empty ``Location``, as in k6.
    """
    if not response.has_redirect_location:
        return None
    location = response.headers.get_list("location")[0]
    if not location:
        return None
    status = response.status_code
    if request.upload is not None and status in _PRESERVING:
        return None
    options = RequestOptions(**request.options)
    options.pop("params", None)
    method = request.method if status in _PRESERVING or request.method == "HEAD" else "GET"
    if status not in _PRESERVING:
        for name in _BODY:
            options.pop(name, None)  # type: ignore[misc]  # all four are keys of it
        _drop_body_headers(options)
    return _lead(request, method, location, options)


def _lead(
    request: PreparedRequest, method: str, location: str, options: RequestOptions
) -> Redirect:
    here, url = request.target, request.target.url
    try:
        url = resolve_location(url, location)
        target = Target(url)
    except InvalidURL as error:
        failure = RequestFailure(error.code, str(error))
        if error.code == INVALID_URL:
            url = here.url
            failure = RequestFailure(GENERIC, f"failed to parse Location header: {error.reason}")
        return Redirect(method, url, options, is_cross_origin=True, failure=failure)
    is_cross_origin = (target.is_tls, target.host, target.port) != (
        here.is_tls,
        here.host,
        here.port,
    )
    return Redirect(method, url, options, is_cross_origin, failure=None)


def _drop_body_headers(options: RequestOptions) -> None:
    headers = Headers(options.get("headers"))
    for name in ("content-type", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    options["headers"] = headers
