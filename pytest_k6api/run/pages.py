"""Load tests as the report and the live page show them, running or ended."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_k6api.metrics import RequestsRow, Snapshot
from pytest_k6api.model import ScenarioOptions
from pytest_k6api.report import MOST_NAMES, LoadTestFacts
from pytest_k6api.run.load_test import LoadTest
from pytest_k6api.vu import Failure

Answer = TypeVar("Answer")

Document = dict[str, Any]  # JSON; the documentation says what it looks like


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
    details: str


def measured_in_steps(load_test: LoadTest) -> Generator[None, None, Measured]:
    """Return what `load_test` has measured; in steps, so that its loop goes on meanwhile."""
    snapshot = yield from load_test.results.snapshot_steps()
    requests = yield from load_test.results.requests_in_steps(MOST_NAMES)
    return Measured(snapshot, requests)


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
