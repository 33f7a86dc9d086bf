"""One request of a foreign client, measured into the row that ``vu.http`` would write.

The modules beside this one tell an exchange what happened and when, in the words of
their library. Tags, phases, failures and excerpts are the same for all.
"""

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol

from pytest_k6api.model import (
    TRACE_HEADER,
    OptionError,
    Recorder,
    Secrets,
    checked_context,
    current_recorder,
    with_trace,
)
from pytest_k6api.protocols.http.client.client import Client
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
from pytest_k6api.protocols.http.client.sync import SyncClient
from pytest_k6api.protocols.http.ledger import DEFAULT_EXPECTED
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.errors import RequestFailure
from pytest_k6api.protocols.http.message.prepared import StatusSet
from pytest_k6api.protocols.http.message.request_options import ExpectedStatuses
from pytest_k6api.protocols.http.message.urls import Target
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow

_TOLD = frozenset({"name", "tags", "expected_statuses"})

Naming = Callable[[str, str], str]
"""Returns the name of a request; gets its method and its URL."""

Fields = Iterable[tuple[str, str]]


class HasClient(Protocol):
    """What `instrument` needs of a virtual user."""

    @property
    def http(self) -> Client | SyncClient:
        """Its HTTP client."""


class ForeignRequest(NamedTuple):
    """A request as its exchange needs it.

    Attributes:
        method: As it goes over the wire.
        url: Whole.
        fields: Its header fields, read when they are shown.
    """

    method: str
    url: str
    fields: Fields


class ForeignResponse(NamedTuple):
    """A response as its exchange needs it.

    Attributes:
        status: Its status.
        reason: Its reason phrase; may be empty.
        protocol: k6's tag ``proto``, and behind a space ``tls_version`` if there is TLS.
        fields: Its header fields, read when they are shown.
    """

    status: int
    reason: str
    protocol: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """The arguments of `instrument`.

    Attributes:
        vu: The virtual user whose ``expected_statuses`` apply; None for k6's default.
        naming: Gives names to requests that have none; None for their URLs.
    """

    vu: HasClient | None = None
    naming: Naming | None = None

    @property
    def expected_statuses(self) -> ExpectedStatuses:
        """Statuses that are no failure."""
        return DEFAULT_EXPECTED if self.vu is None else self.vu.http.expected_statuses


def recorder_of_vu() -> Recorder | None:
    """Return the recorder of the virtual user that runs here; None outside of one."""
    return current_recorder.get(None)


