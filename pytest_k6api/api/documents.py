"""The documents that the API answers with, made of what was measured.

Order and spelling of k6's members are k6's, to the letter.

Pure. Source: k6 v1.1.0, ``api/v1/*.go``.
"""

from collections.abc import Iterator, Sequence

from pytest_k6api.api.document_types import (
    CheckItem,
    ErrorDocument,
    FailureData,
    GroupData,
    LoadTestData,
    MetricData,
    ScenarioData,
    SetupData,
    StatusData,
    ThresholdData,
)
from pytest_k6api.api.go_json import RawJson, compact
from pytest_k6api.api.ports import FailureSnapshot, LoadTestPort
from pytest_k6api.metrics import (
    CheckSnapshot,
    GroupSnapshot,
    MetricSnapshot,
    Snapshot,
    ThresholdSnapshot,
)
from pytest_k6api.model import ScenarioSnapshot, StatusSnapshot, path_id


def error_document(status: int, title: str, detail: str) -> ErrorDocument:
    """Return k6's error document; it has exactly one error."""
    return {"errors": [{"status": str(status), "title": title, "detail": detail}]}


def status_data(status: StatusSnapshot) -> StatusData:
    """Return `status` in k6's form."""
    return {
        "type": "status",
        "id": "default",
        "attributes": {
            "status": int(status.status),
            "paused": status.paused,
            "vus": status.vus,
            "vus-max": status.vus_max,
            "stopped": status.stopped,
            "running": status.running,
            "tainted": status.tainted,
        },
    }


def metric_data(metric: MetricSnapshot, stats: Sequence[str] = ()) -> MetricData:
    """Return `metric` in k6's form.

    Args:
        metric: What was measured.
        stats: The statistics to show instead of k6's fixed ones; those that `metric`
            does not have are left out.
    """
    sample = dict(metric.sample)
    if stats:
        known = {**metric.extra, **sample}
        sample = {name: known[name] for name in stats if name in known}
    return {
        "type": "metrics",
        "id": metric.id,
        "attributes": {
            "type": metric.kind.value,
            "contains": metric.contains.value,
            "tainted": metric.tainted,
            "sample": {name: sample[name] for name in sorted(sample)},
        },
    }


def groups_data(root: GroupSnapshot) -> Iterator[GroupData]:
    """Yield `root` and all groups below it, parents first."""
    parents: dict[str, str] = {}
    for group in root.walk():
        parents.update((inner.id, group.id) for inner in group.groups)
        yield _group_data(group, parents.get(group.id))


def _group_data(group: GroupSnapshot, parent: str | None) -> GroupData:
    return {
        "type": "groups",
        "id": group.id,
        "attributes": {
            "path": group.path,
            "name": group.name,
            "checks": [_check_item(check) for check in group.checks] or None,
        },
        "relationships": {
            "groups": {"data": [{"type": "groups", "id": inner.id} for inner in group.groups]},
            "parent": {"data": {"type": "groups", "id": parent} if parent else None},
        },
    }


def _check_item(check: CheckSnapshot) -> CheckItem:
    return {
        "id": check.id,
        "path": check.path,
        "name": check.name,
        "passes": check.passes,
        "fails": check.fails,
    }


def setup_data(text: str | None) -> SetupData:
    """Return the setup data `text`, which is JSON; None for no data."""
    data: RawJson | None = None if text is None else compact(text)
    return {
        "type": "setupData",
        "id": "default",
        "attributes": {} if data is None else {"data": data},
    }


def scenario_data(scenario: ScenarioSnapshot) -> ScenarioData:
    """Return `scenario` as a document's data."""
    return {
        "type": "scenarios",
        "id": scenario.name,
        "attributes": {
            "executor": scenario.executor,
            "state": scenario.state.value,
            "progress": scenario.progress,
            "vus": scenario.vus,
            "vus-max": scenario.vus_max,
            "iterations": scenario.iterations,
            "interrupted": scenario.interrupted,
            "dropped": scenario.dropped,
            "rate": scenario.rate,
            "overrides": dict(scenario.overrides),
        },
    }


def thresholds_data(snapshot: Snapshot) -> Iterator[ThresholdData]:
    """Yield every threshold, in the order of the metrics."""
    yield from map(threshold_data, snapshot.thresholds)


def threshold_data(threshold: ThresholdSnapshot) -> ThresholdData:
    """Return `threshold` as a document's data."""
    return {
        "type": "thresholds",
        "id": f"{threshold.metric}: {threshold.text}",
        "attributes": {
            "metric": threshold.metric,
            "expression": threshold.source,
            "window": threshold.window,
            "ok": threshold.ok,
            "observed": threshold.observed,
            "samples": threshold.samples,
            "abort-on-fail": threshold.abort_on_fail,
            "crossed-at": threshold.crossed_at,
        },
    }


def failure_data(failure: FailureSnapshot) -> FailureData:
    """Return `failure` as a document's data; the id is made of its kind, place and message."""
    return {
        "type": "failures",
        "id": path_id(f"{failure.kind}::{failure.place}::{failure.message}"),
        "attributes": {
            "kind": failure.kind,
            "scenario": failure.scenario,
            "message": failure.message,
            "place": failure.place,
            "count": failure.count,
            "first-at": failure.first_at,
            "last-at": failure.last_at,
            "details": failure.details,
        },
    }


def load_test_data(
    load_test: LoadTestPort, status: StatusSnapshot, *, is_current: bool
) -> LoadTestData:
    """Return what the session's list tells about `load_test`, whose status is `status`."""
    return {
        "type": "tests",
        "id": load_test.id,
        "attributes": {
            "name": load_test.name,
            "outcome": load_test.outcome,
            "status": int(status.status),
            "running": status.running,
            "started-at": load_test.started_at,
            "ended-at": load_test.ended_at,
            "elapsed": status.elapsed,
            "current": is_current,
        },
    }
