"""The client for scenarios that run in worker threads: the same calls without ``await``."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Unpack

import trio

from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.http.client.batches import BatchRequest
from pytest_k6api.protocols.http.client.client import Client
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.request import Auth
from pytest_k6api.protocols.http.message.request_options import (
    CLIENT_ADVICE,
    ExpectedStatuses,
    RequestOptions,
    SseOptions,
    StreamOptions,
)
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.sse.block import SyncEventStream
from pytest_k6api.protocols.http.streaming.block import SyncResponseStream


class SyncClient(Advised):
    """A `Client` called from a thread; everything else is the client's.

    Args:
        client: The client; only Trio's thread touches it.
        run_in_trio: Lets Trio await ``function(*args)`` and returns or raises what
            that gives. Left out, the thread must be one that Trio started.
        call_soon: Has Trio's thread call ``function(*args)``, without waiting for it.
    """

    advice = CLIENT_ADVICE

    __slots__ = ("_call_soon", "_client", "_run_in_trio")

    def __init__(
        self,
        client: Client,
        run_in_trio: Callable[..., Any] = trio.from_thread.run,  # typed as the function it calls
        call_soon: Callable[..., object] = trio.from_thread.run_sync,
    ) -> None:
        self._client = client
        self._call_soon = call_soon
        self._run_in_trio = run_in_trio

    def __repr__(self) -> str:
        return f"<SyncClient of {self._client!r}>"

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Make a request and return the response; see `Client.request`."""
        response: Response = self._run_in_trio(
            partial(self._client.request, method, url, **options)
        )
        return response

    def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """GET `url`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """POST to `url`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """PUT to `url`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """PATCH `url`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """DELETE `url`."""
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """HEAD `url`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Ask for the OPTIONS of `url`."""
        return self.request("OPTIONS", url, **options)

    def stream(self, method: str, url: str, **options: Unpack[StreamOptions]) -> SyncResponseStream:
        """Return a context manager, for ``with``; see `Client.stream`."""
        return SyncResponseStream(
            self._client,
            method,
            url,
            options,
            run_in_trio=self._run_in_trio,
            call_soon=self._call_soon,
        )

    def sse(self, url: str, **options: Unpack[SseOptions]) -> SyncEventStream:
        """Return a context manager for a stream of server-sent events; see `Client.sse`."""
        return SyncEventStream(
            self._client,
            url,
            options,
            run_in_trio=self._run_in_trio,
            call_soon=self._call_soon,
        )

    def batch(self, requests: Iterable[BatchRequest], **limits: int) -> list[Response]:
        """Make several requests at once; see `Client.batch`."""
        responses: list[Response] = self._run_in_trio(
            partial(self._client.batch, requests, **limits)
        )
        return responses

    @property
    def headers(self) -> Headers:
        """Header fields sent with every request of this virtual user."""
        return self._client.headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self._client.headers = headers

    @property
    def cookies(self) -> Cookies:
        """The virtual user's cookies."""
        return self._client.cookies

    @property
    def auth(self) -> Auth | None:
        """How requests are signed, unless they say otherwise."""
        return self._client.auth

    @auth.setter
    def auth(self, auth: Auth | None) -> None:
        self._client.auth = auth

    @property
    def base_url(self) -> str:
        """What relative URLs are relative to."""
        return self._client.base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._client.base_url = base_url

    @property
    def http_versions(self) -> str:
        """The versions of HTTP that connections may speak; see `Client.http_versions`."""
        return self._client.http_versions

    @http_versions.setter
    def http_versions(self, versions: str) -> None:
        self._client.http_versions = versions

    @property
    def cert(self) -> str | tuple[str, ...] | None:
        """The certificate that servers are shown; see `Client.cert`."""
        return self._client.cert

    @cert.setter
    def cert(self, cert: str | tuple[str, ...] | None) -> None:
        self._client.cert = cert

    @property
    def expected_statuses(self) -> ExpectedStatuses:
        """The statuses that are no failure; see `Client.expected_statuses`."""
        return self._client.expected_statuses

    @expected_statuses.setter
    def expected_statuses(self, statuses: ExpectedStatuses) -> None:
        self._client.expected_statuses = statuses

    @property
    def last_response(self) -> Response | None:
        """The response that came last."""
        return self._client.last_response
