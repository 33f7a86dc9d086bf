"""Metrics: sinks, thresholds, the engine that fills them, and its snapshots.

Pure: no clock, no socket, no Trio; it imports nothing of this package but the model.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names
from pytest_k6api.metrics.aggregation import Aggregation, parse_aggregation
from pytest_k6api.metrics.engine import MetricsEngine
from pytest_k6api.metrics.requests_by_name import TIMES, RequestsRow
from pytest_k6api.metrics.sample_batch import Instant, Observer, SampleBatch, Series
from pytest_k6api.metrics.sinks.simple import (
    CounterSink,
    GaugeSink,
    RateSink,
    Sink,
    finite,
    measure,
    new_sink,
)
from pytest_k6api.metrics.sinks.trend import TrendSink, is_countable
from pytest_k6api.metrics.sinks.trend_memory import DEFAULT_LIMIT as DEFAULT_TREND_MEMORY
from pytest_k6api.metrics.sinks.trend_memory import TrendMemory
from pytest_k6api.metrics.slowest import SlowestRequests, TracedRequest
from pytest_k6api.metrics.snapshot import (
    CheckSnapshot,
    GroupSnapshot,
    MetricSnapshot,
    Snapshot,
    ThresholdSnapshot,
    Unjudged,
)
from pytest_k6api.metrics.store import MetricTotal
from pytest_k6api.metrics.tag_filter import Selection, TagFilter, parse_metric_id
from pytest_k6api.metrics.thresholds.coverage import FailureSeries
from pytest_k6api.metrics.thresholds.evaluation import EvaluationSummary
from pytest_k6api.metrics.thresholds.expression import (
    Threshold,
    parse_entries,
    parse_selections,
    parse_threshold,
    parse_thresholds,
)
from pytest_k6api.metrics.thresholds.window import Window
from pytest_k6api.metrics.timelines.documents import TimelineDocument
from pytest_k6api.metrics.timelines.load_timeline import LoadTimeline
from pytest_k6api.metrics.timelines.metric_timeline import KEPT as KEPT_BY_SECOND
from pytest_k6api.metrics.timelines.metric_timeline import Point
from pytest_k6api.metrics.timelines.point_table import MOST_POINTS

if TYPE_CHECKING:
    from pytest_k6api.metrics.serialization import read_sink, sink_document
    from pytest_k6api.metrics.workers.collector import SeriesCollector
    from pytest_k6api.metrics.workers.merger import SeriesMerger
    from pytest_k6api.metrics.workers.packing import SerializationError

__all__ = [
    "DEFAULT_TREND_MEMORY",
    "KEPT_BY_SECOND",
    "MOST_POINTS",
    "TIMES",
    "Aggregation",
    "CheckSnapshot",
    "CounterSink",
    "EvaluationSummary",
    "FailureSeries",
    "GaugeSink",
    "GroupSnapshot",
    "Instant",
    "LoadTimeline",
    "MetricSnapshot",
    "MetricTotal",
    "MetricsEngine",
    "Observer",
    "Point",
    "RateSink",
    "RequestsRow",
    "SampleBatch",
    "Selection",
    "SerializationError",
    "Series",
    "SeriesCollector",
    "SeriesMerger",
    "Sink",
    "SlowestRequests",
    "Snapshot",
    "TagFilter",
    "Threshold",
    "ThresholdSnapshot",
    "TimelineDocument",
    "TracedRequest",
    "TrendMemory",
    "TrendSink",
    "Unjudged",
    "Window",
    "finite",
    "is_countable",
    "measure",
    "new_sink",
    "parse_aggregation",
    "parse_entries",
    "parse_metric_id",
    "parse_selections",
    "parse_threshold",
    "parse_thresholds",
    "read_sink",
    "sink_document",
]

# Saved results and workers need them, and few load tests have either.
__getattr__ = late_names(
    __name__,
    {
        ".serialization": ("read_sink", "sink_document"),
        ".workers.collector": ("SeriesCollector",),
        ".workers.merger": ("SeriesMerger",),
        ".workers.packing": ("SerializationError",),
    },
)
