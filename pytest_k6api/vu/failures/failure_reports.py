"""Failures of a worker as bytes, and how the controller takes them in.

A report has what is new since the last one: counts and times of each entry, its traceback
and its examples once. Entries of several workers become one if kind, scenario, ``file:line``,
type of the exception and message without its varying parts are equal; code and exceptions
themselves stay where they are. `VERSION` grows when a reader of the old bytes would go wrong.
"""

import math
from collections.abc import Iterator

import msgspec

from pytest_k6api.metrics import SerializationError
from pytest_k6api.model import storable
from pytest_k6api.vu.failures.failed_requests import FailedRequests, RequestKind, SeenRequests
from pytest_k6api.vu.failures.failure import Example, FailureKind, Traceback
from pytest_k6api.vu.failures.failure_log import CountedFailures, FailureKey, FailureLog

VERSION = 1

_MOST_RENDERED = 3
"""Number of tracebacks in a report: rendering takes milliseconds, for which virtual users wait."""


class _SentExample(msgspec.Struct, array_like=True):
    vu: int
    iteration: int
    at: float
    exchange: str


class _SentEntry(msgspec.Struct, array_like=True):
    kind: FailureKind
    scenario: str
    place: str | None
    cause: str | None
    text: str
    message: str
    location: str
    hint: str
    is_rest: bool
    count: int
    first_at: float
    last_at: float
    traceback: str | None
    examples: list[_SentExample]


class _SentKind(msgspec.Struct, array_like=True):
    kind: tuple[str, tuple[str, str, str]] | None
    first_at: float
    last_at: float
    exchange: str
    is_accepted: bool


class _Report(msgspec.Struct, array_like=True):
    entries: list[_SentEntry]
    requests: list[_SentKind]


class FailureReporter:
    """Tells the controller of the failures of one worker.

    Args:
        log: The failures inside virtual users.
        requests: The failed requests.
    """

    def __init__(self, log: FailureLog, requests: FailedRequests) -> None:
        self._log = log
        self._requests = requests
        self._told: dict[FailureKey, CountedFailures] = {}
        self._rendered: set[FailureKey] = set()
        self._told_requests: dict[RequestKind | None, SeenRequests] = {}

    def take(self, *, is_last: bool = False) -> bytes:
        """Return a report of what is new, for `receive_failures`.

        Args:
            is_last: Whether virtual users have ended: then no traceback waits for its turn.
        """
        most = math.inf if is_last else _MOST_RENDERED
        report = _Report(list(self._new_entries(most)), list(self._new_requests()))
        return bytes([VERSION]) + msgspec.msgpack.encode(report)

    def _new_entries(self, most_rendered: float) -> Iterator[_SentEntry]:
        rendered = 0
        for key, entry in self._log.entries():
            traceback = None
            waits = entry.traceback is not None and key not in self._rendered
            if waits and rendered < most_rendered:
                traceback = str(entry.traceback)
                self._rendered.add(key)
                rendered += 1
            told = self._told.get(key)
            if told is None or told.count < entry.count or traceback is not None:
                self._told[key] = entry
                yield _sent_entry(key, entry, told, traceback)

    def _new_requests(self) -> Iterator[_SentKind]:
        for kind, seen in self._requests.seen():
            told = self._told_requests.get(kind)
            if seen != told:
                self._told_requests[kind] = seen
                exchange = seen.exchange if told is None else ""
                yield _SentKind(kind, seen.first_at, seen.last_at, exchange, seen.is_accepted)


def receive_failures(data: bytes, worker: str, log: FailureLog, requests: FailedRequests) -> None:
    """Add what a worker's `FailureReporter` told.

    Args:
        data: The report; each once, in their order.
        worker: The worker's name.
        log: Takes in failures inside virtual users.
        requests: Takes in failed requests.

    Raises:
        SerializationError: `data` is no such report, is damaged, or another version's.
    """
    if data[:1] != bytes([VERSION]):
        raise SerializationError(
            f"cannot read failures of the worker {worker!r} that begin with {bytes(data[:1])!r};"
            f" those of version {VERSION} begin with {bytes([VERSION])!r}"
        )
    try:
        report = msgspec.msgpack.decode(memoryview(data)[1:], type=_Report)
    except msgspec.MsgspecError as error:
        raise SerializationError(f"damaged failures of the worker {worker!r}: {error}") from None
    for entry in report.entries:
        log.take_in(*_received_entry(entry, worker))
    for each in report.requests:
        kind = RequestKind(*each.kind) if each.kind is not None else None
        seen = SeenRequests(
            first_at=each.first_at,
            last_at=each.last_at,
            exchange=each.exchange,
            worker=worker,
            is_accepted=each.is_accepted,
        )
        requests.take_in(kind, seen)


def receive_setup_failure(
    text: str, location: str, traceback: str, worker: str, log: FailureLog
) -> None:
    """Add a failure of a worker to set a load test up.

    Args:
        text: The failure in one sentence.
        location: ``file:line`` of the error.
        traceback: The error as text.
        worker: The worker's name.
        log: Takes it in.
    """
    entry = CountedFailures(
        message=text,
        location=location,
        first_at=0.0,
        last_at=0.0,
        traceback=Traceback.of_text(traceback),
        count=1,
        workers={worker},
    )
    log.take_in(FailureKey(FailureKind.SETUP, "", location, None, text), entry)


def _sent_entry(
    key: FailureKey, entry: CountedFailures, told: CountedFailures | None, traceback: str | None
) -> _SentEntry:
    count, examples = (told.count, len(told.examples)) if told is not None else (0, 0)
    cause = key.cause
    return _SentEntry(
        kind=key.kind,
        scenario=key.scenario,
        place=entry.location if key.place is not None else None,
        cause=f"{cause.__module__}.{cause.__qualname__}" if isinstance(cause, type) else cause,
        text=storable(key.text),
        message=entry.message,
        location=entry.location,
        hint=entry.hint,
        is_rest=entry.is_rest,
        count=entry.count - count,
        first_at=entry.first_at,
        last_at=entry.last_at,
        traceback=traceback,
        examples=[
            _SentExample(each.vu, each.iteration, each.at, each.exchange)
            for each in entry.examples[examples:]
        ],
    )


def _received_entry(sent: _SentEntry, worker: str) -> tuple[FailureKey, CountedFailures]:
    examples = [
        Example(
            vu=each.vu,
            iteration=each.iteration,
            at=each.at,
            exchange=each.exchange,
            worker=worker,
        )
        for each in sent.examples
    ]
    entry = CountedFailures(
        message=sent.message,
        location=sent.location,
        first_at=sent.first_at,
        last_at=sent.last_at,
        traceback=Traceback.of_text(sent.traceback) if sent.traceback is not None else None,
        hint=sent.hint,
        is_rest=sent.is_rest,
        count=sent.count,
        examples=examples,
        workers={worker},
    )
    return FailureKey(sent.kind, sent.scenario, sent.place, sent.cause, sent.text), entry
