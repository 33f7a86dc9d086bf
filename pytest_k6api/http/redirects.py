"""Where a redirect leads, and what of the request goes along.

Pure: rules only; the client sends the next request.
"""

from typing import NamedTuple

from pytest_k6api.http.headers import Headers
from pytest_k6api.http.request_options import RequestOptions
from pytest_k6api.http.response import Response
from pytest_k6api.http.routes import Plan
from pytest_k6api.http.urls import InvalidURL, Target

_BODY = ("json", "data", "content", "files")
# These keep method and body; the others turn everything but HEAD into GET, as
# browsers do (for 301 and 302 only POST; Fetch standard, HTTP-redirect fetch).
_PRESERVING = frozenset({307, 308})
_SEE_OTHER = 303


class Redirect(NamedTuple):
    """The next request.

    Attributes:
        is_foreign: Whether it goes to another origin, which must not see the
            credentials meant for the first.
    """

    method: str
    url: str
    options: RequestOptions
    is_foreign: bool


def redirect(response: Response, plan: Plan) -> Redirect | None:
    """Return what `response` asks to request next, or None if it is the last word.

    A body from an iterator is gone once it was sent; a redirect that wants it
    again is returned as it is.
    """
    if not response.has_redirect_location:
        return None
    status = response.status_code
    if plan.upload is not None and status in _PRESERVING:
        return None
    options = RequestOptions(**plan.options)
    options.pop("params", None)
    method = _method(plan.method, status)
    if method != plan.method or status == _SEE_OTHER:
        for name in _BODY:
            options.pop(name, None)  # type: ignore[misc]  # all four are keys of it
        _drop_body_headers(options)
    location = response.headers.get_list("location")[0]
    url = _resolve(plan, location)
    return Redirect(method, url, options, _is_foreign(plan, url))


def _method(method: str, status: int) -> str:
    if status in _PRESERVING or method == "HEAD":
        return method
    if status == _SEE_OTHER or method == "POST":
        return "GET"
    return method


def _drop_body_headers(options: RequestOptions) -> None:
    headers = Headers(options.get("headers"))
    for name in ("content-type", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    options["headers"] = headers


def _resolve(plan: Plan, location: str) -> str:
    # latin-1 is how heads are read; what servers mean beyond ASCII is UTF-8.
    text = location.encode("latin-1").decode("utf-8", "replace")
    url = plan.target.url.join(text)
    fragment = plan.target.url.fragment
    return f"{url}#{fragment}" if fragment and "#" not in url else url


def _is_foreign(plan: Plan, url: str) -> bool:
    try:
        target = Target(url)
    except InvalidURL:
        return True
    here = plan.target
    return (target.is_tls, target.host, target.port) != (here.is_tls, here.host, here.port)
