"""What becomes of the requests of one virtual user: rows, counts of bytes, exchanges for reports.

A request that succeeds is recorded by the client itself, on the hot path; whatever else
may happen to one, received as a whole or as a stream, is recorded here.
"""

from functools import partial
from time import perf_counter_ns

import trio

from pytest_k6api.model import Recorder, with_trace
from pytest_k6api.protocols.http.client.connection import Exchange
from pytest_k6api.protocols.http.client.exchange_log import describe_exchange, describe_fully
from pytest_k6api.protocols.http.client.options import ClientOptions
from pytest_k6api.protocols.http.client.samples import (
    NO_PHASES,
    Attempt,
    Moments,
    failure_id,
    intern,
    outcome_tags,
    phases,
    record_retry,
)
from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError, RequestFailure
from pytest_k6api.protocols.http.message.prepared import PreparedRequest, StatusSet
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow

# k6's default response callback.
DEFAULT_EXPECTED = range(200, 400)

# How often a request is sent again that the server has refused to deal with; and the half of the
# seconds that the second repetition waits, each further one twice as long.
_MOST_REPEATS = 5
_PAUSE = 0.025


class Ledger:
    """The records of one virtual user's requests.

    Attributes:
        recorder: Receives them.
        expected: The statuses that are no failure, unless the request says otherwise.
        last_response: The latest response, for reports.
    """

    __slots__ = ("_options", "expected", "last_response", "recorder")

    def __init__(self, recorder: Recorder, options: ClientOptions) -> None:
        self.recorder = recorder
        self.expected: StatusSet = DEFAULT_EXPECTED
        self.last_response: Response | None = None
        self._options = options

    def judge(self, request: PreparedRequest, status: int) -> int | None:
        """Return 1 if `status` is a failure, 0 if it is none, None without a judgement."""
        expected = self.expected if request.expected is ... else request.expected
        return None if expected is None else 0 if status in expected else 1

    def record_outcome(
        self, request: PreparedRequest, exchange: Exchange, began: int, first: Attempt | None
    ) -> HttpRow:
        """Record a request that got a response; return its row."""
        context = self.recorder.context
        status, protocol = exchange.status, exchange.protocol
        failed = self.judge(request, status)
        key = (request.key, status, failed, protocol)
        tags = context.requests.get(key)
        if tags is None:
            tags = intern(context, key, outcome_tags(request, status, failed, protocol))
        row = (with_trace(tags, request.trace), failed, *phases(exchange, began, first))
        self.recorder.buffer.rows[HTTP_ROWS].append(row)
        return row

    def record_failure(
        self,
        request: PreparedRequest,
        failure: RequestFailure,
        exchange: Exchange | None = None,
        began: int = 0,
        first: Attempt | None = None,
    ) -> HttpRow:
        """Record a request that got no usable response; return its row.

        Args:
            request: The request.
            failure: What went wrong.
            exchange: Its moments; None if it got no connection.
            began: When the client took it up, in perf_counter_ns.
            first: Its first sending, if `exchange` is another.
        """
        failed = self.judge(request, 0)
        measured = (*NO_PHASES, perf_counter_ns())
        if first is not None:  # until now it had not been written, as in k6
            measured = phases(Moments(first.started_at, perf_counter_ns()), began)
        elif exchange is not None:
            measured = phases(exchange, began)
        tags = failure_id(self.recorder.context, request, failure, failed)
        row: HttpRow = (with_trace(tags, request.trace), failed, *measured)
        self.recorder.buffer.rows[HTTP_ROWS].append(row)
        return row

    def fail(
        self,
        request: PreparedRequest,
        failure: RequestFailure,
        exchange: Exchange | None = None,
        began: int = 0,
        first: Attempt | None = None,
    ) -> Response:
        """Record a request that got no usable response; return what is told of it.

        The arguments are those of `record_failure`.
        """
        row = self.record_failure(request, failure, exchange, began, first)
        return failed_response(request, failure, row, exchange)

    def count_bytes(self, exchange: Exchange) -> None:
        """Count the bytes that an exchange put on the wire and took from it."""
        self.recorder.bytes_sent += exchange.bytes_sent
        self.recorder.bytes_received += exchange.bytes_received

    def abandon(self, exchange: Exchange | None) -> None:
        """Count the bytes of an exchange that gives no response, and end it."""
        if exchange is not None:
            self.count_bytes(exchange)
            exchange.close()

    async def may_repeat(
        self, request: PreparedRequest, error: NetworkError, exchange: Exchange, again: Attempt
    ) -> bool:
        """End a failed attempt; return whether to send again, and count that, too.

        A request that the server has refused to deal with waits a little from the second time on.
        """
        self.abandon(exchange)
        is_safe = request.is_repeatable or not exchange.bytes_sent
        if not error.is_stale or not (is_safe or (error.is_unseen and request.upload is None)):
            return False
        if error.is_unseen:
            if again.repeated > _MOST_REPEATS:
                return False
            await trio.sleep(_PAUSE * (2**again.repeated - 2))
        if perf_counter_ns() >= again.deadline:
            error.failure = TIMED_OUT
            return False
        record_retry(self.recorder, request)
        return True

    def note(self, response: Response, given: Response | None = None) -> None:
        """Keep `response` for reports, and show it if the user asked for it.

        Args:
            response: The response, whose body is in memory.
            given: What user code got instead of it, if it did.
        """
        self.last_response = response
        tags_id, failed, *_ = response.row
        if failed:
            describe = partial(describe_exchange, response)
            self.recorder.keep_failed(tags_id, response.status_code, given or response, describe)
        debug = self._options.http_debug
        if debug == "all" or (debug and response.is_error):
            self._options.show_exchange(describe_fully(response))


def failed_response(
    request: PreparedRequest, failure: RequestFailure, row: HttpRow, exchange: Exchange | None
) -> Response:
    """Return what is told of a request that got no usable response, with what came of one."""
    head, body, received = b"", b"", 0
    if exchange is not None:
        head, body, received = exchange.head, exchange.body, exchange.bytes_received
    return Response(0, body, request, head, row, "", received, failure)
