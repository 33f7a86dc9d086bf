"""One request of httpx or httpx2, measured into the row that ``vu.http`` would write.

httpcore, which httpx and httpx2 send with, tells each step through the extension
``trace``; the phases are the times between those steps. A transport without it,
such as one that calls an application in the process, has only waiting and
receiving. Bytes are estimated: the heads as HTTP/1.1 would write them, and the
bodies without the framing of chunks.
"""

from collections.abc import Iterable
from functools import partial
from time import perf_counter_ns
from typing import Any

from pytest_k6api.model import OptionError, Recorder, Secrets
from pytest_k6api.protocols.http.client.exchange_log import request_lines, response_lines
from pytest_k6api.protocols.http.client.prepare import read_expected
from pytest_k6api.protocols.http.client.samples import (
    NO_PHASES,
    Moments,
    Phases,
    failure_tags,
    outcome_tags,
    phases,
)
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.errors import RequestFailure
from pytest_k6api.protocols.http.message.prepared import StatusSet
from pytest_k6api.protocols.http.message.request_options import ExpectedStatuses
from pytest_k6api.protocols.http.message.urls import Target
from pytest_k6api.protocols.http.net.tls import version_name
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow
from pytest_k6api.protocols.instrument.httpx_errors import explain_httpx

_STARTED = "send_request_headers.started"
_AFTER_START = (
    "send_request_headers.complete",
    "send_request_body.complete",
    "receive_response_headers.complete",
    "receive_response_body.complete",
)
_EXTENSION = frozenset({"name", "tags", "expected_statuses"})
_PROTOCOLS = {"HTTP/2": "HTTP/2.0"}  # as Go writes it
_REST_OF_REQUEST_LINE = len("  HTTP/1.1\r\n")
_LONGEST_SIZE = 16  # digits of a Content-Length that can be true
_STATUS_LINE = len("HTTP/1.1 200 OK\r\n")


