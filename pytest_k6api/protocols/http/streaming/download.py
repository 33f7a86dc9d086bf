"""One response that is received piece by piece, from the connection to its row.

It keeps the client's promise: what the network does is counted and not raised. A body
that is cut ends, and `Download.failure` says why.
"""

from time import perf_counter_ns
from typing import Protocol

from pytest_k6api.protocols.http.client.connection import Connection, Exchange, IncomingBody
from pytest_k6api.protocols.http.client.kept import KeptConnections
from pytest_k6api.protocols.http.client.prepare import Defaults
from pytest_k6api.protocols.http.client.runtime import HttpRuntime
from pytest_k6api.protocols.http.client.samples import NO_PHASES, Attempt, phases
from pytest_k6api.protocols.http.ledger import Ledger
from pytest_k6api.protocols.http.message.errors import NetworkError, RequestFailure
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.http.rows import HttpRow


class StreamingClient(Defaults, Protocol):
    """The client as streams need it: its connections, its jar and its ledger."""

    _runtime: HttpRuntime
    _ledger: Ledger
    _kept: KeptConnections

    def _keep_cookies(self, request: PreparedRequest, exchange: Exchange) -> None:
        """Put the cookies that the response sets into the jar."""


class Download:
    """A request and its response under way.

    Attributes:
        request: The request.
        exchange: Its exchange; None without a connection.
        body: The body that is to be received; None if there is none, or none any more.
        failure: Why there is no response, or no more of it; None if nothing went wrong.
        idle: Nanoseconds that the server may take for the next piece.
        whole_at: When the stream is overdue as a whole, in perf_counter_ns.
    """

    __slots__ = (
        "_began", "_client", "_connection", "_first",
        "body", "exchange", "failure", "idle", "request", "whole_at",
    )  # fmt: skip

    def __init__(
        self, client: StreamingClient, request: PreparedRequest, *, idle: int, whole_at: int = NEVER
    ) -> None:
        self.request = request
        self.exchange: Exchange | None = None
        self.failure: RequestFailure | None = None
        self.idle = idle
        self.whole_at = whole_at
        self._client = client
        self.body: IncomingBody | None = None
        self._connection: Connection | None = None
        self._began = 0
        self._first: Attempt | None = None

    def __repr__(self) -> str:
        return f"<Download of {self.request!r}>"

    async def begin(self, deadline: int) -> None:
        """Send the request and receive the head of the response, before `deadline`."""
        client, request = self._client, self.request
        while True:
            self._began = perf_counter_ns()
            self.exchange = exchange = None
            try:
                idle = client._kept.idle.pop(request.origin, None)
                self._connection = await client._kept.obtain(request, idle, deadline)
                self.exchange = exchange = self._connection.open_exchange()
                self.body = await exchange.start(request, deadline)
            except NetworkError as error:
                if exchange is not None:
                    again = (self._first or Attempt(exchange.started_at, deadline)).next()
                    if await client._ledger.may_repeat(request, error, exchange, again):
                        self._first = again
                        continue
                self.failure = error.failure
            except BaseException:  # a hard stop: no row, but the bytes did flow
                client._ledger.abandon(exchange)
                raise
            return

    def timed(self) -> HttpRow:
        """Return a row with the phases so far, which belongs to no tag set."""
        if self.exchange is None:
            return (0, None, *NO_PHASES, perf_counter_ns())
        return (0, None, *phases(self.exchange, self._began, self._first))

    def end(self) -> HttpRow:
        """Write the row, and keep the connection if the whole body was read; else close it."""
        ledger, request, exchange = self._client._ledger, self.request, self.exchange
        body, self.body, connection = self.body, None, self._connection
        if exchange is None or connection is None or body is None:
            failure = self.failure
            assert failure is not None
            return ledger.record_failure(request, failure, exchange, self._began, self._first)
        ledger.count_bytes(exchange)
        if self.failure is None:
            row = ledger.record_outcome(request, exchange, self._began, self._first)
        else:
            row = ledger.record_failure(request, self.failure, exchange, self._began, self._first)
        if not body.is_complete or self.failure is not None:
            exchange.close()
        self._client._kept.keep(request.origin, connection)
        return row
