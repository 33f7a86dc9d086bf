"""The contents of sinks as JSON values.

The members: `samples`, and what the kind of metric adds up. A trend's `values` are pairs of
value and count, in ascending order, which answer every question that the trend could
answer (``docs/reference/results-format.md``).
"""

from collections.abc import Mapping
from typing import Any

from pytest_k6api.metrics.sinks.simple import (
    CounterSink,
    GaugeSink,
    RateSink,
    Sink,
    finite,
    new_sink,
)
from pytest_k6api.metrics.sinks.trend import TrendSink
from pytest_k6api.model import Metric, MetricKind

# JSON as it is read and written.
Document = dict[str, Any]


def sink_document(sink: Sink) -> Document:
    """Return the contents of `sink` as JSON values; in the thread that feeds it."""
    match sink:
        case CounterSink():
            sums: Document = {"sum": finite(sink.total)}
        case GaugeSink():
            sums = {"last": sink.last, "min": sink.least, "max": sink.greatest}
        case RateSink():
            sums = {"passes": sink.passes}
        case TrendSink() if sink.count:
            sink.settle()
            # A truth value is a number to Python and is not to JSON.
            pairs = sorted((value + 0, count) for value, count in sink.counts().items())
            sums = {
                "sum": finite(sink.total),
                "min": sink.lowest,
                "max": sink.highest,
                "digits": sink.digits,
                "values": pairs,
            }
        case _:
            sums = {"values": []}
    return {"samples": sink.count, **sums}


def read_sink(metric: Metric, document: Mapping[str, Any]) -> Sink:
    """Return the sink of `metric` that `sink_document` made `document` of.

    Raises:
        KeyError, TypeError, ValueError: A member is missing or is something else.
    """
    if metric.kind is MetricKind.TREND and document["values"]:
        return TrendSink.restored(
            dict(map(tuple, document["values"])),
            total=document["sum"],
            lowest=document["min"],
            highest=document["max"],
            samples_per_unit=metric.samples_per_unit,
            digits=document["digits"],
        )
    sink = new_sink(metric)
    sink.count = document["samples"]
    match sink:
        case CounterSink():
            sink.total = document["sum"]
        case GaugeSink():
            sink.last, sink.least, sink.greatest = (document[key] for key in ("last", "min", "max"))
        case RateSink():
            sink.passes = document["passes"]
    return sink
