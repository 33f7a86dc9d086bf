"""The samples of HTTP requests: their tags and their phases, as k6 sets them.

Pure. Requests of ``vu.http`` and of instrumented clients, whether they succeed or
fail, get both from here.

Source: k6 v1.1.0, ``lib/netext/httpext/transport.go``, ``measureAndEmitMetrics``.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pytest_k6api.model import Recorder, TagContext
from pytest_k6api.model.metrics import HTTP_REQ_RETRIES
from pytest_k6api.protocols.http.message.errors import RequestFailure
from pytest_k6api.protocols.http.message.prepared import PreparedRequest

_FIRST_ERROR_STATUS = 400
_MOST_TEXTS = 1000
_TOLD = re.compile(r' (?:"|0x).*|(?<=header line:) .*', re.DOTALL)


class Attempt(NamedTuple):
    """The first sending of a request that is sent again.

    Attributes:
        started_at: When it began, in perf_counter_ns.
        deadline: When the request is overdue, its repetitions included.
        repeated: How often it was sent again since.
    """

    started_at: int
    deadline: int
    repeated: int = 0

    def next(self) -> "Attempt":
        """Return the same for one more repetition."""
        return self._replace(repeated=self.repeated + 1)


class Tagged(Protocol):
    """The parts of a request that its tags tell of."""

    @property
    def method(self) -> str:
        """As it goes over the wire."""

    @property
    def name(self) -> str:
        """k6's tags ``name`` and ``url``."""

    @property
    def tags(self) -> dict[str, str] | None:
        """The user's tags for this request."""


def outcome_tags(request: Tagged, status: int, failed: int | None, protocol: str) -> dict[str, str]:
    """Return the tags of a round trip that got a response.

    Args:
        request: The request.
        status: The response's status.
        failed: 1, 0, or None without a judgement.
        protocol: ``HTTP/1.1``, followed by k6's TLS version if there is one.
    """
    proto, _, tls_version = protocol.partition(" ")
    tags = request_tags(request, failed)
    tags["status"] = str(status)
    tags["proto"] = proto
    if tls_version:
        tags["tls_version"] = tls_version
    if status >= _FIRST_ERROR_STATUS:
        tags["error_code"] = str(1000 + status)
    return tags


def failure_tags(request: Tagged, failure: RequestFailure, failed: int | None) -> dict[str, str]:
    """Return the tags of a round trip that got no usable response."""
    tags = request_tags(request, failed)
    tags["status"] = "0"
    tags["error"] = failure.text
    tags["error_code"] = str(failure.code)
    return tags


def failure_id(
    context: TagContext, request: PreparedRequest, failure: RequestFailure, failed: int | None
) -> int:
    """Return the number of a failed round trip's tags.

    Where very many have been seen, the words are kept without the bytes or the code that they
    tell of: a server that answers with others each time would make a series of each.
    """
    key = (request.key, failure, failed)
    tags = context.requests.get(key)
    if tags is not None:
        return tags
    if len(context.requests) >= _MOST_TEXTS:
        failure = RequestFailure(failure.code, _TOLD.sub("", failure.text))
        key = (request.key, failure, failed)
        if key in context.requests:
            return context.requests[key]
    return intern(context, key, failure_tags(request, failure, failed))


def record_retry(recorder: Recorder, request: PreparedRequest) -> None:
    """Count that a request is sent again; it stays one of ``http_reqs``."""
    context = recorder.context
    key = (request.key, "retry")
    tags = context.requests.get(key)
    if tags is None:
        tags = intern(context, key, request_tags(request, None))
    recorder.buffer.samples.append((HTTP_REQ_RETRIES, tags, 1.0))


def request_tags(request: Tagged, failed: int | None = None) -> dict[str, str]:
    """Return the tags of whatever belongs to `request`."""
    tags = dict(request.tags or {})
    tags.update(method=request.method, name=request.name, url=request.name)
    if failed is not None:
        tags["expected_response"] = "false" if failed else "true"
    return tags


def intern(context: TagContext, key: object, tags: dict[str, str]) -> int:
    """Return the number of `tags` at `context`, and remember it there by `key`."""
    number = context.requests[key] = context.id_with(tags)
    return number


class Timed(Protocol):
    """The moments of an exchange, in perf_counter_ns; 0 for what has not happened.

    Attributes:
        ready_at: When the connection was open.
        connecting, handshaking: Nanoseconds that TCP and TLS took; 0 if another exchange
            has opened the connection.
        started_at, sent_at: When sending began and ended.
        first_byte_at, ended_at: When the first and the last byte of the response came;
            the second also tells when a request failed.
    """

    ready_at: int
    connecting: int
    handshaking: int
    started_at: int
    sent_at: int
    first_byte_at: int
    ended_at: int


@dataclass(slots=True)
class Moments:
    """The moments of an exchange that is not one of ours; see `Timed`."""

    started_at: int
    ended_at: int
    sent_at: int = 0
    first_byte_at: int = 0
    ready_at: int = 0
    connecting: int = 0
    handshaking: int = 0


Phases = tuple[int, int, int, int, int, int, int, int]
"""duration, blocked, connecting, tls, sending, waiting, receiving: whole microseconds; and the
end of the response, in perf_counter_ns."""

NO_PHASES = (0, 0, 0, 0, 0, 0, 0)
"""Those of a request that got no connection, as in k6; without the end."""


def phases(exchange: Timed, began: int, first: Attempt | None = None) -> Phases:
    """Return the phases of a request, whatever became of it.

    Without a response, sending or waiting goes on to the end. A request that is sent
    again took from its first sending until the second to be written, as in k6.

    Args:
        exchange: Its moments.
        began: When the client took it up, in perf_counter_ns.
        first: Its first attempt, if this is another.
    """
    started = exchange.started_at
    if first is not None:
        started = first.started_at or started
    sent, answered, ended = exchange.sent_at, exchange.first_byte_at, exchange.ended_at
    if not 0 < started <= sent <= answered <= ended:
        # The response may be there before `send` returns, as a fast server's on the same
        # machine; or before it was asked for; or the wall clock was set; or there is none.
        started = started or ended
        ended = max(started, ended)
        answered = min(max(started, answered or ended), ended)
        sent = sent or ended
        if not started <= sent <= answered:
            sent = started
    sending = (sent - started) // 1000
    waiting = (answered - started) // 1000 - sending
    duration = (ended - started) // 1000
    receiving = duration - sending - waiting
    if exchange.ready_at <= began or (first is not None and first.started_at):
        return duration, 0, 0, 0, sending, waiting, receiving, ended
    return (
        duration,
        (exchange.ready_at - began) // 1000,
        exchange.connecting // 1000,
        exchange.handshaking // 1000,
        sending,
        waiting,
        receiving,
        ended,
    )
