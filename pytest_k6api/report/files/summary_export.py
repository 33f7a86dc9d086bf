"""The document that k6 writes with ``--summary-export``: everything, as plain JSON.

Tools that were written for k6's file read ours: same members, same names, times
in milliseconds. A threshold's value is true when it *failed*, as in k6.

Source: k6 v1.1.0, ``internal/js/summary.js``, and files that its binary wrote.
"""

from collections.abc import Mapping
from typing import Any

from pytest_k6api.metrics import CheckSnapshot, GroupSnapshot, MetricSnapshot, Snapshot
from pytest_k6api.model import MetricKind

# Members in k6's words: what we sample as a rate's `rate` is called `value` here.
_FROM_SAMPLE: Mapping[MetricKind, Mapping[str, str]] = {
    MetricKind.COUNTER: {"count": "count", "rate": "rate"},
    MetricKind.GAUGE: {"value": "value"},
    MetricKind.RATE: {"value": "rate"},
    MetricKind.TREND: {name: name for name in ("avg", "min", "med", "max", "p(90)", "p(95)")},
}
_FROM_EXTRA: Mapping[MetricKind, tuple[str, ...]] = {
    MetricKind.COUNTER: (),
    MetricKind.GAUGE: ("min", "max"),
    MetricKind.RATE: ("passes", "fails"),
    MetricKind.TREND: (),
}

# JSON to be written, whose shape is k6's: no type says more than this.
Document = dict[str, Any]


def summary_export(snapshot: Snapshot, setup_data: object = None) -> Document:
    """Return k6's summary of a load test, ready for ``json.dump``.

    Args:
        snapshot: What was measured, after the end.
        setup_data: What setup returned, as JSON can carry it; None leaves it out.
    """
    document: Document = {
        "root_group": _group(snapshot.root),
        "metrics": {name: _metric(metric) for name, metric in snapshot.metrics.items()},
    }
    if setup_data is not None:
        document["setup_data"] = setup_data
    return document


def _group(group: GroupSnapshot) -> Document:
    return {
        "name": group.name,
        "path": group.path,
        "id": group.id,
        "groups": {inside.name: _group(inside) for inside in group.groups},
        "checks": {check.name: _check(check) for check in group.checks},
    }


def _check(check: CheckSnapshot) -> Document:
    return {
        "name": check.name,
        "path": check.path,
        "id": check.id,
        "passes": check.passes,
        "fails": check.fails,
    }


def _metric(metric: MetricSnapshot) -> Document:
    numbers = {
        word: _plain(metric.sample[stat]) for word, stat in _FROM_SAMPLE[metric.kind].items()
    }
    numbers |= {word: _plain(metric.extra[word]) for word in _FROM_EXTRA[metric.kind]}
    if not metric.thresholds:
        return numbers
    failed = {threshold.text: threshold.ok is False for threshold in metric.thresholds}
    return {**numbers, "thresholds": failed}


def _plain(number: float) -> float:
    """Write whole numbers as k6 does: ``20``, not ``20.0``."""
    return int(number) if number == int(number) else number
