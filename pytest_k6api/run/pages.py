"""Load tests as the report and the live page show them, running or ended."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Generic, Protocol, TypeVar

import trio

from pytest_k6api.metrics import RequestsRow, Snapshot
from pytest_k6api.model import ScenarioOptions
from pytest_k6api.report import MOST_NAMES, LoadTestFacts, shown_document
from pytest_k6api.run.load_test import LoadTest
from pytest_k6api.vu import Failure

Answer = TypeVar("Answer")

Document = dict[str, Any]  # JSON; the documentation says what it looks like

_LEAST_AGE = 1.9
"""Seconds for which an answer for pages is kept, at the least: two looks of the event hub."""
_WORK_SHARE = 0.0025
"""Of the time that passes, how much of the load test's loop may go into one kind of answers."""


class ReadInSteps(Protocol):
    """Returns the result of steps in the load test's loop; None if it is blocked or gone."""

    async def __call__(
        self, steps: Callable[[], Generator[None, None, Answer]], /
    ) -> Answer | None:
        """Return the result of ``steps()``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What pages need of a load test's loop, while there is one."""

    snapshot: Snapshot
    requests: Sequence[RequestsRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFailure:
    """One group of like failures, as texts and numbers."""

    kind: str
    scenario: str
    message: str
    place: str
    count: int
    share: float | None
    first_at: float
    last_at: float
    workers: tuple[str, ...]
    details: str


def measured_at_end(load_test: LoadTest) -> Measured:
    """Return what `load_test` has measured; after its end."""
    return Measured(
        load_test.results.snapshot,
        _finish(lambda: load_test.results.requests_in_steps(MOST_NAMES)),
    )


def facts_of(
    load_test: LoadTest,
    measured: Measured,
    scenarios: Sequence[ScenarioOptions],
    environment: Mapping[str, str],
    timeline: Document | None = None,
) -> LoadTestFacts:
    """Return `load_test` as a page shows it; from any thread.

    Args:
        load_test: The load test.
        measured: What its loop has told.
        scenarios: The options of its scenarios.
        environment: On what it runs.
        timeline: It second by second; None where that is told apart.
    """
    return LoadTestFacts(
        name=load_test.name,
        outcome=load_test.outcome,
        started_at=load_test.started_at,
        target=load_test.target,
        environment=environment,
        scenarios=scenarios,
        snapshot=measured.snapshot,
        requests=measured.requests,
        # Texts of tracebacks are made here, not in the load test's loop.
        failures=[shown_failure(failure) for failure in load_test.results.live.failures],
        reasons=load_test.verdict.reasons if load_test.verdict else (),
        comparison=load_test.comparison,
        timeline=timeline,
    )


class _Kept(Generic[Answer]):
    """An answer of the load test's loop, kept for as long as another would cost the load too much.

    Attributes:
        value: The answer; None before the first.

    Args:
        steps: Makes the answer, in the load test's loop.
    """

    def __init__(self, steps: Callable[[], Generator[None, None, Answer]]) -> None:
        self._steps = steps
        self._took = 0.0
        self._made_at = -inf
        self.value: Answer | None = None

    async def renew(self, read: ReadInSteps) -> bool:
        """Return whether there is a new answer now."""
        age = time.monotonic() - self._made_at
        if age < max(_LEAST_AGE, self._took / _WORK_SHARE):
            return False
        answer = await read(self._timed_steps)
        if answer is None:
            return False
        self.value, self._made_at = answer, time.monotonic()
        return True

    def _timed_steps(self) -> Generator[None, None, Answer]:
        work, took = self._steps(), 0.0
        while True:
            began = time.perf_counter()
            try:
                next(work)
            except StopIteration as done:
                self._took = took + time.perf_counter() - began
                answer: Answer = done.value
                return answer
            took += time.perf_counter() - began
            yield


class LiveReport:
    """The report of a load test for any number of pages: made for all at once, and not too often.

    Args:
        load_test: The load test.
        scenarios: The options of its scenarios.
        environment: On what it runs.
        read: Returns the result of steps in the load test's loop; None if it is blocked or gone.
    """

    def __init__(
        self,
        load_test: LoadTest,
        scenarios: Sequence[ScenarioOptions],
        environment: Mapping[str, str],
        read: ReadInSteps,
    ) -> None:
        self._load_test = load_test
        self._scenarios = scenarios
        self._environment = environment
        self._read = read
        self._lock = trio.Lock()
        self._snapshot = _Kept(load_test.results.snapshot_steps)
        self._requests = _Kept(partial(load_test.results.requests_in_steps, MOST_NAMES))
        self._document: Document = {}
        self._state: tuple[bool, str | None] | None = None

    async def document(self) -> Document:
        """Return what pages show; the same object as before where nothing is new."""
        async with self._lock:
            is_new = False
            if not self._load_test.settled.is_set():
                is_new = await self._snapshot.renew(self._read)
                is_new = await self._requests.renew(self._read) or is_new
            state = (self._load_test.settled.is_set(), self._load_test.outcome)
            if is_new or state != self._state:
                facts = facts_of(
                    self._load_test, self._measured(), self._scenarios, self._environment
                )
                self._document, self._state = shown_document(facts), state
            return self._document

    def _measured(self) -> Measured:
        if self._load_test.settled.is_set():
            return measured_at_end(self._load_test)
        snapshot = self._snapshot.value or self._load_test.results.live.snapshot
        return Measured(snapshot, self._requests.value or ())


def shown_failure(failure: Failure) -> ShownFailure:
    """Return one group of failures as pages and the API show it."""
    return ShownFailure(
        kind=failure.kind.value,
        scenario=failure.scenario,
        message=failure.message,
        place=failure.location,
        count=failure.count,
        share=failure.share,
        first_at=failure.first_at,
        last_at=failure.last_at,
        workers=failure.workers,
        details=failure.details,
    )


def timeline_document(load_test: LoadTest) -> Document | None:
    """Return `load_test` second by second, None if there is no second; after its end."""
    document = load_test.results.load_timeline().document()
    return {**document} if document["seconds"] else None


def _finish(steps: Callable[[], Generator[None, None, Answer]]) -> Answer:
    work = steps()
    while True:
        try:
            next(work)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