class HttpxExchange:
    """A request from its start to its row; ends once, whatever is called afterwards.

    Attributes:
        method: As it goes over the wire.
        name: k6's tags ``name`` and ``url``.
        tags: The user's tags for this request.
        received: Bytes of the response's body that were read so far.

    Args:
        request: The request, of httpx or httpx2.
        recorder: Of the virtual user that makes it.
        expected: The statuses that are no failure, if the request says nothing.

    Raises:
        OptionError: The request's extension ``k6`` cannot be read.
    """

    def __init__(
        self,
        request: Any,  # httpx's or httpx2's, neither of which is imported
        recorder: Recorder,
        expected: ExpectedStatuses,
    ) -> None:
        told = _read_extension(request.extensions.get("k6", {}))
        self.method: str = request.method
        self.tags = {str(key): str(value) for key, value in dict(told.get("tags", {})).items()}
        name = told.get("name") or self.tags.get("name")
        self.name = _name_of(str(request.url), recorder.secrets) if name is None else str(name)
        self._expected: StatusSet = read_expected(told.get("expected_statuses", expected))
        self.received = 0
        self._request = request
        self._recorder = recorder
        self._response: Any = None  # see `request`
        self._responded_at: int | None = None
        self._at: dict[str, int] = {}
        self._is_over = False
        self._began = perf_counter_ns()

    def mark(self, event: str) -> None:
        """Remember when `event` happened, such as ``http11.send_request_body.complete``."""
        step = event.partition(".")[2]
        if step == _STARTED:
            # Through a proxy, what was sent first was the request for a tunnel.
            for later in _AFTER_START:
                self._at.pop(later, None)
        self._at[step] = perf_counter_ns()

    def respond(self, response: Any) -> None:  # see `__init__`
        """Remember that `response` began to come."""
        self._response = response
        self._responded_at = perf_counter_ns()

    def finish(self) -> None:
        """Record that the response was read, or as much of it as was wanted."""
        if self._end():
            response = self._response
            failed = self._judge(response.status_code)
            tags = outcome_tags(self, response.status_code, failed, _protocol(response))
            self._record(tags, failed, response.status_code)

    def fail(self, error: Exception) -> None:
        """Record that `error` came instead of a response, or of the rest of it."""
        if self._end():
            self._record_failure(explain_httpx(error))

    def drop(self) -> None:
        """Record nothing but the bytes: a hard stop cut it off."""
        self._end()

    def _end(self) -> bool:
        """Count the bytes, and tell whether this is the first end."""
        if self._is_over:
            return False
        self._is_over = True
        request, response = self._request, self._response
        if response is not None or _STARTED in self._at:
            line = len(request.method) + len(request.url.raw_path) + _REST_OF_REQUEST_LINE
            body = request.headers.get("content-length", "")
            self._recorder.bytes_sent += line + _size(request.headers.raw)
            self._recorder.bytes_sent += (
                int(body) if body.isdecimal() and len(body) < _LONGEST_SIZE else 0
            )
        if response is not None:
            head = _STATUS_LINE + _size(response.headers.raw)
            self._recorder.bytes_received += head + self.received
        return True

    def _judge(self, status: int) -> int | None:
        return None if self._expected is None else 0 if status in self._expected else 1

    def _record_failure(self, failure: RequestFailure) -> None:
        failed = self._judge(0)
        self._record(failure_tags(self, failure, failed), failed, 0, failure)

    def _record(
        self,
        tags: dict[str, str],
        failed: int | None,
        status: int,
        failure: RequestFailure | None = None,
    ) -> None:
        recorder = self._recorder
        row: HttpRow = (recorder.context.id_with(tags), failed, *self._phases())
        recorder.buffer.rows[HTTP_ROWS].append(row)
        if failed:
            response = self._response
            describe = partial(_describe, self._request, response, row, failure, recorder.secrets)
            recorder.keep_failed(row[0], status, response, describe)

    def _phases(self) -> Phases:
        at = self._at
        ended = at.get("receive_response_body.complete") or perf_counter_ns()
        started = at.get(_STARTED) or (self._began if self._response is not None else None)
        if started is None:  # no connection
            return (*NO_PHASES, ended)
        moments = Moments(
            started_at=started,
            sent_at=at.get("send_request_body.complete") or (ended if at else started),
            first_byte_at=at.get("receive_response_headers.complete") or self._responded_at or 0,
            ended_at=ended,
            is_used=False,
            ready_at=started,
            connecting=self._between("connect_tcp") or self._between("connect_unix_socket"),
            handshaking=self._between("start_tls"),
        )
        return phases(moments, self._began)

    def _between(self, step: str) -> int:
        ended = self._at.get(f"{step}.complete")
        return ended - self._at[f"{step}.started"] if ended else 0


def _read_extension(told: Any) -> dict[str, Any]:  # whatever a user wrote
    if isinstance(told, dict) and told.keys() <= _EXTENSION:
        return told
    raise OptionError(
        f"the extension 'k6' of a request is a dict of {', '.join(sorted(_EXTENSION))}, got {told!r}"
    )


def _name_of(url: str, secrets: Secrets) -> str:
    try:
        return Target(url, secrets).name  # its secrets are masked
    except InvalidURL:
        return Target.broken(url, secrets).name


def _describe(
    request: Any, response: Any, row: HttpRow, failure: RequestFailure | None, secrets: Secrets
) -> str:  # see `HttpxExchange`
    """Return the exchange as text, masked; without bodies, which belong to the user's client."""
    if failure is not None:
        outcome = f"{failure.text} (error code {failure.code})"
    else:
        outcome = f"{response.status_code} {response.reason_phrase}".rstrip()
    sent, url = request.headers.multi_items(), str(request.url)
    received = response.headers.multi_items() if response is not None else ()
    return "\n".join(
        (
            *request_lines(request.method, url, sent, secrets),
            *response_lines(outcome, row, received, secrets),
        )
    )


def _protocol(response: Any) -> str:  # see `HttpxExchange`
    extensions = response.extensions
    version = extensions.get("http_version", b"HTTP/1.1").decode("ascii", "replace")
    stream = extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    protocol = _PROTOCOLS.get(version, version)
    return f"{protocol} {version_name(tls)}" if tls is not None else protocol


def _size(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the bytes of header fields, with the empty line after them."""
    return sum(len(name) + len(value) + 4 for name, value in fields) + 2
