"""The HTTP client of one virtual user: requests in, responses and rows out.

`Client._round_trip` and the exchange that it runs are the hot path
(``benchmarks/bench_http_client.py``); what not every request needs is outside
of them. The client knows no version of HTTP: see `Connection`.
"""

from collections.abc import Coroutine, Iterable
from time import perf_counter_ns
from typing import Any, Unpack

from pytest_k6api.model import Recorder, read_http_versions, with_trace
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.http.client.batches import BatchRequest, Begun, run_batch
from pytest_k6api.protocols.http.client.connection import QUIET, Connection, Exchange
from pytest_k6api.protocols.http.client.kept import KeptConnections
from pytest_k6api.protocols.http.client.options import ConnectionOptions, checked_versions
from pytest_k6api.protocols.http.client.prepare import (
    checked_method,
    prepare,
    prepare_broken,
    read_expected,
)
from pytest_k6api.protocols.http.client.redirects import RedirectChain
from pytest_k6api.protocols.http.client.routes import RequestCache
from pytest_k6api.protocols.http.client.runtime import HttpRuntime
from pytest_k6api.protocols.http.client.samples import Attempt, intern, outcome_tags, phases
from pytest_k6api.protocols.http.ledger import Ledger
from pytest_k6api.protocols.http.message.authority import InvalidURL, Origin
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.decoding import DecodingError, decode
from pytest_k6api.protocols.http.message.errors import NetworkError, RequestFailure
from pytest_k6api.protocols.http.message.headers import Headers, HeaderSource
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request import Auth
from pytest_k6api.protocols.http.message.request_options import (
    CLIENT_ADVICE,
    ExpectedStatuses,
    RequestOptions,
    SseOptions,
    StreamOptions,
)
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.net.tls_context import read_certificate
from pytest_k6api.protocols.http.rows import HTTP_ROWS
from pytest_k6api.protocols.http.sse.block import EventStream
from pytest_k6api.protocols.http.streaming.block import ResponseStream

_FIRST_REDIRECT = 300


