"""Sinks against plain lists, and against numbers worked out by hand."""

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    Aggregation,
    CounterSink,
    GaugeSink,
    RateSink,
    TrendMemory,
    TrendSink,
    is_countable,
    measure,
    new_sink,
)
from pytest_k6api.metrics.aggregation import parse_aggregation
from pytest_k6api.model import Metric, MetricError, MetricKind

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)
numbers = st.one_of(st.integers(-1000, 1000), st.floats(-1e9, 1e9))
ranks = st.one_of(st.sampled_from([0, 50, 90, 95, 99.9, 100]), st.floats(0, 100))
batches = st.lists(st.lists(numbers, min_size=1, max_size=20), max_size=8)

# What the k6 v1.1.0 binary wrote with --summary-export for these samples.
K6_PERCENTILES: list[tuple[list[float], dict[float, float]]] = [
    ([1], {0: 1, 25: 1, 50: 1, 90: 1, 95: 1, 99: 1, 99.9: 1, 100: 1}),
    ([1, 2], {0: 1, 25: 1.25, 50: 1.5, 90: 1.9, 95: 1.95, 99: 1.99, 99.9: 1.999, 100: 2}),
    ([5, 1, 1, 5, 1, 5], {0: 1, 25: 1, 50: 3, 90: 5, 95: 5, 99: 5, 99.9: 5, 100: 5}),
    (
        [10, 20, 30, 40, 100],
        {0: 10, 25: 20, 50: 30, 90: 76, 95: 87.99999999999999, 99: 97.6, 99.9: 99.76000000000002},
    ),
    (
        [0.1, 0.2, 0.30000000000000004, 7.25],
        {
            25: 0.17500000000000002,
            50: 0.25,
            90: 5.165000000000001,
            99: 7.041499999999998,
            100: 7.25,
        },
    ),
]


# Less than the values of the tests of cut digits take.
LITTLE = 100_000


def trend_of(*batches: Sequence[float], limit: float = math.inf) -> TrendSink:
    memory = TrendMemory(limit)
    trend = TrendSink(memory=memory)
    for batch in batches:
        trend.add_many(batch)
    if limit < math.inf:
        trend.settle()
        for _ in range(100):  # what is cut little by little while a load test runs
            memory.make_room()
    return trend


def number_of(
    sink: CounterSink | GaugeSink | RateSink | TrendSink, text: str, elapsed: float = 0.0
) -> float:
    rank = float(text[2:-1]) if text.startswith("p(") else None
    return measure(sink, Aggregation(text, rank), elapsed)


def by_k6s_formula(values: list[float], rank: float) -> float:
    ordered = sorted(values)
    position = rank / 100 * (len(ordered) - 1)
    low = ordered[math.floor(position)]
    high = ordered[math.ceil(position)]
    return low + (high - low) * (position - math.floor(position))


@pytest.mark.parametrize(("values", "expected"), K6_PERCENTILES)
def test_percentiles_are_k6s(values: list[float], expected: dict[float, float]) -> None:
    trend = trend_of(values)

    for rank, percentile in expected.items():
        assert trend.percentile(rank) == percentile


@pytest.mark.parametrize("before", [[], [range(600), [-1]]], ids=["few values", "many values"])
@unhurried
@given(batches=batches, rank=ranks)
def test_a_percentile_equals_that_of_the_sorted_list(
    before: list[Sequence[float]], batches: list[list[float]], rank: float
) -> None:
    trend = trend_of(*before)
    trend.settle()
    for batch in batches:
        trend.add_many(batch)
    values = [value for batch in (*before, *batches) for value in batch]

    trend._check()
    if values:
        assert trend.percentile(rank) == by_k6s_formula(values, rank)
    else:
        assert trend.percentile(rank) == 0


@pytest.mark.parametrize("first", [[], [range(600), [-1]]], ids=["few values", "many values"])
@unhurried
@given(ours=batches, theirs=batches)
def test_merged_trends_equal_one_trend_of_everything(
    first: list[Sequence[float]], ours: list[list[float]], theirs: list[list[float]]
) -> None:
    merged, other, whole = trend_of(*ours), trend_of(*first), trend_of(*ours, *first, *theirs)
    other.settle()
    for batch in theirs:
        other.add_many(batch)
    before = other.counts()

    merged.merge(other)

    merged._check()
    assert merged.counts() == whole.counts()
    assert merged.count == whole.count
    assert number_of(merged, "min") == number_of(whole, "min")
    assert number_of(merged, "max") == number_of(whole, "max")
    assert other.counts() == before