class ForeignExchange:
    """A request from its start to its row; ends once, whatever is called afterwards.

    Attributes:
        method: As it goes over the wire.
        name: k6's tags ``name`` and ``url``.
        tags: The user's tags for this request.
        times: Its moments, as far as its library tells them.
        bytes_sent, bytes_received: On the wire, as far as its library tells them.
        response: The response once its head has come; None before.
        witness: The response that user code gets; None if that is not known.

    Args:
        request: The request.
        recorder: Of the virtual user that makes it.
        instrumentation: Names and expected statuses, where the request says nothing.
        told: What the request says: a dict of ``name``, ``tags``, ``expected_statuses``.

    Raises:
        OptionError: `told` cannot be read.
    """

    def __init__(
        self,
        request: ForeignRequest,
        recorder: Recorder,
        instrumentation: Instrumentation,
        told: object = None,
    ) -> None:
        told = _read_told({} if told is None else told)
        self.method = request.method
        self.tags = {str(key): str(value) for key, value in dict(told.get("tags", {})).items()}
        name = told.get("name") or self.tags.get("name")
        if name is None and instrumentation.naming is not None:
            name = instrumentation.naming(request.method, request.url)
        self.name = _name_of(request.url, recorder.secrets) if name is None else str(name)
        expected = told.get("expected_statuses", instrumentation.expected_statuses)
        self._expected: StatusSet = read_expected(expected)
        self._request = request
        self._recorder = recorder
        self._is_over = False
        self._trace = _trace_of(request) if recorder.tracer is not None else ""
        self.times = Moments(started_at=0, ended_at=0)
        self.bytes_sent = self.bytes_received = 0
        self.response: ForeignResponse | None = None
        self.witness: object = None
        self._began = perf_counter_ns()

    def respond(self, response: ForeignResponse) -> None:
        """Remember that the head of `response` has come."""
        self.response = response
        if not self.times.first_byte_at:
            self.times.first_byte_at = perf_counter_ns()

    def finish(self) -> None:
        """Record that the response was read, or as much of it as was wanted."""
        response = self.response
        if response is not None and self._end():
            failed = self._judge(response.status)
            tags = outcome_tags(self, response.status, failed, response.protocol)
            self._record(tags, failed, response.status)

    def fail(self, failure: RequestFailure) -> None:
        """Record that `failure` came instead of a response, or of the rest of it."""
        if self._end():
            failed = self._judge(0)
            self._record(failure_tags(self, failure, failed), failed, 0, failure)

    def drop(self) -> None:
        """Record nothing but the bytes: a hard stop cut it off."""
        self._end()

    def _end(self) -> bool:
        """Count the bytes, and tell whether this is the first end."""
        if self._is_over:
            return False
        self._is_over = True
        self._recorder.bytes_sent += self.bytes_sent
        self._recorder.bytes_received += self.bytes_received
        return True

    def _judge(self, status: int) -> int | None:
        return None if self._expected is None else 0 if status in self._expected else 1

    def _record(
        self,
        tags: dict[str, str],
        failed: int | None,
        status: int,
        failure: RequestFailure | None = None,
    ) -> None:
        recorder = self._recorder
        number = with_trace(recorder.context.id_with(tags), self._trace)
        row: HttpRow = (number, failed, *self._phases())
        recorder.buffer.rows[HTTP_ROWS].append(row)
        if failed:
            describe = partial(
                _describe, self._request, self.response, row, failure, recorder.secrets
            )
            recorder.keep_failed(row[0], status, self.witness, describe)

    def _phases(self) -> Phases:
        times = self.times
        times.ended_at = times.ended_at or perf_counter_ns()
        if not times.started_at:
            if self.response is None:  # no connection
                return (*NO_PHASES, times.ended_at)
            # A transport that tells no steps: all is waiting and receiving.
            times.started_at = times.sent_at = self._began
        times.ready_at = times.started_at
        return phases(times, self._began)


def add_trace(headers: MutableMapping[str, str], recorder: Recorder) -> None:
    """Give a request with `headers` a trace, if requests are traced and it has none."""
    if recorder.tracer is not None and not any(map(_names_trace, headers)):
        headers[TRACE_HEADER] = recorder.tracer.new_context()


def _trace_of(request: ForeignRequest) -> str:
    given = [value for name, value in request.fields if _names_trace(name)]
    return checked_context(given[0]) if given else ""


def _names_trace(name: str | bytes) -> bool:
    return name.lower() in (TRACE_HEADER, TRACE_HEADER.encode())


def _read_told(told: Any) -> dict[str, Any]:  # whatever a user wrote
    if isinstance(told, dict) and told.keys() <= _TOLD:
        return told
    raise OptionError(
        f"the extension 'k6' of a request is a dict of {', '.join(sorted(_TOLD))}, got {told!r}"
    )


def _name_of(url: str, secrets: Secrets) -> str:
    try:
        return Target(url, secrets).name  # its secrets are masked
    except InvalidURL:
        return Target.broken(url, secrets).name


def _describe(
    request: ForeignRequest,
    response: ForeignResponse | None,
    row: HttpRow,
    failure: RequestFailure | None,
    secrets: Secrets,
) -> str:
    """Return the exchange as text, masked; without bodies, which belong to the user's client."""
    if failure is not None:
        outcome = f"{failure.text} (error code {failure.code})"
    else:
        assert response is not None
        outcome = f"{response.status} {response.reason}".rstrip()
    received = response.fields if response is not None else ()
    return "\n".join(
        (
            *request_lines(request.method, request.url, request.fields, secrets),
            *response_lines(outcome, row, received, secrets),
        )
    )
