"""What a report and the live page show of a load test, as a JSON document.

It is a document of saved results with more members, so that a report can be compared
with; ``docs/reference/results-format.md`` describes both. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_k6api.metrics import TIMES, RequestsRow, Snapshot, TracedRequest
from pytest_k6api.model import HTTP, LISTED, MetricKind, ScenarioOptions, storable
from pytest_k6api.report.comparison.comparing import Comparison
from pytest_k6api.report.files.results_file import Results, judged_document, results_document
from pytest_k6api.report.text.summary import metric_texts

REPORT_FORMAT = "pytest-k6api report"
REPORT_VERSION = 1

MOST_NAMES = 50
"""How many names of requests have a row of their own, the most frequent."""

# JSON to be written; the documentation and its schema say what it looks like.
Document = dict[str, Any]


class FailureEntry(Protocol):
    """One group of like failures, as texts and numbers."""

    @property
    def kind(self) -> str:
        """What failed: ``iteration``, ``check``, ``request`` and the like."""

    @property
    def scenario(self) -> str:
        """The scenario it happened in; empty for setup and teardown."""

    @property
    def message(self) -> str:
        """What it is, in one line."""

    @property
    def place(self) -> str:
        """``file:line`` of the failure; empty for requests."""

    @property
    def count(self) -> int:
        """How often it happened."""

    @property
    def share(self) -> float | None:
        """Per iteration of the scenario, or per request of that name."""

    @property
    def first_at(self) -> float:
        """Seconds of test-run time when it was first seen."""

    @property
    def last_at(self) -> float:
        """The same for the last."""

    @property
    def workers(self) -> Sequence[str]:
        """The workers on which it happened; none without workers."""

    @property
    def details(self) -> str:
        """The traceback, and the exchange of the first examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestFacts:
    """A load test that runs or has ended, as far as a page shows it.

    Attributes:
        name: The pytest node id.
        outcome: ``passed``, ``failed`` or ``interrupted``; None while it is not over.
        started_at: Wall time of the start, in seconds since the epoch; None before.
        target: What relative URLs are joined to, without secrets; empty if nothing is.
        environment: Facts about where and on what it ran, as text.
        scenarios: The options of each scenario.
        snapshot: What was measured.
        requests: The requests by name, protocol by protocol.
        failures: What went wrong, grouped.
        reasons: Why it did not pass.
        comparison: It beside its baseline, if there is one.
        timeline: It second by second, in the form of ``GET /v1/tests/{test}/timeline``.
    """

    name: str
    outcome: str | None
    started_at: float | None
    target: str
    environment: Mapping[str, str]
    scenarios: Sequence[ScenarioOptions]
    snapshot: Snapshot
    requests: Sequence[RequestsRow]
    failures: Sequence[FailureEntry]
    reasons: Sequence[str] = ()
    comparison: Comparison | None = None
    timeline: Document | None = field(default=None)


def shown_document(facts: LoadTestFacts) -> Document:
    """Return what a page shows of a load test, running or ended; without its timeline."""
    snapshot = facts.snapshot
    return {
        "name": facts.name,
        "outcome": facts.outcome,
        "started_at": facts.started_at,
        "elapsed": snapshot.elapsed,
        "environment": dict(facts.environment),
        **judged_document(snapshot, facts.scenarios),
        "target": facts.target,
        "reasons": list(facts.reasons),
        "warnings": list(snapshot.warnings),
        "numbers": {
            key: {**metric.sample, **metric.extra}
            for key, metric in snapshot.metrics.items()
            # k6's numbers of what has no sample are 0, which is what a counter counted.
            if metric.samples or metric.kind is MetricKind.COUNTER
        },
        "requests": [_request(row) for row in facts.requests if row.protocol is HTTP],
        "other_requests": [
            {"protocol": protocol.title, "title": protocol.named, "requests": rows}
            for protocol in LISTED
            if protocol is not HTTP
            and (rows := [_request(row) for row in facts.requests if row.protocol is protocol])
        ],
        "measured": [{"metric": metric, "result": text} for metric, text in metric_texts(snapshot)],
        "slowest": [_slowest(request) for request in snapshot.slowest],
        "failures": [_failure(failure) for failure in facts.failures],
        "comparison": _comparison(facts.comparison) if facts.comparison else None,
    }


def load_test_document(facts: LoadTestFacts, results: Results) -> Document:
    """Return all of a load test that has ended: its saved results, and what pages show."""
    saved = results_document(results, facts.snapshot, facts.scenarios)
    return {**saved, **shown_document(facts), "timeline": facts.timeline}


def report_document(load_tests: Sequence[Document], created_at: float) -> Document:
    """Return the document of a session.

    Args:
        load_tests: The documents of its load tests.
        created_at: Wall time, in seconds since the epoch.
    """
    return {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "created_at": created_at,
        "load_tests": list(load_tests),
    }


def _request(row: RequestsRow) -> Document:
    times = {
        stat.replace("(", "").replace(")", ""): milliseconds
        for stat, milliseconds in (row.times or dict.fromkeys(TIMES)).items()
    }
    return {
        "scenario": row.scenario,
        "is_sum": not row.name,
        "name": storable(row.name) or (row.scenario and f"all of {row.scenario}") or _rest(row),
        "count": row.count,
        "per_second": row.per_second,
        "failed": row.failed,
        "failed_share": row.failed / row.count if row.count else None,
        **times,
        "size": row.received / row.count if row.count and row.received else None,
    }


def _slowest(request: TracedRequest) -> Document:
    return {
        "duration": request.duration_us / 1000,
        "trace_id": request.trace_id,
        "scenario": request.scenario,
        "name": storable(request.name),
        "method": request.method,
        "status": request.status,
        "at": request.at,
    }


def _rest(row: RequestsRow) -> str:
    return f"{row.names:,} more names"


def _failure(failure: FailureEntry) -> Document:
    return {
        "kind": failure.kind,
        "scenario": failure.scenario,
        "message": failure.message,
        "place": failure.place,
        "count": failure.count,
        "share": failure.share,
        "first_at": failure.first_at,
        "last_at": failure.last_at,
        "workers": list(failure.workers),
        "details": failure.details,
    }


def _comparison(comparison: Comparison) -> Document:
    return {
        "title": comparison.title,
        "numbers": [
            {
                "metric": number.metric_id,
                "stat": number.stat,
                "before": number.show(number.before),
                "after": number.show(number.after),
                "change": number.change_text,
                "noise": number.noise_text,
                "broken": number.broken is not None,
            }
            for number in comparison.numbers
        ],
        "failures": list(comparison.failures),
        "notes": list(comparison.notes),
        "timeline": comparison.timeline,
    }