@unhurried
@given(st.lists(numbers, min_size=1))
def test_the_plain_numbers_of_a_trend_are_those_of_the_list(values: list[float]) -> None:
    trend = trend_of(values)

    assert number_of(trend, "count") == len(values)
    assert number_of(trend, "min") == min(values)
    assert number_of(trend, "max") == max(values)
    assert number_of(trend, "sum") == pytest.approx(sum(values))
    assert number_of(trend, "avg") == pytest.approx(sum(values) / len(values))


def test_what_comes_one_by_one_is_put_in_order_without_being_asked_for() -> None:
    trend = TrendSink()
    for value in range(60_000):
        trend.add_many([value])

    trend._check()
    assert trend.count == 60_000
    assert trend.size > 50_000


@unhurried
@given(batches)
def test_asking_between_batches_changes_no_answer(batches: list[list[float]]) -> None:
    asked, unasked = TrendSink(), trend_of(*batches)
    for batch in batches:
        asked.add_many(batch)
        asked.percentile(95)

    assert asked.counts() == unasked.counts()
    assert asked.percentile(95) == unasked.percentile(95)


@pytest.mark.parametrize("batches", [([2**60, 2**60 + 1, 10**300],), ([2**60], [2**60 + 1], [0.5])])
def test_integers_too_large_for_a_double_are_counted_as_the_nearest_one(
    batches: Sequence[Sequence[float]],
) -> None:
    trend = TrendSink()
    for batch in batches:
        trend.add_many(batch)
        trend.settle()

    trend._check()
    assert trend.count == 3
    assert trend.counts()[2.0**60] == 2
    assert trend.percentile(0) == min(map(min, batches))


def test_integers_of_any_size_are_cut_like_all_others() -> None:
    values = [10**30 + 10**27 * n for n in range(50_000)]
    trend = trend_of(*batched(values, 1_000), limit=LITTLE)

    assert trend.digits == 4
    trend._check()
    assert trend.percentile(50) == pytest.approx(10**30 + 10**27 * 24_999.5, rel=6e-4)


def test_a_time_is_sampled_in_microseconds_and_reported_in_milliseconds() -> None:
    trend = TrendSink(samples_per_unit=1000)
    trend.add_many([1000, 2000, 4500])

    assert trend.percentile(50) == 2.0
    assert number_of(trend, "min") == 1.0
    assert number_of(trend, "max") == 4.5
    assert number_of(trend, "avg") == 2.5
    assert number_of(trend, "sum") == 7.5
    assert number_of(trend, "count") == 3


@pytest.mark.parametrize("rank", [-0.1, 100.1, math.nan, math.inf])
def test_a_percentile_outside_0_to_100_is_refused(rank: float) -> None:
    with pytest.raises(ValueError, match="a percentile lies between 0 and 100"):
        trend_of([1]).percentile(rank)


@pytest.mark.parametrize("kind", MetricKind)
def test_an_empty_sink_answers_0_to_everything(kind: MetricKind) -> None:
    sink = new_sink(Metric(name="empty", kind=kind))
    questions = {
        MetricKind.COUNTER: ["count", "rate"],
        MetricKind.GAUGE: ["value", "min", "max"],
        MetricKind.RATE: ["rate", "passes", "fails", "count"],
        MetricKind.TREND: ["avg", "min", "max", "med", "p(95)", "count", "sum"],
    }

    for question in questions[kind]:
        assert measure(sink, parse_aggregation(question, kind), 1.0) == 0


def test_a_counter_sums_and_divides_by_test_run_time() -> None:
    counter = CounterSink()
    counter.add_many([1, 2, 3.5])

    assert number_of(counter, "count") == 6.5
    assert number_of(counter, "rate", elapsed=2) == 3.25
    assert number_of(counter, "rate", elapsed=0) == 0


def test_a_gauge_keeps_the_last_the_least_and_the_greatest() -> None:
    gauge = GaugeSink()
    gauge.add_many([-3, -9])
    gauge.add_many([-5])

    assert [number_of(gauge, text) for text in ("value", "min", "max")] == [-5, -9, -3]


def test_a_gauge_that_was_told_true_is_1() -> None:
    gauge = GaugeSink()
    gauge.add_many([True])

    assert [repr(number_of(gauge, text)) for text in ("value", "min", "max")] == ["1", "1", "1"]


def test_a_rate_counts_what_is_not_zero() -> None:
    rate = RateSink()
    rate.add_many([True, 0, 2.5, 0.0, False, -1])

    assert [number_of(rate, text) for text in ("rate", "passes", "fails")] == [0.5, 3, 3]


