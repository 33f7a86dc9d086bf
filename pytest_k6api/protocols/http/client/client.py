"""The HTTP client of one virtual user: requests in, responses and rows out.

`Client._round_trip` and `Connection.exchange` together are the hot path
(``benchmarks/bench_http_client.py``); what not every request needs is outside
of them.
"""

from collections.abc import Coroutine, Iterable
from functools import partial
from itertools import chain
from time import perf_counter_ns
from typing import Any, Unpack

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.http.client import tagging
from pytest_k6api.protocols.http.client.batches import BatchRequest, run_batch
from pytest_k6api.protocols.http.client.exchange_log import describe_exchange, describe_fully
from pytest_k6api.protocols.http.client.prepare import (
    checked_method,
    prepare,
    prepare_broken,
    read_expected,
)
from pytest_k6api.protocols.http.client.routes import Expected, Origin, Plan
from pytest_k6api.protocols.http.client.runtime import HttpRuntime
from pytest_k6api.protocols.http.h1.connection import Connection
from pytest_k6api.protocols.http.message.auth import Auth
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.decoding import DecodingError, decode
from pytest_k6api.protocols.http.message.errors import TIMED_OUT, Failure, NetworkError
from pytest_k6api.protocols.http.message.headers import Headers, HeaderSource
from pytest_k6api.protocols.http.message.redirects import redirect
from pytest_k6api.protocols.http.message.request_options import ExpectedStatuses, RequestOptions
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow

# k6's default response callback.
_DEFAULT_EXPECTED = range(200, 400)
_FIRST_REDIRECT = 300

# Nanoseconds. A connection that was idle for longer may have been closed by the server, so
# `has_ended` is asked before it is used; in a busy loop the call would be for nothing.
_QUIET = 50_000_000


