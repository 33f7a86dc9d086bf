"""Histograms count each value between the right bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.outputs.histograms import Histogram, NativeHistogram, Spans

FACTOR = 2 ** (1 / 8)
LARGE = st.floats(min_value=1e-6, max_value=1e15)


def test_a_bucket_holds_its_upper_bound_and_not_its_lower_one():
    histogram = Histogram((0.0, 5.0, 10.0))

    histogram.add_many((0.0, 0.1, 5.0, 5.1, 10.0, 11.0))

    assert histogram.counts() == [1, 2, 2, 1]


def test_values_that_are_all_the_same_are_counted_at_once():
    histogram = Histogram((0.0, 5.0, 10.0))

    histogram.add_many((7.0,) * 1000)
    histogram.add_many((7.0,))

    assert histogram.counts() == [0, 0, 1001, 0]
    assert (histogram.count, histogram.total) == (1001, 7007.0)
    assert (histogram.lowest, histogram.highest) == (7.0, 7.0)


def test_a_native_histogram_has_the_spans_and_deltas_of_prometheus():
    histogram = NativeHistogram()

    # Bucket 0 ends at 1, 1 at 1.09, 8 at 2: a gap of six between the last two.
    histogram.add_many((1.0, 1.0, 1.05, 2.0, 2.0, 2.0, 0.0))

    assert histogram.positive() == Spans(((0, 2), (6, 1)), (2, -1, 2))
    assert histogram.negative() == Spans((), ())
    assert (histogram.zeros, histogram.count, histogram.sum) == (1, 7, 9.05)


def test_negative_values_have_buckets_by_their_absolute_values():
    histogram = NativeHistogram()

    histogram.add_many((-1.0, -1.05, -2.0))

    assert histogram.negative() == Spans(((0, 2), (6, 1)), (1, 0, 0))
    assert histogram.positive() == Spans((), ())


def test_milliseconds_are_counted_as_seconds():
    histogram = NativeHistogram(1000.0)

    histogram.add_many((1000.0, 2000.0))

    assert histogram.positive() == Spans(((0, 1), (7, 1)), (1, 0))
    assert histogram.sum == 3.0


@given(st.sampled_from([1.0, -1.0]), LARGE)
def test_every_value_is_in_the_one_bucket_whose_bounds_are_around_it(sign, size):
    histogram = NativeHistogram()

    histogram.add_many((sign * size,))

    spans = histogram.positive() if sign > 0 else histogram.negative()
    ((key, length),) = spans.spans
    assert (length, spans.deltas) == (1, (1,))
    assert FACTOR ** (key - 1) * (1 - 1e-9) < size <= FACTOR**key * (1 + 1e-9)


@given(st.lists(LARGE, min_size=1, max_size=50))
def test_no_value_is_lost(values):
    histogram = NativeHistogram()

    histogram.add_many(tuple(values))

    counts, count = [], 0
    for delta in histogram.positive().deltas:
        count += delta
        counts.append(count)
    assert sum(counts) == histogram.count == len(values)
    assert histogram.total == pytest.approx(math.fsum(values))
