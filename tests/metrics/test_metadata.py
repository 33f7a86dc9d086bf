"""Metadata: what is known of one sample, and makes no series of its own."""

from pytest_k6api.metrics import MetricsEngine, Observer, SampleBatch
from pytest_k6api.model import CHECK_ROWS, MarkingBuffer, Metric, MetricKind, SampleBuffer, TagTable

ORDERS = Metric(name="orders", kind=MetricKind.COUNTER)


def taken(engine: MetricsEngine, tags: TagTable, buffer: SampleBuffer) -> SampleBatch:
    observer = Observer()
    engine.ingest(buffer.drain(), 0.0, observer)
    return observer.describe(tags, at=0.0, elapsed=0.0)


def test_samples_of_two_virtual_users_are_one_series_with_metadata_of_each():
    tags, shared = TagTable(), SampleBuffer()
    number, engine = tags.intern({"check": "is 200"}), MetricsEngine(tags)
    first = MarkingBuffer(shared, lambda: {"vu": "1", "iter": "0"})
    second = MarkingBuffer(shared, lambda: {"vu": "2", "iter": "7"})

    first.rows[CHECK_ROWS].append((number, 1.0))
    second.rows[CHECK_ROWS].append((number, 0.0))
    first.samples.append((ORDERS, number, 3))
    second.samples += ((ORDERS, number, 4), (ORDERS, number, 5))
    checks, orders = taken(engine, tags, shared).series

    assert (checks.values, orders.values) == ((1.0, 0.0), (3.0, 4.0, 5.0))
    assert [each["vu"] for each in checks.metadata] == ["1", "2"]
    assert [each["iter"] for each in orders.metadata] == ["0", "7", "7"]
    assert len(list(engine.snapshot(1.0).metrics)) == 2
    assert list(engine.failed_requests()) == []


def test_a_series_knows_of_no_metadata_where_no_sample_has_some():
    tags, buffer = TagTable(), SampleBuffer()
    buffer.rows[CHECK_ROWS].append((tags.intern({"check": "is 200"}), 1.0))

    (checks,) = taken(MetricsEngine(tags), tags, buffer).series

    assert checks.metadata == ()


def test_samples_without_metadata_stand_beside_those_that_have_some():
    tags, shared = TagTable(), SampleBuffer()
    number = tags.intern({})
    shared.samples.append((ORDERS, number, 1))
    MarkingBuffer(shared, lambda: {"vu": "1"}).samples.append((ORDERS, number, 2))

    (orders,) = taken(MetricsEngine(tags), tags, shared).series

    assert list(orders.metadata) == [{}, {"vu": "1"}]