class Client:
    """The HTTP client of one virtual user: one kept-alive connection for each server.

    Responses are httpx's, plus ``timings``, ``error`` and ``error_code``. What the
    network does to a request is not raised but told by the response, whose
    ``status_code`` is 0 then, and counted.

    Attributes:
        headers: Header fields sent with every request.
        cookies: The jar; it lives as long as the virtual user (k6 empties its
            jar before each iteration).
        auth: How requests are signed, unless they say otherwise.
        last_response: The response that came last, for reports.
        routes: The load test's plans, by URL.
    """

    __slots__ = (
        "_base_url", "_debug", "_expected", "_gets", "_headers", "_idle", "_recorder", "_runtime",
        "_spare", "auth", "cookies", "last_response", "routes",
    )  # fmt: skip

    def __init__(self, runtime: HttpRuntime, recorder: Recorder) -> None:
        options = runtime.options
        self._runtime, self._recorder = runtime, recorder
        recorder.secrets = options.secrets
        self._debug = options.http_debug
        self._expected: Expected = _DEFAULT_EXPECTED
        self._idle: dict[Origin, Connection] = {}
        self._spare: dict[Origin, list[Connection]] = {}
        self._headers = Headers()
        if options.user_agent:
            self._headers["User-Agent"] = options.user_agent
        self.cookies = Cookies()
        self.auth: Auth | None = None
        self.last_response: Response | None = None
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
        self._gets = self.routes.below(base_url, "GET")

    @property
    def headers(self) -> Headers:
        """Header fields sent with every request of this virtual user."""
        return self._headers

    @headers.setter
    def headers(self, headers: HeaderSource) -> None:
        self._headers = Headers(headers)

    @property
    def expected_statuses(self) -> ExpectedStatuses:
        """The statuses that are no failure: 200 to 399 unless set; None judges nothing.

        Takes a status, a range, or a collection of both. Without judgement there
        is no sample of ``http_req_failed``, as in k6.
        """
        return self._expected

    @expected_statuses.setter
    def expected_statuses(self, statuses: ExpectedStatuses) -> None:
        self._expected = read_expected(statuses)

    def get(self, url: str, **options: Unpack[RequestOptions]) -> Coroutine[Any, Any, Response]:
        """GET `url`; see `RequestOptions` for what else can be said."""
        # No `async def`: a coroutine that only awaits another one would cost
        # what it gives nothing for.
        if not options:
            plan = self._gets.get(url)
            tail = self._headers.tail
            if (
                plan is not None
                and tail is not None
                and self.auth is None
                and not self.cookies.by_key
            ):
                return self._round_trip(plan, plan.start + tail)
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
            plan, wire = prepare(self, method, url, options)
        except InvalidURL as error:
            plan = prepare_broken(self, method, url, options)
            response = self._fail(plan, b"", Failure(error.code, str(error)))
            return await self._conclude(response, plan, 0)
        return await self._round_trip(plan, wire)

    async def batch(self, requests: Iterable[BatchRequest]) -> list[Response]:
        """Make several requests at once; return the responses in their order.

        At most 20 are under way at once, 6 of them to one host (k6's defaults).

        Args:
            requests: URLs to get, ``(method, url)`` or ``(method, url, options)``.
        """
        return await run_batch(self._request, requests)

    async def _request(self, method: str, url: str, options: RequestOptions) -> Response:
        return await self.request(method, url, **options)

    # One function, because each call would cost 0.1 µs or more.
    async def _round_trip(  # noqa: C901, PLR0912, PLR0915
        self, plan: Plan, wire: bytes, first: tagging.Attempt | None = None
    ) -> Response:
        recorder = self._recorder
        context = recorder.context
        origin = plan.origin
        began = perf_counter_ns()
        deadline = began + plan.timeout if first is None else first.deadline
        connection = self._idle.pop(origin, None)
        try:
            if connection is None or connection.has_news or began - connection.ended_at > _QUIET:
                # If there is none, the old one's last exchange must not pass for this one.
                kept, connection = connection, None
                connection = await self._obtain(plan, kept, deadline)
            await connection.exchange(wire, deadline, has_body=plan.has_body, upload=plan.upload)
            if connection.is_plain:
                body = connection.body
            else:
                body = await self._unpack(plan, connection, deadline)
        except NetworkError as error:
            if connection is not None and self._may_repeat(plan, error, connection, deadline):
                first = first or tagging.Attempt(connection.started_at, deadline)
                return await self._round_trip(plan, wire, first)
            response = self._fail(plan, wire, error.failure, connection, began, first)
            return await self._conclude(response, plan, deadline)
        except BaseException:  # a hard stop: no row, but the bytes did flow
            self._count_bytes(connection)
            if connection is not None:
                connection.close()
            raise

        if connection.is_used:
            blocked = connecting = handshaking = 0
        else:
            connection.is_used = True
            blocked = (connection.ready_at - began) // 1000
            connecting = connection.connecting // 1000
            handshaking = connection.handshaking // 1000
        started = connection.started_at
        if first is not None:  # as in k6: it took until now to be written
            started = first.started_at
            blocked = connecting = handshaking = 0
        sending = (connection.sent_at - started) // 1000
        waiting = (connection.first_byte_at - started) // 1000 - sending
        duration = (connection.ended_at - started) // 1000
        if waiting < 0:
            # The response was there before `send` returned, as a fast server's on the
            # same machine may be; or it had not been asked for, or the wall clock was set.
            sending, waiting = 0, max(0, sending + waiting)
            duration = max(0, duration)

        status = connection.status
        expected = plan.expected
        if expected is ...:
            expected = self._expected
        failed = None if expected is None else 0 if status in expected else 1
        protocol = connection.protocol
        key = (plan.key, status, failed, protocol)
        tags = context.requests.get(key)
        if tags is None:
            tags = tagging.intern(
                context, key, tagging.outcome_tags(plan, status, failed, protocol)
            )
        row = (
            tags,
            failed,
            duration,
            blocked,
            connecting,
            handshaking,
            sending,
            waiting,
            duration - sending - waiting,
        )
        recorder.buffer.rows[HTTP_ROWS].append(row)
        recorder.bytes_sent += connection.bytes_sent
        recorder.bytes_received += connection.bytes_received

        response = Response(
            status, body, plan, wire, connection.head, row, protocol, connection.bytes_received
        )
        if not connection.is_reusable:
            connection.close()
        elif self._idle.setdefault(origin, connection) is not connection:
            self._spare.setdefault(origin, []).append(connection)
        if status >= _FIRST_REDIRECT or failed or self._debug:
            return await self._conclude(response, plan, deadline)
        self.last_response = response
        return response

    async def _obtain(self, plan: Plan, connection: Connection | None, deadline: int) -> Connection:
        """Return a connection that is open as far as one can tell: a kept one, or a new one."""
        spare = self._spare.get(plan.origin, [])
        while connection is not None or spare:
            candidate = connection or spare.pop()
            # What is sent to nobody is sent again, if that may be.
            if not candidate.has_ended(may_err=plan.is_repeatable):
                return candidate
            candidate.close()
            connection = None
        return await self._runtime.dial(plan.origin, deadline)

    async def _unpack(self, plan: Plan, connection: Connection, deadline: int) -> bytes:
        """Return the decoded body of the response that came, and keep its cookies."""
        lowered, body = connection.lowered, connection.body
        if b"\r\ncontent-encoding:" in lowered:
            encodings = Headers.from_head(connection.head).get("content-encoding", "")
            limit = self._runtime.options.max_response_size
            try:
                body = await decode(body, encodings, limit=limit, deadline=deadline)
            except DecodingError as error:
                connection.body = error.content
                raise
        if b"\r\nset-cookie:" in lowered:
            for header in Headers.from_head(connection.head).get_list("set-cookie"):
                self.cookies.store(header, plan.target.host, plan.target.path)
        return body

    def _count_bytes(self, connection: Connection | None) -> None:
        if connection is not None:
            self._recorder.bytes_sent += connection.bytes_sent
            self._recorder.bytes_received += connection.bytes_received

    def _may_repeat(
        self, plan: Plan, error: NetworkError, connection: Connection, deadline: int
    ) -> bool:
        """Count what a failed attempt sent; return whether to send again, and count that, too."""
        self._count_bytes(connection)
        connection.close()
        if not error.is_stale or not (plan.is_repeatable or not connection.bytes_sent):
            return False
        if perf_counter_ns() >= deadline:
            error.failure = TIMED_OUT
            return False
        tagging.record_retry(self._recorder, plan)
        return True

    def _fail(  # noqa: PLR0917 - as `Response`
        self,
        plan: Plan,
        wire: bytes,
        failure: Failure,
        connection: Connection | None = None,
        began: int = 0,
        first: tagging.Attempt | None = None,
    ) -> Response:
        """Record a round trip that got no usable response, and return what is told of it."""
        context = self._recorder.context
        expected = self._expected if plan.expected is ... else plan.expected
        failed = None if expected is None else 0 if 0 in expected else 1
        tags = tagging.failure_id(context, plan, failure, failed)
        phases = tagging.failed_phases(connection, began, first)
        row: HttpRow = (tags, failed, *phases)
        self._recorder.buffer.rows[HTTP_ROWS].append(row)
        head, body, received = b"", b"", 0
        if connection is not None:
            head, body, received = connection.head, connection.body, connection.bytes_received
        return Response(0, body, plan, wire, head, row, "", received, failure)

    def _keep_failure(self, response: Response) -> None:
        tags_id, failed, *_ = response.row
        if failed:
            describe = partial(describe_exchange, response)
            self._recorder.keep_failed(tags_id, response.status_code, response, describe)

    async def _conclude(self, response: Response, plan: Plan, deadline: int) -> Response:
        """Follow redirects, and do what else a response that is no plain 2xx may need."""
        self.last_response = response
        self._keep_failure(response)
        if self._debug == "all" or (self._debug and response.is_error):
            self._runtime.options.show_exchange(describe_fully(response))
        if plan.is_hop:
            return response
        response = await self._follow(response, plan, deadline)
        if plan.throw and response.is_error:
            response.raise_for_status()
        return response

    async def _follow(self, response: Response, plan: Plan, deadline: int) -> Response:
        history: list[Response] = []
        redirects = plan.redirects
        is_foreign = False
        while redirects and (hop := redirect(response, plan)) is not None:
            redirects -= 1
            history.append(response)
            # Once abroad, always abroad: credentials stay dropped on the way back.
            is_foreign = is_foreign or hop.is_foreign
            if hop.failure is not None:
                plan = prepare_broken(self, hop.method, hop.url, hop.options)
                plan.is_hop = True
                response = await self._conclude(self._fail(plan, b"", hop.failure), plan, deadline)
                break
            plan, wire = prepare(self, hop.method, hop.url, hop.options, is_foreign=is_foreign)
            plan.is_hop = True
            plan.timeout = max(1, deadline - perf_counter_ns())
            response = await self._round_trip(plan, wire)
        response.history = tuple(history)
        self.last_response = response
        return response

    def close(self) -> None:
        """Close all idle connections at once; one in use is closed when its task is cancelled."""
        for connection in chain(self._idle.values(), *self._spare.values()):
            connection.close()
        self._idle.clear()
        self._spare.clear()
