"""Sinks as JSON: what is read back answers as the original does."""

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    Sink,
    TrendMemory,
    TrendSink,
    new_sink,
    read_sink,
    sink_document,
)
from pytest_k6api.model import Contains, Metric, MetricKind

METRICS = {
    kind: Metric(name=f"my_{kind.value}", kind=kind, contains=Contains.TIME, samples_per_unit=1_000)
    for kind in MetricKind
}
# Whole microseconds, any doubles, and all integers that doubles hold.
VALUES = st.one_of(
    st.integers(0, 10**6),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    st.integers(-(2**53), 2**53),
    st.booleans(),
)
BATCHES = st.lists(st.lists(VALUES, min_size=1, max_size=30), max_size=5)


def fed(kind: MetricKind, batches: Sequence[Sequence[float]]) -> Sink:
    sink = new_sink(METRICS[kind])
    for batch in batches:
        sink.add_many(batch)
    return sink


@given(st.sampled_from(MetricKind), BATCHES)
def test_the_readable_form_survives_json(kind: MetricKind, batches: list[list[float]]) -> None:
    sink = fed(kind, batches)
    sink.settle()

    document = json.loads(json.dumps(sink_document(sink)))
    read = read_sink(METRICS[kind], document)

    assert json.loads(json.dumps(sink_document(read))) == document


def test_a_trend_that_keeps_fewer_digits_says_so_when_it_is_read_back() -> None:
    trend = TrendSink(memory=TrendMemory(50_000))
    for start in range(0, 200_000, 5_000):
        trend.add_many([value / 7 for value in range(start, start + 5_000)])
    trend.settle()
    assert trend.digits is not None

    read = read_sink(METRICS[MetricKind.TREND], sink_document(trend))

    assert isinstance(read, TrendSink)
    assert read.digits == trend.digits
    assert read.counts() == trend.counts()
    assert (read.lowest, read.highest) == (trend.lowest, trend.highest)


def test_an_infinite_total_is_kept_as_the_greatest_number() -> None:
    document = sink_document(fed(MetricKind.COUNTER, [[1e308, 1e308]]))

    assert document["sum"] == pytest.approx(1.797e308, rel=1e-3)
    assert math.isfinite(document["sum"])
