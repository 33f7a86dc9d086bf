"""Metrics: sinks, thresholds, the engine that fills them, and its snapshots. Pure."""

from pytest_k6api.metrics.aggregation import Aggregation
from pytest_k6api.metrics.snapshot import (
    CheckSnapshot,
    GroupSnapshot,
    MetricSnapshot,
    Snapshot,
    ThresholdSnapshot,
)
from pytest_k6api.metrics.tag_filter import Selection, TagFilter, parse_metric_id
from pytest_k6api.metrics.threshold import (
    Threshold,
    parse_selections,
    parse_threshold,
    parse_thresholds,
)

__all__ = [
    "Aggregation",
    "CheckSnapshot",
    "GroupSnapshot",
    "MetricSnapshot",
    "Selection",
    "Snapshot",
    "TagFilter",
    "Threshold",
    "ThresholdSnapshot",
    "parse_metric_id",
    "parse_selections",
    "parse_threshold",
    "parse_thresholds",
]
