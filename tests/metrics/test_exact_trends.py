"""Trends of a million observations against numpy, and the memory that trends share."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import Aggregation, TrendMemory, TrendSink, measure
from pytest_k6api.metrics.sinks.sorted_counts import MOST_IN_BLOCK, SortedCounts

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)
RANKS = (0, 1, 25, 50, 75, 90, 95, 99, 99.9, 100)
MILLION = 1_000_000

any_numbers = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
# Neighbours, so that blocks are hit again and split.
near_numbers = st.one_of(st.integers(-3000, 3000), st.integers(0, 3000).map(lambda n: n / 4))
many_counts = st.dictionaries(st.one_of(any_numbers, near_numbers), st.integers(1, 70_000))


def fed(values: Sequence[float], *, asked: bool = True) -> TrendSink:
    """Return a trend that was told `values` in batches and asked in between, as a live one is."""
    trend = TrendSink()
    for start in range(0, len(values), 1_000):
        trend.add_many(values[start : start + 1_000])
        if asked and start % 50_000 == 0:
            trend.percentile(95)
    return trend


def microseconds(chance: np.random.Generator) -> np.ndarray:
    return chance.lognormal(math.log(30_000), 1.5, MILLION).astype(np.int64)


def uniform(chance: np.random.Generator) -> np.ndarray:
    return chance.random(MILLION)


def negative(chance: np.random.Generator) -> np.ndarray:
    return -chance.lognormal(3, 2, MILLION)


def around_zero(chance: np.random.Generator) -> np.ndarray:
    return chance.normal(0, 40_000, MILLION).astype(np.int64)


def from_nano_to_tera(chance: np.random.Generator) -> np.ndarray:
    return 10 ** chance.uniform(-9, 12, MILLION)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [microseconds, uniform, negative, around_zero, from_nano_to_tera])
def test_percentiles_of_a_million_observations_are_those_of_the_raw_values(draw) -> None:
    values = draw(np.random.default_rng(11))

    trend = fed(values.tolist())

    assert trend.digits is None
    assert (trend.lowest, trend.highest) == (values.min(), values.max())
    for rank in RANKS:
        # numpy adds the two neighbours up in another order, which is worth a last bit.
        expected = float(np.percentile(values, rank, method="linear"))
        assert trend.percentile(rank) == pytest.approx(expected, rel=1e-15, abs=0)


@pytest.mark.slow
def test_a_million_different_floats_of_each_of_four_series_stay_exact_in_the_memory_there_is() -> (
    None
):
    memory, chance = TrendMemory(), np.random.default_rng(3)
    trends = [TrendSink(memory=memory) for _ in range(4)]

    for trend in trends:
        for values in chance.random((100, 10_000)):
            trend.add_many(values.tolist())
        trend.settle()

    assert [trend.digits for trend in trends] == [None] * 4
    assert memory.used < 40_000_000


@pytest.mark.slow
def test_a_quarter_of_a_million_different_times_take_less_than_a_megabyte_and_a_half() -> None:
    chance = np.random.default_rng(5)
    values = chance.lognormal(math.log(30_000), 1.5, 2 * MILLION).astype(np.int64)

    trend = fed(values.tolist(), asked=False)
    trend.settle()

    assert len(trend.counts()) > 250_000
    assert trend.size < 1_500_000


@unhurried
@given(st.lists(many_counts, max_size=6))
def test_sorted_counts_are_a_sorted_list_of_what_was_added(added: list[dict[float, int]]) -> None:
    counts, expected = SortedCounts(), dict[float, int]()
    for each in added:
        counts.add(each)
        counts.check()
        for value, count in each.items():
            expected[value] = expected.get(value, 0) + count

    assert list(counts.items()) == sorted(expected.items())
    ends = np.cumsum([0, *(count for _, count in sorted(expected.items()))]).tolist()
    for (value, _), first, end in zip(sorted(expected.items()), ends, ends[1:], strict=False):
        assert counts.at(first) == counts.at(end - 1) == value


@unhurried
@given(
    st.lists(st.integers(0, 20_000), min_size=1, max_size=40),
    st.integers(1, 900),
    st.sampled_from([1, 0.5, -3]),
)
def test_blocks_split_and_widen_where_values_fall(
    starts: list[int], stride: int, scale: float
) -> None:
    counts, expected = SortedCounts(), dict[float, int]()
    for start in starts:
        run = {scale * n: 1 + n % 300 for n in range(start, start + 200 * stride, stride)}
        counts.add(run)
        for value, count in run.items():
            expected[value] = expected.get(value, 0) + count

    counts.check()
    assert list(counts.items()) == sorted(expected.items())


def test_values_that_come_one_by_one_from_above_and_from_below_are_in_order() -> None:
    falling, rising = TrendSink(), TrendSink()

    for value in range(3 * MOST_IN_BLOCK):
        falling.add_many([-value])
        rising.add_many([value + 2**50])
        if value % 97 == 0:
            falling.settle()
            rising.settle()

    falling._check()
    rising._check()
    assert (falling.percentile(50), rising.percentile(50)) == (-3071.5, 2**50 + 3071.5)


def test_a_count_may_be_greater_than_the_bytes_that_it_began_with() -> None:
    trend = TrendSink()
    for count in (200, 200, 70_000, 2**33):
        other = TrendSink.restored({7: count, 9: 1}, total=0, lowest=7, highest=9)
        trend.merge(other)
        trend.settle()

    trend._check()
    assert trend.counts() == {7: 200 + 200 + 70_000 + 2**33, 9: 4}


@pytest.mark.parametrize("scale", [1, 0.001], ids=["whole", "floats"])
def test_the_greatest_percentile_is_the_maximum_and_the_least_the_minimum_whatever_was_cut(
    scale: float,
) -> None:
    values = [scale * (123_456_700 + 7_001 * n) for n in range(40_000)]
    cut = TrendSink(memory=TrendMemory(50_000))
    for start in range(0, len(values), 500):
        cut.add_many(values[start : start + 500])
    merged = TrendSink()
    merged.merge(cut)
    restored = TrendSink.restored(
        cut.counts(), total=cut.total, lowest=cut.lowest, highest=cut.highest, digits=cut.digits
    )

    for trend in (cut, merged, restored):
        assert trend.digits is not None
        assert trend.percentile(0) == measure(trend, Aggregation("min"), 1.0) == min(values)
        assert trend.percentile(100) == measure(trend, Aggregation("max"), 1.0) == max(values)
        assert trend.percentile(99.9999) <= max(values)


def test_beyond_the_shared_memory_the_largest_trend_is_cut_and_small_ones_stay_exact() -> None:
    memory = TrendMemory(1_000_000)
    large, small = TrendSink(memory=memory), TrendSink(memory=memory)
    small.add_many([n / 7 for n in range(5_000)])

    for start in range(0, 200_000, 1_000):
        large.add_many([1 + n / 300_000 for n in range(start, start + 1_000)])

    assert (large.digits, small.digits) == (5, None)
    assert memory.used < 1_100_000
    large._check()
    small._check()
    assert large.percentile(50) == pytest.approx(1 + 99_999.5 / 300_000, rel=5e-5)


def test_digits_are_cut_a_few_thousand_values_at_a_time() -> None:
    memory = TrendMemory(math.inf)
    trend = TrendSink(memory=memory)
    trend.add_many([n / 3 for n in range(100_000)])
    trend.settle()
    memory.limit = 0

    steps = trend.cutting(4)
    next(steps)

    trend._check()
    assert trend.digits == 4
    assert 1 / 3 not in trend.counts()
    assert 99_998 / 3 in trend.counts()
    assert sum(1 for _ in steps) > 20
    trend._check()
    assert trend.count == 100_000
    assert len(trend.counts()) < 40_000


def test_a_trend_that_is_gone_takes_no_memory_any_more() -> None:
    memory = TrendMemory(1_000_000)

    for _ in range(4):
        trend = TrendSink(memory=memory)
        trend.add_many([n / 3 for n in range(50_000)])
        trend.settle()

    assert trend.digits is None