class Client(Advised):
    """The HTTP client of one virtual user: one kept-alive connection for each server.

    Responses are httpx's, plus ``timings``, ``error`` and ``error_code``. What the network does
    to a request is counted and not raised: the response tells of it, with a ``status_code`` of 0.

    Attributes:
        headers: Header fields sent with every request.
        cookies: The jar; it lives as long as the virtual user (k6 empties its before each iteration).
        auth: How requests are signed, unless they say otherwise.
        routes: The load test's routes and prepared requests.

    Args:
        runtime: What all clients of the load test share.
        recorder: Of the virtual user.
        number: Of the virtual user, which has its own local address.
    """

    advice = CLIENT_ADVICE
    __slots__ = (
        "_base_url", "_debug", "_gets", "_headers", "_idle", "_kept", "_ledger", "_recorder",
        "_runtime", "auth", "cookies", "routes",
    )  # fmt: skip

    def __init__(self, runtime: HttpRuntime, recorder: Recorder, number: int = 1) -> None:
        options = runtime.options
        self._runtime, self._recorder = runtime, recorder
        recorder.secrets, recorder.tracer = options.secrets, options.tracer
        self._debug = options.http_debug
        self._ledger = Ledger(recorder, options)
        self._kept = KeptConnections(
            runtime.dial,
            ConnectionOptions.of_vu(number, options),
            are_kept=not options.no_connection_reuse,
        )
        self._idle = self._kept.idle
        self._headers = Headers()
        if options.user_agent:
            self._headers["User-Agent"] = options.user_agent
        if options.no_connection_reuse:
            self._headers["Connection"] = "close"
        self.cookies = Cookies()
        self.auth: Auth | None = None
        self.routes = runtime.routes
        self.base_url = options.base_url

    def __repr__(self) -> str:
        return f"<Client of {self.routes.secrets.mask_url(self.base_url) or 'any server'} with {len(self._idle)} connections>"

    @property
    def base_url(self) -> str:
        """What relative URLs are relative to; ``""`` for nothing."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._base_url = base_url
        self._gets = RequestCache()
        self._headers.is_sealed = False  # so that `_remember` gets another cache

    @property
    def headers(self) -> Headers:
        """Header fields sent with every request of this virtual user."""
        return self._headers

    @headers.setter
    def headers(self, headers: HeaderSource) -> None:
        self._headers = Headers(headers)
        self._gets = RequestCache()

    @property
    def http_versions(self) -> str:
        """The versions that new connections may speak: see `ClientOptions`; setting it closes the old."""
        return self._kept.options.versions

    @http_versions.setter
    def http_versions(self, versions: str) -> None:
        self._kept.replace_options(versions=checked_versions(read_http_versions(versions)))

    @property
    def cert(self) -> str | tuple[str, ...] | None:
        """The certificate for servers that ask for one: a file, or the files of it and its key.

        The third of a tuple is the key's password. Setting it closes the old connections.

        Raises:
            OptionError: On setting it: a file cannot be read.
        """
        certificate = self._kept.options.certificate
        return None if certificate is None else tuple(filter(None, certificate))

    @cert.setter
    def cert(self, cert: str | tuple[str, ...] | None) -> None:
        self._kept.replace_options(certificate=read_certificate(cert))

    @property
    def expected_statuses(self) -> ExpectedStatuses:
        """The statuses that are no failure: 200 to 399 unless set; None judges nothing.

        Takes a status, a range, or a collection of both. Without judgement there
        is no sample of ``http_req_failed``, as in k6.
        """
        return self._ledger.expected

    @expected_statuses.setter
    def expected_statuses(self, statuses: ExpectedStatuses) -> None:
        self._ledger.expected = read_expected(statuses)

    async def dial_http2(self, origin: Origin, deadline: int) -> Connection:
        """Return a connection of the caller's own with this client's properties; see `dial`."""
        # No proxy reads it, TLS or not.
        options = self._kept.options._replace(versions="2-prior-knowledge", tunnels=True)
        return await self._runtime.dial(origin, deadline, options)

    @property
    def no_vu_connection_reuse(self) -> bool:
        """Whether connections are to be closed at the end of each iteration."""
        return self._runtime.options.no_vu_connection_reuse

    @property
    def last_response(self) -> Response | None:
        """The latest response, for reports."""
        return self._ledger.last_response

    def get(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """GET `url`; see `RequestOptions` for what else can be said."""
        # No `async def`: a coroutine that only awaits another one would cost
        # what it gives nothing for.
        if not options:
            request = self._gets.get(url)
            if (
                request is not None
                and self._headers.is_sealed
                and self.auth is None
                and not self.cookies.by_key
            ):
                return self._round_trip(request)
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """POST to `url`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """PUT to `url`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """PATCH `url`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """DELETE `url`."""
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """HEAD `url`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """Ask for the OPTIONS of `url`."""
        return self.request("OPTIONS", url, **options)

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Make a request and return the response to it.

        Args:
            method: Any HTTP method.
            url: A whole URL, or one below `base_url`.
            **options: See `RequestOptions`.

        Raises:
            OptionError: An option cannot be used as given.
            HTTPError: The request failed, and ``throw=True`` was given.
        """
        method = checked_method(method)
        try:
            request = prepare(self, method, url, options)
        except InvalidURL as error:
            request = prepare_broken(self, method, url, options)
            response = self._ledger.fail(request, RequestFailure(error.code, str(error)))
            return await self._conclude(response, request, 0)
        if method == "GET" and not options:
            self._remember(url, request)
        return await self._round_trip(request)

    def _remember(self, url: str, request: PreparedRequest) -> None:
        """Let `get` find `request`, unless it depends on more than the URL and the header fields."""
        if self.auth is not None or self.cookies.by_key or request.target.credentials is not None:
            return
        if not self._headers.is_sealed:
            self._gets = self.routes.cache(self._base_url, self._headers.seal())
        self.routes.remember(self._gets, url, request)

    def stream(self, method: str, url: str, **options: Unpack[StreamOptions]) -> ResponseStream:
        """Return a context manager for a request whose response is read as it comes.

        ``async with vu.http.stream("GET", url) as response`` enters when the head is there.
        `StreamedResponse` says how to read the body, `StreamOptions` what else can be said.
        """
        return ResponseStream(self, method, url, options)

    def sse(self, url: str, **options: Unpack[SseOptions]) -> EventStream:
        """Return a context manager for a stream of server-sent events, which it counts and times.

        ``async with vu.http.sse(url) as events: async for event in events`` gives each as a
        `ServerSentEvent`. `SseOptions` says when it connects again.
        """
        return EventStream(self, url, options)

    async def batch(self, requests: Iterable[BatchRequest], **limits: int) -> list[Response]:
        """Make several requests at once; return the responses in their order.

        Over HTTP/2 they share one connection, over HTTP/1.1 each has its own.

        Args:
            requests: URLs to get, ``(method, url)`` or ``(method, url, options)``.
            **limits: ``at_once``, 20 unless given, and ``at_once_per_host``, 6 (k6's defaults).
        """
        return await run_batch(self, requests, **limits)

    # One function, because each call would cost 0.1 µs or more.
    async def _round_trip(  # noqa: C901, PLR0912, PLR0915
        self, request: PreparedRequest, first: Attempt | None = None, begun: Begun | None = None
    ) -> Response:
        recorder = self._recorder
        context = recorder.context
        origin = request.origin
        began = perf_counter_ns()
        deadline = began + request.timeout if first is None else first.deadline
        exchange: Exchange | None = None
        try:
            if begun is None:
                connection = self._idle.pop(origin, None)
                if connection is None or connection.has_news or began - connection.ended_at > QUIET:
                    connection = await self._kept.obtain(request, connection, deadline)
                exchange = connection.open_exchange()
                await exchange.run(request, deadline)
            else:
                _, connection, exchange, began, deadline = begun
                await begun.exchange.finish()
            if exchange.is_plain and request.keeps_body:
                body = exchange.body
            else:
                body = await self._unpack(request, exchange, deadline)
        except NetworkError as error:
            if exchange is not None:
                again = (first or Attempt(exchange.started_at, deadline)).next()
                if await self._ledger.may_repeat(request, error, exchange, again):
                    return await self._round_trip(request, again)
            response = self._ledger.fail(request, error.failure, exchange, began, first)
            return await self._conclude(response, request, deadline)
        except BaseException:  # a hard stop: no row, but the bytes did flow
            self._ledger.abandon(exchange)
            raise

        status, protocol = exchange.status, exchange.protocol
        expected = self._ledger.expected if request.expected is ... else request.expected
        failed = None if expected is None else 0 if status in expected else 1
        key = (request.key, status, failed, protocol)
        tags = context.requests.get(key)
        if tags is None:
            tags = intern(context, key, outcome_tags(request, status, failed, protocol))
        if request.trace:
            tags = with_trace(tags, request.trace)
        row = (tags, failed, *phases(exchange, began, first))
        recorder.buffer.rows[HTTP_ROWS].append(row)
        recorder.bytes_sent += exchange.bytes_sent
        recorder.bytes_received += (received := exchange.bytes_received)
        response = Response(status, body, request, exchange.head, row, protocol, received)
        if (
            not connection.is_reusable
            or self._idle.setdefault(origin, connection) is not connection
        ):
            self._kept.keep(origin, connection)
        if status >= _FIRST_REDIRECT or failed or self._debug:
            return await self._conclude(response, request, deadline)
        self._ledger.last_response = response
        return response

    async def _unpack(self, request: PreparedRequest, exchange: Exchange, deadline: int) -> bytes:
        """Return the decoded body of the response, and keep its cookies."""
        if exchange.is_plain:  # the body is not wanted
            return b""
        lowered, body = exchange.lowered, exchange.body if request.keeps_body else b""
        if body and b"\r\ncontent-encoding:" in lowered:
            encodings = Headers.from_head(exchange.head).get("content-encoding", "")
            limit = self._runtime.options.max_response_size
            try:
                body = await decode(body, encodings, limit=limit, deadline=deadline)
            except DecodingError as error:
                exchange.body = error.content
                raise
        if b"\r\nset-cookie:" in lowered:
            self._keep_cookies(request, exchange)
        return body

    def _keep_cookies(self, request: PreparedRequest, exchange: Exchange) -> None:
        for header in Headers.from_head(exchange.head).get_list("set-cookie"):
            self.cookies.store(header, request.target.host, request.target.path)

    async def _conclude(
        self, response: Response, request: PreparedRequest, deadline: int
    ) -> Response:
        """Follow redirects, and do what else a response that is no plain 2xx may need."""
        self._ledger.note(response)
        if request.is_hop:
            return response
        response = await self._follow(response, request, deadline)
        if request.throw and response.is_error:
            response.raise_for_status()
        return response

    async def _follow(
        self, response: Response, request: PreparedRequest, deadline: int
    ) -> Response:
        chain = RedirectChain(self, request)
        while (to := chain.next(response)) is not None:
            request = chain.follow(to, response, deadline - perf_counter_ns())
            if to.failure is not None:
                failed = self._ledger.fail(request, to.failure)
                response = await self._conclude(failed, request, deadline)
                break
            response = await self._round_trip(request)
        response.history = tuple(chain.history)
        self._ledger.last_response = response
        return response

    def close(self) -> None:
        """Close all connections at once; HTTP/1.1's in use is closed when its task is cancelled."""
        self._kept.close()
