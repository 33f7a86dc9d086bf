"""The tags of HTTP samples, and the phases of failed requests, as k6 sets them.

Source: k6 v1.1.0, ``lib/netext/httpext/transport.go``, ``measureAndEmitMetrics``.
"""

from time import perf_counter_ns
from typing import NamedTuple, Protocol

from pytest_k6api.model import Recorder, TagContext
from pytest_k6api.model.metrics import HTTP_REQ_RETRIES
from pytest_k6api.protocols.http.client.routes import Plan
from pytest_k6api.protocols.http.h1.connection import Connection
from pytest_k6api.protocols.http.message.errors import Failure

_FIRST_ERROR_STATUS = 400
_MOST_WITH_QUOTES = 1000


class Attempt(NamedTuple):
    """The first sending of a request that is sent again.

    Attributes:
        started_at: When it began, in perf_counter_ns.
        deadline: When the request is overdue, its repetitions included.
    """

    started_at: int
    deadline: int


class Asked(Protocol):
    """What was asked for, as far as tags tell of it."""

    @property
    def method(self) -> str:
        """As it goes over the wire."""

    @property
    def name(self) -> str:
        """k6's tags ``name`` and ``url``."""

    @property
    def tags(self) -> dict[str, str] | None:
        """The user's tags for this request."""


def outcome_tags(plan: Asked, status: int, failed: int | None, protocol: str) -> dict[str, str]:
    """Return the tags of a round trip that got a response.

    Args:
        plan: What was asked for.
        status: The response's status.
        failed: 1, 0, or None if nobody judges.
        protocol: ``HTTP/1.1``, followed by k6's TLS version if there is one.
    """
    proto, _, tls_version = protocol.partition(" ")
    tags = _request_tags(plan, failed)
    tags["status"] = str(status)
    tags["proto"] = proto
    if tls_version:
        tags["tls_version"] = tls_version
    if status >= _FIRST_ERROR_STATUS:
        tags["error_code"] = str(1000 + status)
    return tags


def failure_tags(plan: Asked, failure: Failure, failed: int | None) -> dict[str, str]:
    """Return the tags of a round trip that got no usable response."""
    tags = _request_tags(plan, failed)
    tags["status"] = "0"
    tags["error"] = failure.text
    tags["error_code"] = str(failure.code)
    return tags


def failure_id(context: TagContext, plan: Plan, failure: Failure, failed: int | None) -> int:
    """Return the number of a failed round trip's tags.

    Where very many have been seen, the words are kept without what they quote: a
    server that answers with other bytes each time would make a series of each.
    """
    key = (plan.key, failure, failed)
    tags = context.requests.get(key)
    if tags is not None:
        return tags
    text, quote, _ = failure.text.partition(' "')
    if quote and len(context.requests) >= _MOST_WITH_QUOTES:
        return failure_id(context, plan, Failure(failure.code, text), failed)
    return intern(context, key, failure_tags(plan, failure, failed))


def record_retry(recorder: Recorder, plan: Plan) -> None:
    """Count that a request is sent again; it stays one of ``http_reqs``."""
    context = recorder.context
    key = (plan.key, "retry")
    tags = context.requests.get(key)
    if tags is None:
        tags = intern(context, key, _request_tags(plan, None))
    recorder.buffer.samples.append((HTTP_REQ_RETRIES, tags, 1.0))


def _request_tags(plan: Asked, failed: int | None) -> dict[str, str]:
    tags = dict(plan.tags or {})
    tags.update(method=plan.method, name=plan.name, url=plan.name)
    if failed is not None:
        tags["expected_response"] = "false" if failed else "true"
    return tags


def intern(context: TagContext, key: object, tags: dict[str, str]) -> int:
    """Return the number of `tags` at `context`, and remember it there by `key`."""
    number = context.requests[key] = context.id_with(tags)
    return number


def failed_phases(
    connection: Connection | None, began: int, first: Attempt | None = None
) -> tuple[int, int, int, int, int, int, int]:
    """Return duration, blocked, connecting, tls, sending, waiting, receiving in microseconds.

    All are 0 without a connection, as in k6. Without a response, waiting goes on
    to the end. A request that was sent before took until now to be written.
    """
    if first is not None:
        sending = (perf_counter_ns() - first.started_at) // 1000
        return sending, 0, 0, 0, sending, 0, 0
    if connection is None:
        return 0, 0, 0, 0, 0, 0, 0
    is_new = not connection.is_used
    ready = connection.ready_at if is_new else began
    started = connection.started_at or connection.ended_at
    ended = max(started, connection.ended_at)
    answered = max(started, connection.first_byte_at or ended)
    sent = connection.sent_at or ended
    # A response may be there before `send` returned.
    sending = (sent - started) // 1000 if sent <= answered else 0
    waiting = (answered - started) // 1000 - sending
    duration = (ended - started) // 1000
    return (
        duration,
        (ready - began) // 1000,
        connection.connecting // 1000 if is_new else 0,
        connection.handshaking // 1000 if is_new else 0,
        sending,
        waiting,
        duration - sending - waiting,
    )
