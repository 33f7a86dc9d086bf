"""The engine from rows to snapshots, answers and verdicts."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    DEFAULT_TREND_MEMORY,
    MetricsEngine,
    Selection,
    Sink,
    ThresholdSnapshot,
    TrendMemory,
    TrendSink,
    parse_metric_id,
    parse_selections,
    parse_thresholds,
)
from pytest_k6api.metrics.store import MOST_ASKED, MetricStore
from pytest_k6api.model import (
    ITERATION_ROWS,
    Batch,
    Column,
    IterationRow,
    Metric,
    MetricError,
    MetricKind,
    RowType,
    SampleRow,
    TagTable,
)
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)
QUEUE_TIME = Metric(name="queue_time", kind=MetricKind.TREND)
ORDERS = Metric(name="orders", kind=MetricKind.COUNTER)
DEPTH = Metric(name="depth", kind=MetricKind.GAUGE)
CACHE_HITS = Metric(name="cache_hits", kind=MetricKind.RATE)
KNOWN = {
    metric.name: metric for metric in (*built_in.BUILT_IN, QUEUE_TIME, ORDERS, DEPTH, CACHE_HITS)
}


class Rig:
    """An engine with short ways to feed it."""

    def __init__(
        self,
        thresholds: Mapping[str, object] | None = None,
        listed: Sequence[str] = (),
        trend_memory: int = DEFAULT_TREND_MEMORY,
    ) -> None:
        self.tags = TagTable()
        self.engine = MetricsEngine(
            self.tags,
            parse_thresholds(thresholds or {}, KNOWN),
            parse_selections(listed, KNOWN),
            trend_memory,
        )

    def request(self, duration_us: int, *, failed: int | None = 0, **tags: str) -> HttpRow:
        return (self.tags.intern(tags), failed, duration_us, 10, 5, 4, 1, duration_us - 2, 1, 0)

    def iteration(self, duration_us: int | None, *, failed: int | None = 0) -> IterationRow:
        outcome = None if duration_us is None else failed
        return (self.tags.intern({"scenario": "s"}), duration_us, outcome, 100, 2_000)

    def sample(self, metric: Metric, value: float, **tags: str) -> SampleRow:
        return (metric, self.tags.intern(tags), value)

    def feed(
        self,
        http: Sequence[HttpRow] = (),
        iterations: Sequence[IterationRow] = (),
        samples: Sequence[SampleRow] = (),
    ) -> None:
        self.engine.ingest(Batch({HTTP_ROWS: http, ITERATION_ROWS: iterations}, samples))

    def add(self, metric: Metric, *values: float, **tags: str) -> None:
        self.feed(samples=[self.sample(metric, value, **tags) for value in values])

    def number(self, metric_id: str, stat: str, elapsed: float = 1.0) -> float:
        found = self.engine.query(metric_id, elapsed, [stat])
        assert found is not None
        return {**found.sample, **found.extra}[stat]

    def listed(self) -> list[str]:
        return list(self.engine.snapshot(1.0).metrics)


def test_a_request_becomes_the_nine_metrics_of_k6() -> None:
    rig = Rig()

    rig.feed(http=[rig.request(3_000, expected_response="true"), rig.request(5_000, failed=1)])

    metrics = rig.engine.snapshot(elapsed=4.0).metrics
    assert list(metrics) == [
        "http_reqs",
        "http_req_failed",
        "http_req_duration",
        "http_req_duration{expected_response:true}",
        "http_req_blocked",
        "http_req_connecting",
        "http_req_tls_handshaking",
        "http_req_sending",
        "http_req_waiting",
        "http_req_receiving",
    ]
    assert metrics["http_reqs"].sample == {"count": 2, "rate": 0.5}
    assert metrics["http_req_failed"].sample == {"rate": 0.5}
    assert metrics["http_req_failed"].extra == {"passes": 1, "fails": 1}
    assert metrics["http_req_duration"].sample == {
        "avg": 4.0,
        "max": 5.0,
        "med": 4.0,
        "min": 3.0,
        "p(90)": 4.8,
        "p(95)": 4.9,
    }
    assert metrics["http_req_duration{expected_response:true}"].sample["max"] == 3.0
    sub_phases = ["blocked", "connecting", "tls_handshaking", "sending", "receiving"]
    assert [metrics[f"http_req_{phase}"].sample["max"] for phase in sub_phases] == [
        0.01,
        0.005,
        0.004,
        0.001,
        0.001,
    ]
    assert metrics["http_req_waiting"].sample["max"] == 4.998


def test_expected_responses_are_not_listed_before_there_is_one() -> None:
    rig = Rig()

    rig.feed(http=[rig.request(1, expected_response="false")])

    assert "http_req_duration{expected_response:true}" not in rig.listed()


def test_a_request_that_nobody_judged_counts_in_no_failure_rate() -> None:
    rig = Rig()
    unjudged = rig.request(1, failed=None, name="a")

    rig.feed(http=[unjudged])
    assert "http_req_failed" not in rig.listed()

    rig.feed(http=[unjudged, rig.request(1, failed=1, name="b"), rig.request(1, name="b")])
    assert rig.number("http_reqs", "count") == 4
    assert rig.number("http_req_failed", "count") == 2
    assert rig.engine.query("http_req_failed{name:a}", 1.0) is None


def test_an_interrupted_iteration_leaves_its_bytes_and_nothing_else() -> None:
    rig = Rig()

    rig.feed(iterations=[rig.iteration(None, failed=None)])
    assert rig.listed() == ["data_sent", "data_received"]

    rig.feed(iterations=[rig.iteration(2_000), rig.iteration(None), rig.iteration(4_000, failed=1)])
    metrics = rig.engine.snapshot(elapsed=2.0).metrics
    assert metrics["data_sent"].sample == {"count": 400, "rate": 200}
    assert metrics["data_received"].sample == {"count": 8_000, "rate": 4_000}
    assert metrics["iterations"].sample == {"count": 2, "rate": 1}
    assert metrics["iteration_duration"].sample["avg"] == 3.0
    assert metrics["iteration_failures"].sample == {"rate": 0.5}


def test_custom_metrics_of_every_kind_are_counted_and_reported() -> None:
    rig = Rig()

    rig.add(QUEUE_TIME, 12.5, 2.5)
    rig.add(ORDERS, 2, 3.5)
    rig.add(DEPTH, -4, 9, -1)
    rig.add(CACHE_HITS, True, False, 1, 1)

    metrics = rig.engine.snapshot(elapsed=10.0).metrics
    assert list(metrics) == ["queue_time", "orders", "depth", "cache_hits"]
    assert metrics["queue_time"].sample["avg"] == 7.5
    assert metrics["queue_time"].extra == {"count": 2, "sum": 15.0, "p(50)": 7.5, "p(99)": 12.4}
    assert metrics["orders"].sample == {"count": 5.5, "rate": 0.55}
    assert metrics["depth"].sample == {"value": -1}
    assert metrics["depth"].extra == {"min": -4, "max": 9}
    assert metrics["cache_hits"].sample == {"rate": 0.75}
    assert [metric.samples for metric in metrics.values()] == [2, 2, 3, 4]


@pytest.mark.parametrize("is_asked", [False, True])
def test_the_last_value_of_a_gauge_is_the_youngest_under_every_filter(*, is_asked: bool) -> None:
    rig = Rig()
    batches = [[(1, "b"), (2, "a")], [(3, "b")], [(4, "a"), (5, "b"), (6, "a")]]
    for number, batch in enumerate(batches):
        rig.feed(samples=[rig.sample(DEPTH, value, q="x", shard=shard) for value, shard in batch])
        if is_asked or number == 1:
            found = rig.engine.query("depth{q:x}" if is_asked else "depth{q: x}", 1.0)
            assert found is not None
            assert found.sample["value"] == batch[-1][0]

    anew = rig.engine.query("depth{ q:x }", 1.0)
    assert anew is not None
    assert anew.sample["value"] == 6


def test_the_last_value_of_a_gauge_is_the_youngest_over_all_tag_sets() -> None:
    rig = Rig()

    rig.feed(
        samples=[
            rig.sample(DEPTH, 1, q="a"),
            rig.sample(DEPTH, 2, q="b"),
            rig.sample(DEPTH, 3, q="a"),
        ]
    )

    assert rig.number("depth", "value") == 3
    assert rig.number("depth{q:b}", "value") == 2


def test_any_filter_can_be_asked_of_any_metric() -> None:
    rig = Rig()
    for duration, name, status in [(1_000, "a", "200"), (2_000, "a", "500"), (4_000, "b", "200")]:
        rig.feed(http=[rig.request(duration, name=name, status=status)])

    assert rig.number("http_req_duration{name:a}", "max") == 2.0
    assert rig.number("http_req_duration{ status : 200 }", "p(99.9)") == pytest.approx(3.997)
    assert rig.number("http_reqs{name:a,status:200}", "count") == 1
    assert rig.engine.query("http_reqs{name:zzz}", 1.0) is None
    assert rig.engine.query("no_such_metric", 1.0) is None
    # Asked only: the list stays as it is.
    assert [metric_id for metric_id in rig.listed() if "{" in metric_id] == []


def test_a_question_that_cannot_be_answered_is_refused() -> None:
    rig = Rig()
    rig.add(ORDERS, 1)

    with pytest.raises(MetricError, match=r"^orders: cannot ask a counter for 'p\(95\)'"):
        rig.engine.query("orders", 1.0, ["p(95)"])
    with pytest.raises(MetricError, match=r"cannot read the metric 'orders\{'"):
        rig.engine.query("orders{", 1.0)


tag_values = st.sampled_from(["x", "y", "z"])
tagged = st.lists(st.tuples(tag_values, tag_values, st.integers(0, 20)), min_size=1, max_size=40)


@unhurried
@given(st.lists(tagged, min_size=1, max_size=4))
def test_a_kept_sub_metric_equals_the_one_asked_for_and_the_filtered_list(
    batches: list[list[tuple[str, str, int]]],
) -> None:
    kept, asked = Rig(listed=["queue_time{a:x}"]), Rig()
    for batch in batches:
        for rig in (kept, asked):
            rig.feed(samples=[rig.sample(QUEUE_TIME, value, a=a, b=b) for a, b, value in batch])
    values = [value for batch in batches for a, _, value in batch if a == "x"]

    found = asked.engine.query("queue_time{a:x}", 1.0, ["p(37)"])
    listed = kept.engine.query("queue_time{a:x}", 1.0, ["p(37)"])

    assert listed is not None
    assert listed.samples == len(values)
    if values:
        assert found == listed
        assert found.extra["count"] == len(values)
        assert found.sample["max"] == max(values)
    else:
        assert found is None


@unhurried
@given(st.lists(tagged, min_size=1, max_size=4))
def test_asking_again_while_samples_come_in_gives_what_is_then_true(
    batches: list[list[tuple[str, str, int]]],
) -> None:
    rig = Rig()
    filters = ["a:x", "b:x", "a:y,b:z"]
    counted = 0
    for batch in batches:
        rig.feed(samples=[rig.sample(QUEUE_TIME, value, a=a, b=b) for a, b, value in batch])
        counted += sum(a == "x" for a, _, _ in batch)
        for some in filters:
            rig.engine.query(f"queue_time{{{some}}}", 1.0)
        found = rig.engine.query("queue_time{a:x}", 1.0)
        assert (found.samples if found else 0) == counted
    answers = [rig.engine.query(f"queue_time{{{some}}}", 1.0) for some in filters]

    rig.engine.settle()

    # Other spellings were never asked for: these are made anew from the series.
    anew = [rig.engine.query(f"queue_time{{{some}, {some}}}", 1.0) for some in filters]
    for answer, other in zip(answers, anew, strict=True):
        assert (answer and answer.sample) == (other and other.sample)
    assert rig.listed() == ["queue_time"]


def test_the_views_that_were_asked_for_last_are_kept_and_no_more() -> None:
    tags = TagTable()
    store = MetricStore(ORDERS, tags, TrendMemory())
    a, b = (tags.intern({"shop": "a", "n": "1", "till": till}) for till in "ab")
    store.add([1, 2], {a: [1], b: [2]})

    def selection(text: str) -> Selection:
        return Selection(ORDERS, parse_metric_id(f"orders{{{text}}}")[1])

    first = store.ask(selection("shop:a"))
    for number in range(MOST_ASKED):
        store.ask(selection(f"shop:a{' ' * number},n:1"))
    assert store.find(selection("shop:a")) is not first

    last = store.ask(selection("n:1"))
    store.add([4], {a: [4]})
    assert store.keep(selection("n:1")) is last
    store.add([8], {a: [8]})
    assert (last.sink.count, first.sink.count) == (4, 2)
    assert [view.id for view in store.views] == ["orders", "orders{n:1}"]


@unhurried
@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1)))
def test_a_view_is_its_only_series_and_adds_up_several(
    batches: list[list[tuple[str, int]]],
) -> None:
    tags = TagTable()
    store = MetricStore(QUEUE_TIME, tags, TrendMemory())
    only_b = store.keep(Selection(QUEUE_TIME, parse_metric_id("queue_time{shop:b}")[1]))
    a_and_b = store.keep(Selection(QUEUE_TIME, parse_metric_id("queue_time{like:x}")[1]))
    ids = {shop: tags.intern({"shop": shop, "like": "x" if shop != "c" else "y"}) for shop in "abc"}
    fed: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for batch in batches:
        parts: dict[int, list[int]] = {}
        for shop, value in batch:
            parts.setdefault(ids[shop], []).append(value)
            fed[shop].append(value)
        store.add([value for _, value in batch], parts)

    def counted(sink: Sink) -> Counter[float]:
        assert isinstance(sink, TrendSink)
        return Counter(sink.counts())

    assert counted(store.whole.sink) == Counter(fed["a"] + fed["b"] + fed["c"])
    assert counted(only_b.sink) == Counter(fed["b"])
    assert counted(a_and_b.sink) == Counter(fed["a"] + fed["b"])
    if fed["b"]:
        assert only_b.sink is store.series[ids["b"]]


requests = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.sampled_from([0, 1, None])),
    min_size=1,
    max_size=30,
)


@unhurried
@given(st.lists(requests, max_size=4))
def test_requests_are_counted_under_their_own_tags(
    batches: list[list[tuple[int, int, int | None]]],
) -> None:
    rig = Rig()
    for batch in batches:
        rig.feed(http=[rig.request(us, failed=f, name=f"n{name}") for us, name, f in batch])
    rows = [row for batch in batches for row in batch]

    for name in range(4):
        durations = [us for us, n, _ in rows if n == name]
        judged = [failed for _, n, failed in rows if n == name and failed is not None]
        if durations:
            assert rig.number(f"http_reqs{{name:n{name}}}", "count") == len(durations)
            assert rig.number(f"http_req_duration{{name:n{name}}}", "sum") == sum(durations) / 1000
        if judged:
            assert rig.number(f"http_req_failed{{name:n{name}}}", "passes") == sum(judged)


def test_thresholds_list_their_metrics_from_the_start_and_sub_metrics_after_their_parent() -> None:
    rig = Rig({"orders{shop:a}": ["count>0"], "queue_time": ["avg<1"]}, listed=["depth{q:a}"])

    assert rig.listed() == ["orders", "orders{shop:a}", "queue_time", "depth", "depth{q:a}"]
    assert rig.engine.snapshot(1.0).metrics["orders"].sample == {"count": 0, "rate": 0}

    rig.add(CACHE_HITS, 1)
    assert rig.listed()[-1] == "cache_hits"


def test_tainted_is_none_before_there_is_a_verdict_and_may_turn_back() -> None:
    rig = Rig({"queue_time": ["avg<10", "max<100"], "orders": ["count<5"]})
    assert rig.engine.snapshot(1.0).metrics["queue_time"].tainted is None

    rig.add(QUEUE_TIME, 50)
    verdict = rig.engine.evaluate(2.0, final=False)
    snapshot = rig.engine.snapshot(2.0)
    assert verdict.tainted
    assert snapshot.tainted
    assert [threshold.ok for threshold in snapshot.thresholds] == [False, True, None]
    assert snapshot.metrics["queue_time"].tainted is True
    # No sample yet: not judged.
    assert snapshot.metrics["orders"].tainted is None
    assert snapshot.metrics["queue_time"].thresholds == (
        ThresholdSnapshot(metric="queue_time", source="avg<10", ok=False, observed=50, samples=1),
        ThresholdSnapshot(metric="queue_time", source="max<100", ok=True, observed=50, samples=1),
    )

    rig.add(QUEUE_TIME, *[0] * 9)
    assert not rig.engine.evaluate(4.0, final=False).tainted
    assert not rig.engine.tainted
    assert rig.engine.snapshot(4.0).metrics["queue_time"].tainted is False


def test_a_threshold_counts_as_crossed_when_it_begins_to_fail() -> None:
    rig = Rig({"orders": ["count<5"]})
    rig.add(ORDERS, 9)

    first = rig.engine.evaluate(2.0, final=False)
    second = rig.engine.evaluate(4.0, final=False)

    assert [threshold.source for threshold in first.crossed] == ["count<5"]
    assert second.crossed == ()
    assert [threshold.observed for threshold in second.failed] == [9]


@pytest.mark.parametrize(
    ("metric", "seen"),
    [
        ("http_reqs{nam:home}", "tags seen: method, name"),
        ("http_reqs{name:hom}", "values seen of name: a, b, c, d, e and 2 more"),
        (
            "http_reqs{method:PUT,name:hom}",
            "values seen of method: GET; of name: a, b, c, d, e and 2 more",
        ),
        ("http_reqs{name:f}", ""),
        ("checks{name:hom}", ""),
    ],
)
def test_a_filter_that_no_sample_passed_tells_which_tags_samples_have(
    metric: str, seen: str
) -> None:
    rig = Rig({metric: ["rate>0"]})

    rig.feed(http=[rig.request(1, name=name, method="GET") for name in ["home", *"abcdef"]])

    (threshold,) = rig.engine.snapshot(1.0).metrics[metric].thresholds
    assert threshold.seen == seen


def test_a_threshold_whose_metric_never_got_a_sample_fails_at_the_end_only() -> None:
    rig = Rig({"cache_hits": ["rate<2"]})

    assert rig.engine.evaluate(2.0, final=False).failed == ()

    failed = rig.engine.evaluate(4.0, final=True).failed
    assert failed == (ThresholdSnapshot(metric="cache_hits", source="rate<2", ok=False),)
    assert failed[0].samples == 0


def test_a_counter_that_was_never_fed_has_counted_nothing() -> None:
    rig = Rig({"orders{shop:a}": ["count<5", "count>0"]})
    rig.add(ORDERS, 1, shop="b")

    failed = rig.engine.evaluate(4.0, final=True).failed

    assert failed == (
        ThresholdSnapshot(metric="orders{shop:a}", source="count>0", ok=False, observed=0.0),
    )


def test_aborting_waits_for_the_delay_and_for_nothing_else() -> None:
    delayed = {"threshold": "count<5", "abort_on_fail": True, "delay_abort_eval": "3s"}
    rig = Rig({"orders": ["count<4", delayed]})
    rig.add(ORDERS, 9)

    assert not rig.engine.evaluate(2.0, final=False).abort
    # k6 compares with «less than».
    assert not rig.engine.evaluate(3.0, final=False).abort
    verdict = rig.engine.evaluate(4.0, final=False)
    assert verdict.abort
    assert [threshold.source for threshold in verdict.aborting] == ["count<5"]


def test_abort_on_fail_without_a_delay_aborts_at_once() -> None:
    rig = Rig({"orders": [{"threshold": "count<5", "abort_on_fail": True}]})

    assert not rig.engine.evaluate(0.0, final=False).abort
    rig.add(ORDERS, 9)
    assert rig.engine.evaluate(0.0, final=False).abort


def test_the_rate_of_a_counter_uses_test_run_time() -> None:
    rig = Rig({"orders": ["rate>4"]})
    rig.add(ORDERS, 10)

    assert rig.engine.evaluate(0.0, final=False).failed != ()
    assert rig.engine.evaluate(2.0, final=False).failed == ()
    assert rig.engine.evaluate(3.0, final=False).failed[0].observed == pytest.approx(10 / 3)


def test_two_spellings_of_one_filter_keep_their_own_thresholds() -> None:
    rig = Rig({"orders{k:a}": ["count>0"], 'orders{ k : "a" }': ["count>100"]})
    rig.add(ORDERS, 1, k="a")

    failed = rig.engine.evaluate(1.0, final=True).failed

    assert [threshold.metric for threshold in failed] == ['orders{k : "a"}']


def test_groups_and_checks_grow_from_tags_in_the_order_of_the_code() -> None:
    rig = Rig()
    outer = {"group": "::outer"}
    inner = {"group": "::outer::inner"}
    for tags in (outer, inner):
        rig.tags.intern(tags)
    rig.feed(
        samples=[
            rig.sample(built_in.CHECKS, 1, **inner, check="is 200"),
            rig.sample(built_in.CHECKS, 0, **inner, check="is 200", scenario="b"),
            rig.sample(built_in.CHECKS, 1, **inner, check="is 200"),
            rig.sample(built_in.GROUP_DURATION, 7, **inner),
            rig.sample(built_in.CHECKS, 1, group="::other", check=""),
            rig.sample(built_in.GROUP_DURATION, 7, **outer),
            rig.sample(built_in.CHECKS, 0, group="", check="at the root"),
            rig.sample(QUEUE_TIME, 7, group="::unseen"),
        ]
    )

    root = rig.engine.snapshot(1.0).root

    assert [group.path for group in root.walk()] == ["", "::outer", "::outer::inner", "::other"]
    assert root.id == "d41d8cd98f00b204e9800998ecf8427e"
    assert [(check.name, check.passes, check.fails) for check in root.checks] == [
        ("at the root", 0, 1)
    ]
    (check,) = root.groups[0].groups[0].checks
    assert check.id == "6725000f84f8fcff6a87227bb109b94d"
    assert (check.path, check.passes, check.fails) == ("::outer::inner::is 200", 2, 1)
    assert root.groups[1].checks[0].path == "::other::"


def test_tags_set_by_hand_cannot_break_the_tree() -> None:
    rig = Rig()

    rig.add(built_in.CHECKS, 1, group="by hand", check="a::b")
    rig.add(built_in.CHECKS, 1, group="::x:::y", check="c")
    rig.add(built_in.CHECKS, 1, group="::x::", check="d")
    rig.add(built_in.GROUP_DURATION, 1)

    root = rig.engine.snapshot(1.0).root
    assert [check.path for check in root.checks] == ["::a::b"]
    assert [group.path for group in root.walk()] == ["", "::x", "::x:::y", "::x::"]


@pytest.mark.parametrize("metric", [QUEUE_TIME, ORDERS, DEPTH, CACHE_HITS])
def test_what_is_no_finite_number_is_left_out_and_reported(metric: Metric) -> None:
    rig = Rig({metric.name: []})
    wrong: list[Any] = [math.nan, math.inf, -math.inf, 10**400, "7", None]

    rig.add(metric, *wrong)
    assert rig.listed() == []
    rig.add(metric, 1, math.nan, 3)

    snapshot = rig.engine.snapshot(1.0)
    assert snapshot.metrics[metric.name].samples == 2
    assert snapshot.warnings == (
        (
            f"{metric.name}: 7 samples were left out; a metric takes finite numbers, and one name"
            " belongs to one kind of metric"
        ),
    )
    json.dumps([dict(m.sample) | dict(m.extra) for m in snapshot.metrics.values()], allow_nan=False)


def test_integers_too_large_for_a_float_are_left_out_among_floats() -> None:
    rig = Rig()

    rig.add(ORDERS, 1.5, 10**400, 2)

    assert rig.number("orders", "count") == 3.5


def test_a_metric_that_shares_its_name_with_another_kind_is_left_out() -> None:
    rig = Rig()
    rig.add(ORDERS, 1)

    rig.add(Metric(name="orders", kind=MetricKind.TREND), 5)
    rig.add(Metric(name="orders", kind=MetricKind.COUNTER), 5)

    assert rig.number("orders", "count") == 6
    assert "orders: 1 sample was left out" in rig.engine.snapshot(1.0).warnings[0]


def test_too_many_series_name_the_tag_that_grows_once_for_all_metrics() -> None:
    rig = Rig()
    urls = [f"http://x/items/{n}" for n in range(10_001)]
    rows = [
        rig.sample(metric, 1, name=url, url=url)
        for url in urls
        for metric in (built_in.HTTP_REQS, built_in.HTTP_REQ_RETRIES)
    ]

    rig.feed(samples=rows[:-2])
    before = rig.engine.snapshot(1.0).warnings
    rig.feed(samples=rows[-2:])

    assert before == ()
    assert rig.engine.snapshot(1.0).warnings == (
        (
            "http_reqs: more than 10,000 different sets of tags, and each takes memory; the tag 'name'"
            " has 10,001 different values: give requests to changing URLs one name, such as"
            " vu.http.get(url, name='/items/{id}')"
        ),
    )


def test_a_tag_of_the_users_own_that_grows_is_named_too() -> None:
    rig = Rig()

    rig.feed(samples=[rig.sample(ORDERS, 1, order=str(n)) for n in range(10_005)])

    (warning,) = rig.engine.snapshot(1.0).warnings
    assert warning.endswith(
        "the tag 'order' has 10,005 different values: leave it out, or give it fewer values"
    )


def test_a_trend_of_ever_new_values_says_how_exact_it_still_is() -> None:
    rig = Rig(trend_memory=200_000)

    rig.add(QUEUE_TIME, *[1 + n / 100_000 for n in range(30_000)])

    assert rig.engine.snapshot(1.0).warnings == (
        (
            "queue_time: more different values than fit into the 0.2 MB that all trends share"
            " (--k6-trend-memory), so they are kept with 5 significant digits; percentiles are"
            " exact to 0.005 %"
        ),
    )


def test_after_its_end_an_engine_answers_many_threads_alike() -> None:
    rig = Rig({"queue_time{a:1}": ["p(95)<1"]})
    for start in range(5):
        rig.feed(
            samples=[rig.sample(QUEUE_TIME, n + start / 7, a=str(n % 3)) for n in range(2_000)]
        )
    rig.engine.evaluate(9.0, final=True)
    rig.engine.settle()

    with ThreadPoolExecutor(8) as threads:
        snapshots = list(threads.map(rig.engine.snapshot, [9.0] * 16))
        answers = list(threads.map(lambda _: rig.engine.query("queue_time{a:2}", 9.0), range(16)))

    assert all(snapshot == snapshots[0] for snapshot in snapshots)
    assert all(answer == answers[0] for answer in answers)


def test_an_empty_engine_has_a_root_and_nothing_else() -> None:
    rig = Rig()

    rig.feed()
    snapshot = rig.engine.snapshot(0.0)

    assert snapshot.metrics == {}
    assert (snapshot.root.path, snapshot.root.groups, snapshot.root.checks) == ("", (), ())
    assert not snapshot.tainted
    assert not rig.engine.evaluate(0.0, final=True).tainted


def test_a_protocol_declares_its_rows_and_the_engine_reads_their_metrics() -> None:
    sent = Metric(name="ws_msgs_sent", kind=MetricKind.COUNTER)
    connecting = Metric(name="ws_connecting", kind=MetricKind.TREND, samples_per_unit=1_000)
    failed = Metric(name="ws_failed", kind=MetricKind.RATE)
    rows = RowType(
        "WebSocket",
        (
            Column(sent, 0, counts_rows=True),
            Column(connecting, 1, is_optional=True),
            Column(failed, 2),
        ),
    )
    tags = TagTable()
    one, other = tags.intern({"url": "/a"}), tags.intern({"url": "/b"})
    engine = MetricsEngine(tags)

    engine.ingest(Batch({rows: [(one, 2_000, 0), (other, None, 1), (other, 4_000, 0)]}))

    metrics = engine.snapshot(1.0).metrics
    assert list(metrics) == ["ws_msgs_sent", "ws_connecting", "ws_failed"]
    assert metrics["ws_msgs_sent"].sample["count"] == 3
    assert metrics["ws_connecting"].sample["avg"] == 3.0
    assert metrics["ws_failed"].extra["passes"] == 1
    found = engine.query("ws_connecting{url:/b}", 1.0)
    assert found is not None
    assert found.samples == 1
