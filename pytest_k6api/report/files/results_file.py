"""The results of one load test as a JSON document, exact enough to be compared years later.

Trends are kept as value → count pairs, so every statistic can be asked of a
file that could be asked of the load test. ``docs/reference/results-format.md``
describes the members; `RESULTS_VERSION` grows when a reader of the old form would go wrong.

Documents and values only; the plugin reads and writes the files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import islice
from typing import Any

from pytest_k6api.metrics import (
    MetricTotal,
    Snapshot,
    parse_metric_id,
    read_sink,
    sink_document,
)
from pytest_k6api.model import (
    TAKES,
    Contains,
    K6ApiError,
    Metric,
    MetricError,
    MetricKind,
    ScenarioOptions,
    WorkerStatus,
)
from pytest_k6api.model.metrics import HTTP_REQ_DURATION, HTTP_REQ_FAILED, HTTP_REQS
from pytest_k6api.report.files.summary_export import summary_export
from pytest_k6api.report.text.threshold_text import observed_text

RESULTS_FORMAT = "pytest-k6api results"
RESULTS_VERSION = 1

# JSON as it is read and written; its shape is in the documentation.
Document = dict[str, Any]


class ResultsFormatError(K6ApiError):
    """A document is not one of results, or is of another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one load test measured, as far as it can be compared.

    Attributes:
        name: The pytest node id.
        outcome: ``passed``, ``failed`` or ``interrupted``.
        started_at: Wall time of the start, in seconds since the epoch.
        elapsed: Seconds of test-run time.
        environment: Facts about where and on what it ran, as text.
        totals: Every listed metric, and the requests of the most frequent names, by id.
        names_kept: How many names that are.
        names_seen: How many names the requests had.
        timeline: It second by second, as charts show it; None in files that have none.
        workers: The workers that ran it, lost ones too, as documents of `worker_document`.
    """

    name: str
    outcome: str
    started_at: float
    elapsed: float
    environment: Mapping[str, str]
    totals: Mapping[str, MetricTotal]
    names_kept: int = 0
    names_seen: int = 0
    timeline: Document | None = None
    workers: tuple[Document, ...] = ()

    @property
    def lost_workers(self) -> int:
        """How many workers it lost."""
        return sum(bool(worker.get("lost")) for worker in self.workers)

    def total(self, metric_id: str) -> MetricTotal | None:
        """Return a metric or sub-metric, however its filter is spelled; None if it is not here."""
        if metric_id in self.totals:
            return self.totals[metric_id]
        wanted = _meaning(metric_id)
        return next((total for key, total in self.totals.items() if _meaning(key) == wanted), None)


MOST_SAVED = 50
"""How many names of requests are kept apart, the most frequent."""

_KEPT_BY_NAME = (HTTP_REQ_DURATION, HTTP_REQ_FAILED, HTTP_REQS)


def kept_names(names: Sequence[str]) -> list[str]:
    """Return those of `names`, the most frequent first, whose requests are kept apart.

    A name that a filter cannot spell, as with a comma in it, is not.
    """
    return list(islice(filter(_can_be_asked, names), MOST_SAVED))


def ids_by_name(names: Sequence[str]) -> list[str]:
    """Return the sub-metrics that are kept of requests with `names`."""
    return [f"{metric.name}{{name:{name}}}" for name in names for metric in _KEPT_BY_NAME]


def _can_be_asked(name: str) -> bool:
    try:
        return _meaning(f"{{name:{name}}}")[1] == {("name", name)}
    except MetricError:
        return False


def _meaning(metric_id: str) -> tuple[str, frozenset[tuple[str, str]]]:
    name, tag_filter = parse_metric_id(metric_id)
    return name, tag_filter.pairs if tag_filter is not None else frozenset()


def results_document(
    results: Results, snapshot: Snapshot, scenarios: Sequence[ScenarioOptions]
) -> Document:
    """Return the document of a load test that has ended."""
    return {
        "format": RESULTS_FORMAT,
        "version": RESULTS_VERSION,
        "name": results.name,
        "outcome": results.outcome,
        "started_at": results.started_at,
        "elapsed": results.elapsed,
        "environment": dict(results.environment),
        "workers": list(results.workers),
        **judged_document(snapshot, scenarios),
        "request_names": {"kept": results.names_kept, "seen": results.names_seen},
        "metrics": {key: _metric(total) for key, total in results.totals.items()},
        "timeline": results.timeline,
    }


def worker_document(worker: WorkerStatus) -> Document:
    """Return what is kept of `worker`, after the end of its load test."""
    return {
        "number": worker.number,
        "share": worker.share,
        "place": worker.place,
        "follows": worker.follows,
        "began_at": worker.began_at,
        "lost": worker.lost,
        "lost_at": worker.lost_at,
        "kept_until": worker.kept_until,
    }


def judged_document(snapshot: Snapshot, scenarios: Sequence[ScenarioOptions]) -> Document:
    """Return scenarios, thresholds and checks, at any time of a load test."""
    return {
        "scenarios": {options.name: _options(options) for options in scenarios},
        "thresholds": [
            {
                "metric": metric.id,
                "expression": threshold.source,
                "window": threshold.window,
                "ok": threshold.ok,
                "observed": threshold.observed,
                "observed_text": observed_text(threshold, metric),
            }
            for metric in snapshot.metrics.values()
            for threshold in metric.thresholds
        ],
        "root_group": summary_export(snapshot)["root_group"],
    }


def _options(options: ScenarioOptions) -> Document:
    # Not `env`: people hand passwords to their scenarios in it, and files are shared.
    takes = (TAKES[options.executor] | {"executor"}) - {"env"}
    values = {name: value for name, value in asdict(options).items() if name in takes}
    return {
        name: value.value if isinstance(value, Enum) else value for name, value in values.items()
    }


def _metric(total: MetricTotal) -> Document:
    metric = total.metric
    return {
        "name": metric.name,
        "type": metric.kind.value,
        "contains": metric.contains.value,
        "samples_per_unit": metric.samples_per_unit,
        **sink_document(total.sink),
    }


def read_results(document: object) -> Results:
    """Return the results in `document`, as ``json.load`` gives it.

    Raises:
        ResultsFormatError: It is something else, or of another version.
    """
    if not isinstance(document, dict) or document.get("format") != RESULTS_FORMAT:
        raise ResultsFormatError("it holds no results of a load test")
    if document.get("version") != RESULTS_VERSION:
        raise ResultsFormatError(
            f"it has version {document.get('version')!r} of the format, and version {RESULTS_VERSION} is"
            " what can be read here"
        )
    names = document.get("request_names", {})
    try:
        return Results(
            name=str(document["name"]),
            outcome=str(document["outcome"]),
            started_at=float(document["started_at"]),
            elapsed=float(document["elapsed"]),
            environment={str(key): str(item) for key, item in document["environment"].items()},
            totals={key: _read_metric(item) for key, item in document["metrics"].items()},
            names_kept=int(names.get("kept", 0)),
            names_seen=int(names.get("seen", 0)),
            timeline=_read_timeline(document.get("timeline")),
            workers=tuple(dict(worker) for worker in document.get("workers", ())),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ResultsFormatError(f"it is damaged: {type(error).__name__}: {error}") from None


def _read_timeline(timeline: object) -> Document | None:
    if not isinstance(timeline, dict) or not isinstance(timeline.get("requests"), list):
        return None
    return timeline


def _read_metric(item: Document) -> MetricTotal:
    metric = Metric(
        name=item["name"],
        kind=MetricKind(item["type"]),
        contains=Contains(item["contains"]),
        samples_per_unit=item["samples_per_unit"],
    )
    return MetricTotal(metric, read_sink(metric, item))