def test_merging_counters_gauges_and_rates_adds_them_up() -> None:
    counter, other_counter = CounterSink(), CounterSink()
    gauge, other_gauge = GaugeSink(), GaugeSink()
    rate, other_rate = RateSink(), RateSink()
    for sink in (counter, gauge, rate):
        sink.add_many([1, 4])
    for sink in (other_counter, other_gauge, other_rate):
        sink.add_many([0])

    counter.merge(other_counter)
    gauge.merge(other_gauge)
    gauge.merge(GaugeSink())
    rate.merge(other_rate)

    assert (counter.count, counter.total) == (3, 5)
    assert (gauge.count, gauge.last, gauge.least, gauge.greatest) == (3, 0, 0, 4)
    assert (rate.count, rate.passes) == (3, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, "1", None, 1j])
def test_what_is_no_finite_number_is_not_countable(value: object) -> None:
    assert not is_countable(value)


@pytest.mark.parametrize("value", [0, -0.0, True, 1e308, 5e-324, -(10**300)])
def test_every_finite_number_is_countable(value: object) -> None:
    assert is_countable(value)


def test_sums_that_overflow_are_still_reported_as_finite_numbers() -> None:
    trend, counter = trend_of([1e308, 1e308]), CounterSink()
    counter.add_many([-1e308, -1e308])

    for text in ("sum", "avg", "p(95)"):
        assert math.isfinite(number_of(trend, text))
    assert number_of(counter, "count") == -1.7976931348623157e308


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (MetricKind.COUNTER, "avg", "cannot ask a counter for 'avg'; a counter has count, rate"),
        (
            MetricKind.TREND,
            "p95",
            "cannot ask a trend for 'p95'; a trend has avg, min, max, med, p(N), count, sum",
        ),
        (MetricKind.TREND, "p(101)", "asks for 'p(101)'; a percentile lies between 0 and 100"),
    ],
)
def test_a_question_that_a_metric_cannot_answer_is_refused(
    kind: MetricKind, text: str, message: str
) -> None:
    with pytest.raises(MetricError) as caught:
        parse_aggregation(text, kind)

    assert str(caught.value) == message


def batched(values: Sequence[float], size: int) -> list[Sequence[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def spread_over_four_decades(count: int) -> list[float]:
    return [1.5 * 10 ** (4 * ((index * 0.618033988749895) % 1)) for index in range(count)]


def test_ever_new_values_are_cut_to_fewer_digits_and_stay_within_a_tenth_of_a_percent() -> None:
    values = spread_over_four_decades(120_000)
    trend = trend_of(*batched(values, 1_000), limit=LITTLE)

    trend._check()
    assert trend.digits == 4
    assert len(trend.counts()) <= 9_000 * 4
    for rank in (0, 1, 10, 50, 90, 99, 99.99, 100):
        exact = by_k6s_formula(values, rank)
        assert trend.percentile(rank) == pytest.approx(exact, rel=6e-4)


def test_count_sum_min_and_max_stay_exact_when_digits_are_cut() -> None:
    values = spread_over_four_decades(60_000)
    trend = trend_of(*batched(values, 1_000), limit=LITTLE)
    other = trend_of([0.123456789, 99999.87654321])

    other.merge(trend)

    assert trend.digits is not None
    assert trend.percentile(0) == number_of(trend, "min") == min(values)
    assert trend.percentile(100) == number_of(trend, "max") == max(values)
    assert number_of(trend, "sum") == pytest.approx(sum(values), rel=1e-12)
    assert other.digits == trend.digits
    assert number_of(other, "min") == 0.123456789
    assert number_of(other, "max") == 99999.87654321


def test_merging_cuts_to_the_coarser_of_two_resolutions() -> None:
    coarse = trend_of(*batched(spread_over_four_decades(60_000), 1_000), limit=LITTLE)
    fine = trend_of([1, 2, 100.12345])
    five = trend_of(*batched([1 + n / 100_000 for n in range(30_000)], 1_000), limit=200_000)
    assert (five.digits, coarse.digits) == (5, 4)

    for trend in (fine, five):
        count = trend.count
        trend.merge(coarse)
        trend._check()
        assert trend.digits == 4
        assert trend.count == count + 60_000
    assert fine.counts()[100.1] > 0


def test_microseconds_below_ten_milliseconds_are_exact_whatever_is_cut() -> None:
    trend = trend_of(*batched(range(120_000), 1_000), limit=LITTLE)

    trend.settle()

    assert trend.digits is not None
    assert set(range(10_000)) <= trend.counts().keys()


def test_a_stream_of_few_values_stays_exact_forever() -> None:
    values = list(range(1_000)) * 5
    trend = TrendSink()
    for _ in range(20):
        trend.add_many(values)

    assert trend.digits is None
    assert trend.counts() == Counter(values * 20)
