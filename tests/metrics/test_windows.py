"""Thresholds with windows: how they are written, what they look at, when they are crossed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    EvaluationSummary,
    MetricsEngine,
    ThresholdSnapshot,
    Window,
    parse_threshold,
    parse_thresholds,
)
from pytest_k6api.metrics.sinks.windowed import MOST_SLICES, WindowedSink
from pytest_k6api.model import Batch, Metric, MetricKind, TagTable, ThresholdError

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=100)
TIMES = Metric(name="times", kind=MetricKind.TREND)
ORDERS = Metric(name="orders", kind=MetricKind.COUNTER)
DEPTH = Metric(name="depth", kind=MetricKind.GAUGE)
HITS = Metric(name="hits", kind=MetricKind.RATE)
KNOWN = {metric.name: metric for metric in (TIMES, ORDERS, DEPTH, HITS)}


class Load:
    """An engine whose load began at 0, with short ways to feed and judge it."""

    def __init__(self, key: str, *entries: Mapping[str, object]) -> None:
        self.tags = TagTable()
        self.metric = KNOWN[key.partition("{")[0]]
        self.engine = MetricsEngine(self.tags, parse_thresholds({key: list(entries)}, KNOWN))
        self.engine.load_began(0.0)

    def feed(self, at: float, *values: float, **tags: str) -> None:
        number = self.tags.intern(tags)
        rows = [(self.metric, number, value) for value in values]
        self.engine.ingest(Batch(samples=rows), at)

    def judge(self, at: float, *, final: bool = False) -> ThresholdSnapshot:
        self.verdict: EvaluationSummary = self.engine.evaluate(at, final=final)
        return next(self.engine.snapshot(at).thresholds)


def read(entry: Mapping[str, object]) -> Any:
    (threshold,) = parse_threshold("times", [entry], KNOWN)
    return threshold


def test_a_window_is_written_beside_the_expression() -> None:
    threshold = read(
        {"threshold": "p(95)<200", "after": "10s", "over_last": 30, "for_at_least": "1m"}
    )

    assert threshold.window == Window(after=10.0, over_last=30.0, for_at_least=60.0)
    assert threshold.window.text == "over the last 30s, after 10s, for at least 1m0s"
    assert read({"threshold": "avg<1", "after": None, "for_at_least": 0}).window is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"over_lsat": "30s"}, "a threshold does not take 'over_lsat'; did you mean 'over_last'?"),
        ({"overLast": "30s"}, "a threshold does not take 'overLast'; did you mean 'over_last'?"),
        (
            {"abort_onfail": True},
            "a threshold does not take 'abort_onfail'; did you mean 'abort_on_fail'?",
        ),
        ({"after": -1}, "after: can't be negative, got -1"),
        (
            {"over_last": "1s"},
            "over_last: thresholds are judged every 2 seconds, so write that or more, got '1s'",
        ),
        (
            {"for_at_least": "20"},
            "for_at_least: the duration '20' has no unit; write '20s' for seconds or '20ms' for"
            " milliseconds",
        ),
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(
    entry: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ThresholdError) as caught:
        read({"threshold": "avg<1", **entry})

    assert str(caught.value) == f"times: {message}"


def test_what_k6_ignores_and_nobody_can_have_meant_is_ignored() -> None:
    assert read({"threshold": "avg<1", "comment": "why"}).window is None


def percentile(values: Sequence[float], rank: float) -> float:
    ordered = sorted(values)
    position = rank / 100 * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


# Times in quarters of a second, for sums without rounding.
moments = st.integers(0, 400).map(lambda quarters: quarters / 4)
feedings = st.lists(st.tuples(moments, st.lists(st.integers(0, 9), min_size=1)), max_size=40)


@unhurried
@given(
    feedings,
    st.sampled_from([0.0, 0.25, 7.0, 30.5]),
    st.sampled_from([None, 2.0, 10.0, 45.0, 90.0]),
    st.floats(0, 120),
)
def test_a_window_holds_exactly_the_samples_between_its_ends(
    fed: list[tuple[float, list[int]]], after: float, last: float | None, extra: float
) -> None:
    sink = WindowedSink(TIMES, Window(after=after, over_last=last, for_at_least=1.0))
    fed = sorted(fed, key=lambda each: each[0])
    for at, values in fed:
        sink.advance(at)
        sink.add_many(values)
    now = (fed[-1][0] if fed else 0.0) + extra
    sink.advance(now)

    reading = sink.read()

    width = max(1, math.ceil((last or 0) / MOST_SLICES))
    begin = 0.0 if last is None else max(0, math.floor((now - last) / width) * width)
    expected = [
        value for at, values in fed if at >= begin and (not after or at > after) for value in values
    ]
    assert reading.sink.count == len(expected)
    assert reading.seconds == max(0.0, now - max(after, begin))
    if expected:
        found = {rank: reading.sink.percentile(rank) for rank in (0, 50, 95, 100)}  # type: ignore[attr-defined]  # a trend
        assert found == pytest.approx({rank: percentile(expected, rank) for rank in found})


@unhurried
@given(feedings, st.sampled_from([2.0, 10.0, 45.0]))
def test_a_windows_memory_is_bounded(fed: list[tuple[float, list[int]]], last: float) -> None:
    sink = WindowedSink(TIMES, Window(over_last=last))

    for at, values in sorted(fed, key=lambda each: each[0]):
        sink.advance(at)
        sink.add_many(values)

        assert len(sink._slices) <= MOST_SLICES + 2


def test_a_warm_up_is_left_out() -> None:
    load = Load("times", {"threshold": "max<100", "after": "10s"})

    load.feed(1.0, 900)
    assert load.judge(2.0).ok is None
    load.feed(11.0, 50)

    judged = load.judge(12.0)
    assert (judged.ok, judged.observed, judged.samples) == (True, 50, 1)
    assert judged.text == "max<100 after 10s"


def test_a_warm_up_that_outlasts_the_load_leaves_nothing_to_be_green_about() -> None:
    load = Load("times", {"threshold": "max<100", "after": "10s"})
    load.feed(1.0, 1)

    judged = load.judge(2.0, final=True)

    assert (judged.ok, judged.observed) == (False, None)


def test_a_counters_rate_is_about_the_time_after_the_warm_up() -> None:
    load = Load("orders", {"threshold": "rate>9", "after": "10s"})

    load.feed(5.0, 1)
    load.feed(15.0, 100)

    assert load.judge(20.0).observed == 10.0


def test_a_sliding_window_waits_until_it_is_full() -> None:
    load = Load("times", {"threshold": "avg<100", "over_last": "10s"})
    load.feed(1.0, 900)

    assert load.judge(8.0).ok is None
    load.feed(9.0, 900)
    assert load.judge(10.0).ok is False


def test_one_bad_window_is_not_forgiven_for_good_ones_later() -> None:
    load = Load("times", {"threshold": "avg<100", "over_last": "10s"})
    load.feed(1.0, 10)
    assert load.judge(10.0).ok
    load.feed(12.0, 500)
    assert not load.judge(14.0).ok
    assert [each.metric for each in load.verdict.crossed] == ["times"]
    load.feed(30.0, 10)

    judged = load.judge(40.0, final=True)

    assert (judged.ok, judged.observed, judged.crossed_at) == (False, 500, 14.0)
    assert load.verdict.crossed == ()


def test_an_empty_window_keeps_its_verdict_and_a_counters_is_zero() -> None:
    times = Load("times", {"threshold": "avg<100", "over_last": "4s"})
    orders = Load("orders", {"threshold": "count>0", "over_last": "4s"})
    for load in (times, orders):
        assert load.judge(6.0).ok is None
        load.feed(7.0, 1)
        assert load.judge(8.0).ok

    assert times.judge(20.0).ok
    judged = orders.judge(20.0)
    assert (judged.ok, judged.observed) == (False, 0)


def test_a_patient_threshold_is_crossed_once_it_has_failed_without_a_break() -> None:
    load = Load("depth", {"threshold": "value<5", "for_at_least": "4s"})

    def judge(at: float, value: float) -> bool | None:
        load.feed(at, value)
        return load.judge(at).ok

    assert [judge(2, 9), judge(4, 9), judge(6, 1), judge(8, 9), judge(10, 9)] == [True] * 5
    assert judge(12, 9) is False
    assert judge(14, 1) is False
    assert load.judge(14.0).crossed_at == 12.0


@unhurried
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.sampled_from([2.0, 5.0, 8.0]))
def test_patience_against_brute_force(good: list[bool], patience: float) -> None:
    load = Load("depth", {"threshold": "value<5", "for_at_least": patience})
    verdicts = []
    for number, is_good in enumerate(good):
        load.feed(2.0 * number + 1, 0 if is_good else 9)
        verdicts.append(load.judge(2.0 * number + 2).ok)

    def has_lasted(end: int) -> bool:
        start = end
        while start > 0 and not good[start - 1]:
            start -= 1
        return not good[end] and 2.0 * (end - start) >= patience

    crossed = [any(has_lasted(end) for end in range(upto + 1)) for upto in range(len(good))]
    assert verdicts == [not each for each in crossed]


def test_only_what_fails_now_ends_the_load_test() -> None:
    entry = {
        "threshold": "value<5",
        "over_last": "2s",
        "abort_on_fail": True,
        "delay_abort_eval": "9s",
    }
    load = Load("depth", entry)
    load.feed(3.0, 9)
    assert load.judge(4.0).ok is False
    load.feed(9.5, 1)
    load.judge(10.0)
    assert not load.verdict.abort

    load.feed(11.5, 9)
    load.judge(12.0)

    assert load.verdict.abort


def test_setup_and_teardown_are_no_load() -> None:
    entry = {"threshold": "max<100", "after": "10s"}
    load = Load("times", entry, {"threshold": "max<100", "over_last": "10s"})
    load.engine = MetricsEngine(
        load.tags, parse_thresholds({"times": [entry, {**entry, "over_last": "10s"}]}, KNOWN)
    )
    load.feed(19.0, 900)
    load.engine.load_began(20.0)
    load.feed(25.0, 900)
    load.feed(31.0, 50)
    load.engine.load_ended(35.0)
    load.feed(40.0, 900)

    load.judge(60.0, final=True)

    judged = list(load.engine.snapshot(60.0).thresholds)
    assert [(each.ok, each.observed) for each in judged] == [(True, 50), (True, 50)]


def test_what_the_end_of_the_load_shows_is_told_once() -> None:
    load = Load("times", {"threshold": "max<100", "over_last": "10s"})
    load.feed(3.0, 900)
    load.engine.load_ended(4.0)

    load.judge(6.0)
    assert [each.metric for each in load.verdict.crossed] == ["times"]
    load.judge(8.0, final=True)
    assert load.verdict.crossed == ()


def test_a_window_looks_only_at_samples_with_its_tags() -> None:
    load = Load("hits{kind:a}", {"threshold": "rate>0.9", "over_last": "10s"})
    load.feed(5.0, 0, kind="b")
    load.feed(6.0, 1, kind="a")

    judged = load.judge(10.0)

    assert (judged.ok, judged.samples) == (True, 1)


def test_thresholds_with_the_same_window_share_its_samples() -> None:
    window = {"over_last": "10s", "after": "1s"}
    load = Load("times", {"threshold": "p(95)<1", **window}, {"threshold": "p(99)<1", **window})

    assert len(load.engine._windows) == 1
