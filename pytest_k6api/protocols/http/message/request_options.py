"""The options of a request: all that it takes beside method and URL."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, TypedDict

from pytest_k6api.protocols.http.message.cookies import CookieSource
from pytest_k6api.protocols.http.message.headers import HeaderSource
from pytest_k6api.protocols.http.message.multipart import Files
from pytest_k6api.protocols.http.message.request import Auth
from pytest_k6api.protocols.http.message.urls import QueryParams

Chunks = Iterable[bytes | str] | AsyncIterable[bytes | str]
ExpectedStatuses = int | range | Iterable[int | range] | None


class RequestOptions(TypedDict, total=False):
    """Options of a request; the names are httpx's, the last six k6's.

    Attributes:
        params: Parameters appended to the URL's query.
        headers: Header fields; they replace the client's of the same name.
        json: A value to send as JSON.
        data: A form as a mapping; or what `content` takes.
        content: A body as bytes, text, or an iterator (async or not) of them.
        files: Files to upload as ``multipart/form-data``, with `data` as fields.
        cookies: Cookies for this request, beside those in the client's jar.
        auth: ``(user, password)``, `BasicAuth`, `BearerAuth`, `DigestAuth`, or a function that
            signs the request; None switches the client's off.
        timeout: Seconds for the whole request, redirects included (as in k6).
        follow_redirects: False returns the redirect itself.
        name: The tags ``name`` and ``url`` of the samples, instead of the URL.
        tags: More tags of the samples.
        expected_statuses: Statuses that are no failure, instead of the client's;
            None for no judgement.
        throw: Whether a failure is raised (`RequestError`, `HTTPStatusError`).
        max_redirects: How many redirects are followed.
        discard_response_body: Whether the body of the response is read without being kept,
            instead of what the load test's ``discard_response_bodies`` says.
    """

    params: QueryParams
    headers: HeaderSource
    json: Any  # whatever the json module takes
    data: Mapping[str, Any] | str | bytes | Chunks | None
    content: str | bytes | Chunks | None
    files: Files | None
    cookies: CookieSource
    auth: Auth | None
    timeout: float | None
    follow_redirects: bool
    name: str | None
    tags: Mapping[str, str] | None
    expected_statuses: ExpectedStatuses
    throw: bool
    max_redirects: int
    discard_response_body: bool


OPTION_ADVICE = {
    "allow_redirects": "follow_redirects=",
    "body": "content= or json=",
    "cert": "vu.http.cert = ..., or --k6-client-cert",
    "extra_headers": "headers=",
    "http2": "http_versions= at the scenario, or --k6-http-version",
    "proxies": "--k6-proxy",
    "proxy": "--k6-proxy",
    "query": "params=",
    "stream": "async with vu.http.stream(method, url) as response:",
    "verify": "--k6-insecure-skip-tls-verify, or --k6-ca-file",
}
"""What to write, by names of options that other clients have."""


CLIENT_ADVICE: Mapping[str, str] = {
    "asyncRequest": "vu.http.request(method, url)",
    "del_": "vu.http.delete(url)",
    "proxy": "--k6-proxy",
    "send": "vu.http.request(method, url)",
    "trust_env": "--k6-proxy",
    "verify": "--k6-insecure-skip-tls-verify, or --k6-ca-file",
    **dict.fromkeys(("session", "client"), "vu.http itself"),
    **dict.fromkeys(("aclose", "close_connections"), "no_vu_connection_reuse=True at the scenario"),
    **dict.fromkeys(("connect_sse", "aconnect_sse", "events"), "vu.http.sse(url)"),
    **dict.fromkeys(("websocket", "ws", "ws_connect"), "vu.ws.connect(url)"),
}
"""What to write, by names that other clients have for parts of ``vu.http``."""


class StreamOptions(RequestOptions, total=False):
    """Options of a request whose response is a stream: those of a request, and one more.

    Attributes:
        timeout: Seconds until the head of the response, redirects included; from then on
            the longest pause of the server between two pieces of the body. Pauses of the
            reader do not count.
        total_timeout: Seconds for the whole stream; None, the default, for any number.
    """

    total_timeout: float | None


class SseOptions(StreamOptions, total=False):
    """Options of a stream of server-sent events: those of a stream, and three more.

    Attributes:
        method: Any HTTP method; GET unless given.
        reconnections: How often to connect again when the connection ends, as browsers do
            it: 3 for GET and 0 for other methods, unless given.
        last_event_id: The id to begin behind; it is sent as ``Last-Event-ID``.
        timeout: As in `StreamOptions`; a pause before a reconnection is no longer than it.
        total_timeout: As in `StreamOptions`, reconnections included.
    """

    method: str
    reconnections: int | None
    last_event_id: str
