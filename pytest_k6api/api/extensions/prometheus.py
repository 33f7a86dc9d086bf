"""Metrics in the text format that Prometheus scrapes.

Names follow Prometheus' customs: prefix ``k6_``, base units (seconds, bytes),
``_total`` for counters, a summary with quantiles for a trend. Sub-metrics are
series of their metric with a label ``filter``; the whole metric has it empty.

With k6's names they are those of its remote write instead: a gauge for each number of a
trend, ``_rate`` for a rate, no units, the label ``testid``; whole metrics alone, because
dashboards that are made for them add series up.

Pure; written by the official client library.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from pytest_k6api.metrics import MetricSnapshot, Snapshot
from pytest_k6api.model import Contains, MetricKind, StatusSnapshot, storable

_QUANTILES: Final = {"0.5": "med", "0.9": "p(90)", "0.95": "p(95)", "0.99": "p(99)"}
_K6_STATISTICS: Final = ("min", "avg", "med", "max", "p(90)", "p(95)", "p(99)")
_MS_PER_SECOND: Final = 1000.0
_UNITS: Final = {Contains.TIME: "_seconds", Contains.DATA: "_bytes", Contains.DEFAULT: ""}


def exposition(
    snapshot: Snapshot, test: str, status: StatusSnapshot, *, k6_names: bool = False
) -> bytes:
    """Return everything in `snapshot` and `status` as one scrape.

    Args:
        snapshot: What was measured.
        test: The pytest node id, which becomes the label ``test`` or ``testid``.
        status: Where the load test is in its life.
        k6_names: Whether series have the names of k6's remote write.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register((_K6Scrape if k6_names else _Scrape)(snapshot, test, status))
    return generate_latest(registry)


class _Scrape(Collector):
    _LABEL = "test"

    def __init__(self, snapshot: Snapshot, test: str, status: StatusSnapshot) -> None:
        self._snapshot = snapshot
        self._labels = {self._LABEL: test}
        self._status = status

    def collect(self) -> Iterable[Family]:
        families: dict[str, Family] = {}
        for metric in self._snapshot.metrics.values():
            for family in self._families_of(metric):
                kept = families.setdefault(family.name, family)
                if kept is not family and kept.type == family.type:
                    kept.samples.extend(family.samples)
        yield from self._labelled(families.values())
        yield from self._labelled((self._thresholds(), *self._state()))

    def _families_of(self, metric: MetricSnapshot) -> Iterator[Family]:
        return _families(metric)

    def _labelled(self, families: Iterable[Family]) -> Iterator[Family]:
        for family in families:
            for sample in family.samples:
                labels = {**sample.labels, **self._labels}
                sample.labels.update((name, storable(text)) for name, text in labels.items())
            yield family

    def _thresholds(self) -> Family:
        family = Family(
            "k6_threshold_ok", "Whether a threshold held at its last evaluation", "gauge"
        )
        for threshold in self._snapshot.thresholds:
            if threshold.ok is not None:
                labels = {"metric": threshold.metric, "expression": threshold.text}
                family.add_sample("k6_threshold_ok", labels, float(threshold.ok))
        return family

    def _state(self) -> Iterator[Family]:
        yield _gauge("k6_status", "Where the load test is in its life", self._status.status)
        yield _gauge("k6_paused", "Whether the load test is paused", self._status.paused)
        yield _gauge("k6_elapsed_seconds", "Test-run time without pauses", self._snapshot.elapsed)


class _K6Scrape(_Scrape):
    _LABEL = "testid"

    def _families_of(self, metric: MetricSnapshot) -> Iterator[Family]:
        return _k6_families(metric) if metric.id == metric.name else iter(())


def _gauge(name: str, text: str, value: float) -> Family:
    family = Family(name, text, "gauge")
    family.add_sample(name, {}, float(value))
    return family


def _families(metric: MetricSnapshot) -> Iterator[Family]:
    name = f"k6_{metric.name}{_UNITS[metric.contains]}"
    labels = {"filter": metric.id.removeprefix(metric.name)}
    scale = _MS_PER_SECOND if metric.contains is Contains.TIME else 1.0
    text = f"k6 metric {metric.name}"
    match metric.kind:
        case MetricKind.COUNTER:
            yield _single(
                name.removesuffix("_total"),
                text,
                "counter",
                labels,
                _number(metric, "count", scale),
            )
        case MetricKind.GAUGE:
            yield _single(name, text, "gauge", labels, _number(metric, "value", scale))
        case MetricKind.RATE:
            yield _single(f"{name}_ratio", text, "gauge", labels, _number(metric, "rate", 1.0))
        case MetricKind.TREND:
            yield _summary(name, text, labels, metric, scale)


def _k6_families(metric: MetricSnapshot) -> Iterator[Family]:
    name, text = f"k6_{metric.name}", f"k6 metric {metric.name}"
    match metric.kind:
        case MetricKind.COUNTER:
            total = _number(metric, "count", 1.0)
            yield _single(name.removesuffix("_total"), text, "counter", {}, total)
        case MetricKind.GAUGE:
            yield _gauge(name, text, _number(metric, "value", 1.0))
        case MetricKind.RATE:
            yield _gauge(f"{name}_rate", text, _number(metric, "rate", 1.0))
        case MetricKind.TREND:
            scale = _MS_PER_SECOND if metric.contains is Contains.TIME else 1.0
            for statistic in _K6_STATISTICS:
                number = _number(metric, statistic, scale)
                if not math.isnan(number):
                    end = statistic.replace("(", "").replace(")", "")
                    yield _gauge(f"{name}_{end}", f"{text}, {statistic}", number)


def _single(name: str, text: str, kind: str, labels: dict[str, str], value: float) -> Family:
    family = Family(name, text, kind)
    family.add_sample(f"{name}_total" if kind == "counter" else name, dict(labels), value)
    return family


def _summary(
    name: str, text: str, labels: dict[str, str], metric: MetricSnapshot, scale: float
) -> Family:
    family = Family(name, text, "summary")
    for quantile, statistic in _QUANTILES.items():
        value = _number(metric, statistic, scale)
        if not math.isnan(value):
            family.add_sample(name, {**labels, "quantile": quantile}, value)
    family.add_sample(f"{name}_count", dict(labels), float(metric.samples))
    family.add_sample(f"{name}_sum", dict(labels), _number(metric, "sum", scale))
    return family


def _number(metric: MetricSnapshot, statistic: str, scale: float) -> float:
    """Return a statistic in its base unit; NaN if the metric does not have it."""
    known = {**metric.extra, **metric.sample}
    return known.get(statistic, math.nan) / scale
