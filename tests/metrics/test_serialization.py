"""Series as bytes: what is read back answers and merges as the original does."""

import json
import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    MetricsEngine,
    SerializationError,
    Sink,
    TaggedSink,
    TrendMemory,
    TrendSink,
    merge_series,
    new_sink,
    pack_series,
    read_sink,
    sink_document,
    unpack_series,
)
from pytest_k6api.model import Batch, Contains, Metric, MetricKind, TagTable

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


def through_bytes(kind: MetricKind, sink: Sink) -> Sink:
    (read,) = unpack_series(pack_series([TaggedSink(METRICS[kind], {"name": "/"}, sink)]))
    assert read.metric == METRICS[kind]
    assert read.tags == {"name": "/"}
    return read.sink


def facts(sink: Sink) -> object:
    sink.settle()
    return sink_document(sink)


@settings(max_examples=100)
@given(st.sampled_from(MetricKind), BATCHES, BATCHES)
def test_what_is_read_back_merges_to_the_last_bit_as_the_originals(
    kind: MetricKind, batches: list[list[float]], others: list[list[float]]
) -> None:
    merged, read = fed(kind, batches), through_bytes(kind, fed(kind, batches))

    merged.merge(fed(kind, others))
    read.merge(through_bytes(kind, fed(kind, others)))

    assert facts(read) == facts(merged)


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

    read = through_bytes(MetricKind.TREND, trend)

    assert isinstance(read, TrendSink)
    assert read.digits == trend.digits
    assert read.counts() == trend.counts()
    assert (read.lowest, read.highest) == (trend.lowest, trend.highest)


def test_an_engines_series_are_merged_by_metric_and_tags() -> None:
    packed = []
    for duration in (1_000, 3_000):
        tags = TagTable()
        engine = MetricsEngine(tags)
        metric = METRICS[MetricKind.TREND]
        rows = [(metric, tags.intern({"name": name}), duration) for name in "ab"]
        engine.ingest(Batch(samples=rows))
        packed.append(pack_series(engine.series()))

    merged = merge_series(each for data in packed for each in unpack_series(data))

    assert [each.tags for each in merged] == [{"name": "a"}, {"name": "b"}]
    for each in merged:
        assert isinstance(each.sink, TrendSink)
        assert each.sink.counts() == {1_000: 1, 3_000: 1}


def test_whole_microseconds_take_a_few_bytes_each() -> None:
    trend = new_sink(METRICS[MetricKind.TREND])
    trend.add_many(range(0, 1_000_000, 10))

    packed = pack_series([TaggedSink(METRICS[MetricKind.TREND], {}, trend)])

    assert len(packed) < 2.1 * 100_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"no series",
        msgspec.msgpack.encode({}),
        msgspec.msgpack.encode([1]),
        msgspec.msgpack.encode([1, [["m", "trend", "default", 1, {}, {"values": [[0, "z"]]}]]]),
        msgspec.msgpack.encode([1, [["m", "counter", "default", 1, {}, {}]]]),
    ],
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SerializationError, match="damaged series: "):
        unpack_series(data)


def test_another_version_is_refused() -> None:
    with pytest.raises(SerializationError, match="packed series of version 2; version 1 can be"):
        unpack_series(msgspec.msgpack.encode([2, []]))


def test_a_sum_beyond_64_bits_is_kept_to_the_last_digit() -> None:
    sink = fed(MetricKind.COUNTER, [[2**70 + 1]])

    assert sink_document(through_bytes(MetricKind.COUNTER, sink))["sum"] == 2**70 + 1


def test_an_infinite_total_is_kept_as_the_greatest_number() -> None:
    sink = fed(MetricKind.COUNTER, [[1e308, 1e308]])

    read = through_bytes(MetricKind.COUNTER, sink)

    assert sink_document(read)["sum"] == pytest.approx(1.797e308, rel=1e-3)
    assert math.isfinite(sink_document(read)["sum"])
