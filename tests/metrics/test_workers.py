"""Workers' deltas: however samples are split and cut, the merged engine is that of one process."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    KEPT_BY_SECOND,
    Instant,
    MetricsEngine,
    Observer,
    SampleBatch,
    Selection,
    SerializationError,
    SeriesCollector,
    SeriesMerger,
    TagFilter,
    Threshold,
    parse_thresholds,
    sink_document,
)
from pytest_k6api.model import (
    Batch,
    Contains,
    MarkedTags,
    Metric,
    MetricKind,
    SampleRow,
    TagTable,
)
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS

TIMES = Metric(name="times", kind=MetricKind.TREND, contains=Contains.TIME, samples_per_unit=1_000)
ORDERS = Metric(name="orders", kind=MetricKind.COUNTER)
DEPTH = Metric(name="depth", kind=MetricKind.GAUGE)
HITS = Metric(name="hits", kind=MetricKind.RATE)
CUSTOM = (TIMES, ORDERS, DEPTH, HITS)
METRICS = (
    *CUSTOM,
    built_in.CHECKS,
    built_in.GROUP_DURATION,
    built_in.HTTP_REQS,
    built_in.HTTP_REQ_DURATION,
    built_in.HTTP_REQ_FAILED,
    built_in.DATA_RECEIVED,
    built_in.ITERATION_LATENESS,
    built_in.ITERATION_FAILURES,
)
ONES = {built_in.HTTP_REQS}
BITS = {built_in.CHECKS, built_in.HTTP_REQ_FAILED, built_in.ITERATION_FAILURES, HITS}
TAGS: Sequence[Mapping[str, str]] = (
    {"scenario": "buy", "name": "/a", "group": "::a", "check": "is 200"},
    {"scenario": "buy", "name": "/b", "group": "::a::b", "expected_response": "true"},
    {"scenario": "look", "name": "/a", "group": "", "status": "503"},
)
WINDOW = {"threshold": "p(90)<2", "after": "520ms", "over_last": "2s"}
THRESHOLDS = parse_thresholds(
    {
        "times": ["p(95)<1", WINDOW],
        "times{name:/a}": ["avg<3", {**WINDOW, "for_at_least": "2s"}],
        "orders": [{"threshold": "rate>3", "over_last": "3s"}, "count<100"],
        "depth": ["value<50", {"threshold": "value<90", "after": "1.52s"}],
        "checks{scenario:buy}": ["rate>0.5"],
        "http_req_duration{expected_response:true}": ["p(99.9)<5"],
    },
    {metric.name: metric for metric in METRICS},
)
LISTED = [Selection(HITS, TagFilter("name:/b", frozenset({("name", "/b")})))]
BEGAN = 0.33

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=60)


def value_of(metric: Metric, number: int) -> float:
    if metric in ONES:
        return 1
    if metric in BITS:
        return number % 2
    # Quarters add up exactly, in any order; the others are whole microseconds.
    return number / 4 if metric in CUSTOM and number % 3 else number


@dataclass
class Step:
    """What happens at one time: samples of a worker, its report, or a verdict."""

    at: float
    worker: int
    samples: list[tuple[int, int, int]] = field(default_factory=list)
    takes: bool = False
    judges: bool = False


@st.composite
def load_tests(draw: st.DrawFn) -> tuple[int, list[Step]]:
    workers = draw(st.sampled_from([1, 2, 3, 7]))
    sample = st.tuples(
        st.integers(0, len(METRICS) - 1), st.integers(0, len(TAGS) - 1), st.integers(0, 99)
    )
    steps, at = [], BEGAN
    for _ in range(draw(st.integers(1, 40))):
        at += draw(st.sampled_from([0.05, 0.07, 0.31, 0.9, 2.4]))
        steps.append(
            Step(
                at=round(at, 3),
                worker=draw(st.integers(0, workers - 1)),
                samples=draw(st.lists(sample, max_size=6)),
                takes=draw(st.booleans()),
                judges=draw(st.booleans()),
            )
        )
    return workers, steps


class Worker:
    def __init__(self, number: int, thresholds: Sequence[Threshold]) -> None:
        self.name = f"worker {number}"
        self.tags = TagTable()
        self.collector = SeriesCollector(self.tags, thresholds)
        self.collector.load_began(BEGAN)


def batch(tags: TagTable, samples: Sequence[tuple[int, int, int]]) -> Batch:
    rows: list[SampleRow] = [
        (METRICS[metric], tags.intern(TAGS[number]), value_of(METRICS[metric], value))
        for metric, number, value in samples
    ]
    return Batch(samples=rows)


SETUP = [(5, 1, 3), (0, 0, 40)]


def engine_of(tags: TagTable) -> MetricsEngine:
    for each in TAGS:  # in the order of the code, as the contexts of virtual users are
        tags.intern(each)
    return MetricsEngine(tags, THRESHOLDS, LISTED)


def merged(workers: int, steps: Sequence[Step]) -> tuple[MetricsEngine, list[float]]:
    """Return an engine fed by workers, and when it was judged."""
    tags = TagTable()
    engine = engine_of(tags)
    merger = SeriesMerger(engine, tags, THRESHOLDS)
    merger.ingest(batch(tags, SETUP), 0.2)
    merger.load_began(BEGAN)
    crew = [Worker(number, THRESHOLDS) for number in range(workers)]
    for worker in crew:
        merger.join(worker.name, BEGAN)
    judged = []
    for step in steps:
        worker = crew[step.worker]
        worker.collector.ingest(batch(worker.tags, step.samples), step.at)
        if step.takes:
            merger.put(worker.name, worker.collector.take(step.at))
        if step.judges:
            judged.append(merger.merge(step.at))
            engine.evaluate(judged[-1], final=False)
    for worker in crew:
        merger.put(worker.name, worker.collector.take_all(steps[-1].at))
        merger.leave(worker.name)
    merger.load_ended(steps[-1].at)
    merger.ingest(batch(tags, SETUP), steps[-1].at + 0.1)
    merger.merge_all()
    return engine, judged


def fed_at_once(steps: Sequence[Step], judged: Sequence[float]) -> MetricsEngine:
    """Return an engine that all samples were fed to as they came."""
    tags = TagTable()
    engine = engine_of(tags)
    engine.ingest(batch(tags, SETUP), 0.2)
    engine.load_began(BEGAN)
    verdicts = list(judged)
    for step in steps:
        while verdicts and verdicts[0] <= step.at:
            engine.evaluate(verdicts.pop(0), final=False)
        engine.ingest(batch(tags, step.samples), step.at)
    engine.load_ended(steps[-1].at)
    engine.ingest(batch(tags, SETUP), steps[-1].at + 0.1)
    return engine


def facts(engine: MetricsEngine, elapsed: float) -> dict[str, object]:
    """Return everything that an engine can be asked."""
    engine.evaluate(elapsed, final=True)
    engine.settle()
    snapshot = engine.snapshot(elapsed)
    timeline = engine.load_timeline().document()
    # Which of two kinds came first within a second is not kept.
    timeline["errors"].sort(key=lambda errors: errors["kind"])
    return {
        "metrics": snapshot.metrics,
        "groups": snapshot.root,
        "warnings": snapshot.warnings,
        "unjudged": snapshot.unjudged,
        "thresholds": engine.thresholds(),
        "timelines": {name: engine.timeline(name) for name in KEPT_BY_SECOND},
        "load timeline": timeline,
        "requests": engine.requests_by_name(elapsed),
        "totals": {key: sink_document(total.sink) for key, total in engine.totals().items()},
        "asked": engine.query("times{scenario:buy}", elapsed, ["p(33.3)"]),
        "failed": sorted(engine.failed_requests()),
    }


@unhurried
@given(load_tests())
def test_any_split_over_workers_and_any_cut_into_reports_make_the_engine_of_one_process(
    load_test: tuple[int, list[Step]],
) -> None:
    workers, steps = load_test
    elapsed = steps[-1].at + 0.2

    engine, judged = merged(workers, steps)

    assert facts(engine, elapsed) == facts(fed_at_once(steps, judged), elapsed)


def test_thousands_of_different_times_in_a_second_are_in_the_order_of_one_process() -> None:
    chance = random.Random(5)
    metrics = [METRICS.index(each) for each in (TIMES, built_in.HTTP_REQ_DURATION)]
    steps = [
        Step(
            at=0.5 + number / 4,
            worker=number % 3,
            samples=[
                (metric, chance.randrange(2), chance.randrange(1, 30_000))
                for metric in metrics
                for _ in range(2_000)
            ],
            takes=True,
            judges=True,
        )
        for number in range(8)
    ]

    engine, judged = merged(3, steps)

    assert facts(engine, 3.0) == facts(fed_at_once(steps, judged), 3.0)


def test_the_last_value_of_a_gauge_is_the_youngest_of_all_workers_and_tags() -> None:
    first = Step(at=0.4, worker=0, samples=[(2, 0, 1)])
    second = Step(at=0.5, worker=1, samples=[(2, 1, 2), (2, 0, 3)])
    third = Step(at=0.6, worker=0, samples=[(2, 1, 4), (2, 2, 6), (2, 0, 5)])

    engine, _ = merged(2, [first, second, third])

    depth = engine.query("depth", 1.0)
    assert depth is not None
    assert depth.sample["value"] == 5 / 4


class Pair:
    """One worker and the controller, with short ways to measure and to merge."""

    def __init__(self, trend_memory: int = 40_000_000) -> None:
        self.tags = TagTable()
        self.collector = SeriesCollector(self.tags)
        table = TagTable()
        self.engine = MetricsEngine(table, trend_memory=trend_memory)
        self.merger = SeriesMerger(self.engine, table)
        self.merger.join("w")

    def measure(self, metric: Metric, values: Sequence[float], at: float = 0.5) -> None:
        number = self.tags.intern({})
        self.collector.ingest(Batch(samples=[(metric, number, value) for value in values]), at)

    def merge(self) -> dict[str, object]:
        self.merger.put("w", self.collector.take_all(9.0))
        self.merger.merge_all()
        self.engine.settle()
        return {key: sink_document(total.sink) for key, total in self.engine.totals().items()}


VALUES = st.one_of(
    st.integers(0, 10**6),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    st.integers(-(2**53), 2**53),  # beyond, integers are doubles by then
    st.booleans(),
)


@given(st.sampled_from(CUSTOM), st.lists(VALUES, min_size=1, max_size=40))
def test_samples_of_any_size_and_type_survive_the_way(metric: Metric, values: list[float]) -> None:
    pair, tags = Pair(), TagTable()
    alone = MetricsEngine(tags)
    alone.ingest(Batch(samples=[(metric, tags.intern({}), value) for value in values]), 0.5)
    alone.settle()

    pair.measure(metric, values)

    assert pair.merge() == {key: sink_document(total.sink) for key, total in alone.totals().items()}


def test_a_sum_beyond_64_bits_is_kept_to_the_last_digit() -> None:
    pair = Pair()

    pair.measure(ORDERS, [2**70 + 1])

    assert pair.merge() == {"orders": {"samples": 1, "sum": 2**70 + 1}}


def test_refused_samples_of_workers_are_counted_in_one_warning() -> None:
    pair = Pair()
    pair.measure(TIMES, [1.0, math.nan])
    pair.measure(TIMES, [math.inf], at=2.5)

    pair.merge()

    assert pair.engine.snapshot(9.0).warnings == (
        "times: 2 samples were left out; a metric takes finite numbers, and one name belongs to"
        " one kind of metric",
    )


def test_a_metric_that_is_of_another_kind_in_another_worker_is_left_out() -> None:
    pair = Pair()
    pair.measure(ORDERS, [1])
    pair.merger.put("w", pair.collector.take_all(1.0))
    other = Pair()
    other.measure(Metric(name="orders", kind=MetricKind.GAUGE), [7, 8])
    pair.merger.join("other")

    pair.merger.put("other", other.collector.take_all(1.0))

    assert pair.merge() == {"orders": {"samples": 1, "sum": 1}}
    assert pair.engine.snapshot(9.0).warnings == (
        "orders: 2 samples were left out; a metric takes finite numbers, and one name belongs to"
        " one kind of metric",
    )


def test_beyond_the_memory_of_trends_the_merged_one_keeps_fewer_digits_and_exact_extremes() -> None:
    pair = Pair(trend_memory=50_000)
    rng = random.Random(3)
    values = [rng.uniform(1, 1_000) for _ in range(40_000)]
    for start in range(0, len(values), 4_000):
        pair.measure(TIMES, values[start : start + 4_000], at=0.5 + start / 4_000)

    pair.merge()

    found = pair.engine.query("times", 9.0, ["p(99)"])
    assert found is not None
    assert found.sample["min"] == min(values) / 1_000
    assert found.sample["max"] == max(values) / 1_000
    exact = sorted(values)[round(0.99 * (len(values) - 1))] / 1_000
    assert found.extra["p(99)"] == pytest.approx(exact, rel=1e-3)
    assert "4 significant digits" in pair.engine.snapshot(9.0).warnings[0]


def test_a_second_waits_for_the_slowest_worker_and_for_none_that_has_left() -> None:
    tags = TagTable()
    merger = SeriesMerger(MetricsEngine(tags), tags)
    workers = [Worker(number, ()) for number in range(2)]
    for worker in workers:
        merger.join(worker.name)

    merger.put("worker 0", workers[0].collector.take(7.25))
    held_up = merger.merge(7.3)
    merger.put("worker 1", workers[1].collector.take(5.75))
    slow = merger.merge(7.3)
    merger.leave("worker 1")
    alone = merger.merge(7.3)

    assert (held_up, slow, alone) == (0.0, 5.0, 7.0)


def test_a_report_leaves_out_the_second_that_is_not_over_unless_it_is_the_last() -> None:
    pair = Pair()
    pair.measure(ORDERS, [1], at=0.9)
    pair.measure(ORDERS, [2], at=1.1)

    pair.merger.put("w", pair.collector.take(1.2))
    pair.merger.merge_all()
    before = pair.engine.query("orders", 1.2)

    assert before is not None
    assert before.sample["count"] == 1
    assert pair.merge() == {"orders": {"samples": 2, "sum": 3}}


def test_metrics_and_tags_are_sent_once() -> None:
    pair = Pair()
    pair.measure(TIMES, [1])
    first = pair.collector.take_all(1.0)
    pair.measure(TIMES, [1], at=1.5)

    second = pair.collector.take_all(2.0)

    assert b"times" in first
    assert b"times" not in second
    assert len(second) < 50


def test_a_second_of_whole_microseconds_takes_a_few_bytes_each() -> None:
    pair = Pair()
    pair.measure(TIMES, range(0, 60_000, 3))

    assert len(pair.collector.take_all(1.0)) < 2.1 * 20_000


def report(*columns: object, metrics: Sequence[object] = (("m", "trend", "default", 1),)) -> bytes:
    parts = [[0.5, columns, {}]]
    return b"\x01" + msgspec.msgpack.encode([1.0, metrics, [{}], parts, []])


EMPTY = ["B", b""]


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        b"\x01no series",
        b"\x01" + msgspec.msgpack.encode({}),
        report(metrics=[("m m", "trend", "default", 1)]),
        report([1, []]),
        report([-1, []]),
        report([0, [[0, 1, 2]]]),
        report([0, [[1, 0, EMPTY, EMPTY, EMPTY]]]),
        report([0, [[0, 0, ["z", b"1"], EMPTY, EMPTY]]]),
        report([0, [[0, 0, ["I", b"1"], EMPTY, EMPTY]]]),
        report([0, [[0, 0, ["d", b"\xff" * 8], EMPTY, EMPTY]]]),
        report([0, [[0, 0, EMPTY, ["B", b"11"], ["B", b"1"]]]]),
        report([0, [[0, "many", EMPTY, EMPTY, EMPTY]]]),
    ],
)
def test_a_damaged_report_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError, match=r"^damaged report of a worker: "):
        Pair().merger.put("w", data)


@pytest.mark.parametrize("data", [b"", b"\x02\x90"])
def test_a_report_of_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError, match=r"of version 1 begin with b'\\x01'$"):
        Pair().merger.put("w", data)


def test_rows_of_protocols_are_taken_as_the_engine_takes_them() -> None:
    pair, tags = Pair(), TagTable()
    alone = MetricsEngine(tags)
    number = tags.intern({"name": "/"})
    assert pair.tags.intern({"name": "/"}) == number
    rows = [(number, 0, 900 + n, 1, 0, 0, 30, 800 + n, 70, n % 2) for n in range(5)]

    alone.ingest(Batch({HTTP_ROWS: rows}), 0.5)
    pair.collector.ingest(Batch({HTTP_ROWS: rows}), 0.5)

    totals = pair.merge()
    alone.settle()
    assert totals == {key: sink_document(total.sink) for key, total in alone.totals().items()}
    assert "http_req_duration" in totals


NOW = Instant(at=1_700_000_000.25, now_ns=5_000_000_000)


def marked(number: int, vu: int) -> int:
    tags_id = MarkedTags(number)
    tags_id.metadata = {"vu": str(vu), "iter": "0"}
    return tags_id


def batch_of_requests(tags: TagTable) -> Batch:
    """Return requests of two names that ended at different times, and samples of users."""
    a, b = (tags.intern({"name": name}) for name in "ab")
    rows = [
        (marked(a, 1), 0, 900, 1, 0, 0, 30, 800, 70, NOW.now_ns - 30_000_000),
        (marked(b, 2), 1, 700, 1, 0, 0, 30, 600, 70, NOW.now_ns - 20_000_500),
        (marked(a, 3), 0, 800, 1, 0, 0, 30, 700, 70, NOW.now_ns - 999),
    ]
    samples: list[SampleRow] = [
        (TIMES, a, 1.5),
        (TIMES, a, math.nan),
        (DEPTH, b, -3),
        (HITS, a, True),
    ]
    return Batch({HTTP_ROWS: rows}, samples)


def described(samples: SampleBatch) -> list[object]:
    return [
        (
            series.metric,
            series.kind,
            series.contains,
            dict(series.tags),
            list(series.samples),
            series.samples_per_unit,
            series.values,
            series.times_us,
            list(series.metadata),
        )
        for series in samples.series
    ]


def test_outputs_see_samples_of_workers_as_those_of_one_process() -> None:
    tags, seen, table = TagTable(), Observer(), TagTable()
    MetricsEngine(tags).ingest(batch_of_requests(tags), 0.5, seen)
    expected = seen.describe(tags, at=NOW.at, elapsed=0.5, now_ns=NOW.now_ns)
    got: list[SampleBatch] = []
    table.intern({"other": "numbers here"})
    merger = SeriesMerger(MetricsEngine(table), table, on_samples=got.append)
    worker = Worker(1, ())
    merger.join("w")

    # A clock that reads a quarter of an hour too much.
    ahead = 900.0
    worker.collector.ingest(
        batch_of_requests(worker.tags), 0.5, Instant(NOW.at + ahead, NOW.now_ns)
    )
    merger.put("w", worker.collector.take_all(1.0), ahead)
    merger.merge_all()

    (samples,) = got
    assert (samples.at, samples.elapsed) == (expected.at, expected.elapsed)
    assert described(samples) == described(expected)
    assert all(series.tags in table for series in samples.series)


def test_samples_of_all_workers_and_the_controller_come_in_the_order_of_time() -> None:
    table = TagTable()
    got: list[SampleBatch] = []
    merger = SeriesMerger(MetricsEngine(table), table, on_samples=got.append)
    workers = [Worker(number, ()) for number in range(2)]
    for number, at in ((0, 0.2), (1, 0.1), (0, 1.4), (1, 1.3), (1, 2.5)):
        worker = workers[number]
        worker.collector.ingest(batch(worker.tags, [(1, 0, number)]), at, NOW)
    for worker in workers:
        merger.join(worker.name)
        merger.put(worker.name, worker.collector.take(2.6))
    merger.ingest(batch(table, [(1, 0, 7)]), 0.15, NOW)
    merger.ingest(batch(table, [(1, 0, 8)]), 2.7, NOW)

    merger.merge(2.8)

    assert [samples.elapsed for samples in got] == [0.1, 0.15, 0.2, 1.3, 1.4]


def test_samples_are_not_sent_where_nothing_takes_them() -> None:
    worker = Worker(1, ())
    worker.collector.ingest(batch(worker.tags, [(0, 0, n) for n in range(50)]), 0.5)
    without = worker.collector.take_all(1.0)
    worker.collector.ingest(batch(worker.tags, [(0, 0, n) for n in range(50)]), 1.5, NOW)

    assert len(without) < len(worker.collector.take_all(2.0))


def test_numbers_of_subclasses_are_sent_as_plain_ones() -> None:
    class Seconds(float):
        pass

    pair = Pair()
    for metric in CUSTOM:
        pair.measure(metric, [Seconds(1.5), Seconds(1.5)])
        pair.collector.ingest(
            Batch(samples=[(metric, pair.tags.intern({}), Seconds(2.5))]), 0.7, NOW
        )

    totals = pair.merge()

    assert totals["depth"] == {"samples": 3, "last": 2.5, "min": 1.5, "max": 2.5}


@pytest.mark.parametrize(
    "series",
    [
        [[0, 9, EMPTY, None, 0]],
        [[9, 0, EMPTY, None, 0]],
        [[0, 0, ["H", b"1"], None, 0]],
        [[0, 0, ["B", b"1"], 3, 0]],
        [[0, 0, ["B", b"1"], None, 3]],
    ],
)
def test_damaged_samples_are_refused(series: object) -> None:
    metrics = [["m", "trend", "default", 1]]
    batches = [[NOW.at, 0.5, [], [[]], series]]
    data = b"\x01" + msgspec.msgpack.encode([1.0, metrics, [{}], [], batches])

    with pytest.raises(SerializationError, match=r"^damaged report of a worker: "):
        Pair().merger.put("w", data)
