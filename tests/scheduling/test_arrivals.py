"""When iterations are due: k6's examples, and what holds for every rate."""

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_k6api.scheduling import WHOLE, ExecutionSegment, read_segment
from pytest_k6api.scheduling.arrivals import (
    ArrivalCursor,
    Arrivals,
    ConstantArrivals,
    RampingArrivals,
)

unhurried = settings(deadline=None, max_examples=100)

rates = st.floats(0.01, 500)
durations = st.floats(0.1, 100)
constant = st.builds(ConstantArrivals, rates, durations)
ramping = st.builds(
    RampingArrivals,
    st.floats(0, 200),
    st.lists(
        st.tuples(st.one_of(st.just(0.0), durations), st.one_of(st.just(0.0), st.floats(0.1, 200))),
        min_size=1,
        max_size=4,
    ),
)


def cursor(
    arrivals: Arrivals, share: ExecutionSegment = WHOLE, after: float = -1.0
) -> Iterator[float]:
    rest = ArrivalCursor(arrivals, share, after)
    while rest.due < math.inf:
        yield rest.due
        rest.advance()


def all_of(arrivals: Arrivals, share: ExecutionSegment = WHOLE) -> list[float]:
    return [round(due, 3) for due in cursor(arrivals, share)]


def test_a_constant_rate_starts_at_once_and_not_at_the_end() -> None:
    assert all_of(ConstantArrivals(4, 1)) == [0, 0.25, 0.5, 0.75]


def test_a_rate_of_nothing_has_no_arrivals() -> None:
    assert all_of(ConstantArrivals(0, 10)) == []
    assert all_of(RampingArrivals(0, [(10, 0)])) == []


def test_a_constant_rate_without_an_end_goes_on() -> None:
    due = cursor(ConstantArrivals(2), WHOLE)

    assert [next(due) for _ in range(3)] == [0, 0.5, 1]
    assert ConstantArrivals(2).total == math.inf


def test_the_first_of_a_ramp_is_due_when_one_has_accrued() -> None:
    assert all_of(RampingArrivals(10, [(0.5, 10)])) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_ramp_from_nothing_has_k6s_times() -> None:
    expected = [0.632, 0.894, 1.095, 1.265, 1.414, 1.549, 1.673, 1.789, 1.897, 2.0]

    assert all_of(RampingArrivals(0, [(2, 10)])) == expected


def test_fractions_carry_over_stages_and_empty_stages_are_passed() -> None:
    arrivals = RampingArrivals(1, [(1.5, 1), (10, 1), (0, 0), (5, 0), (0, 1), (1.5, 1)])

    assert all_of(arrivals)[:2] == [1, 2]
    assert all_of(arrivals)[-3:] == [11, 17, 18]


def test_a_stage_without_duration_jumps() -> None:
    arrivals = RampingArrivals(0, [(0, 10), (0.2, 10), (0, 100), (0.02, 100)])

    assert all_of(arrivals) == [0.1, 0.2, 0.21, 0.22]


def test_what_rounding_leaves_for_a_stage_without_load_was_due_before_it() -> None:
    rate = (1e7 - 5e-6) / 10
    arrivals = RampingArrivals(rate, [(10, rate), (0, 0), (5, 0)])

    assert arrivals.total == 1e7
    assert arrivals.due_at(9_999_999) == 10


@unhurried
@given(constant, st.integers(0, 10_000))
def test_due_at_inverts_started_by_at_a_constant_rate(
    arrivals: ConstantArrivals, number: int
) -> None:
    assume(number < arrivals.total)

    assert arrivals.started_by(arrivals.due_at(number)) == pytest.approx(number, abs=1e-6)


@unhurried
@given(ramping, st.integers(0, 10_000))
def test_due_at_inverts_started_by_on_a_ramp(arrivals: RampingArrivals, number: int) -> None:
    assume(number < arrivals.total)

    due = arrivals.due_at(number)

    assert arrivals.started_by(due) == pytest.approx(number + 1, rel=1e-6, abs=1e-6)


@unhurried
@given(st.one_of(constant, ramping))
def test_due_times_ascend_and_are_within_the_duration(arrivals: Arrivals) -> None:
    due = [arrivals.due_at(number) for number in range(min(200, int(arrivals.total)))]

    assert all(a <= b + 1e-9 for a, b in pairwise(due))
    assert all(moment >= 0 and arrivals.started_by(moment) >= 0 for moment in due)


@unhurried
@given(st.one_of(constant, ramping), st.floats(0, 100))
def test_what_is_due_later_is_the_rest_of_all(arrivals: Arrivals, after: float) -> None:
    assume(arrivals.total < 2_000)

    rest = list(cursor(arrivals, WHOLE, after=after))

    assert rest == [due for due in cursor(arrivals, WHOLE) if due > after]
    assert ArrivalCursor(arrivals, WHOLE, after).take_rest() == len(rest)


def test_after_the_rest_was_taken_nothing_is_due() -> None:
    arrivals = ArrivalCursor(ConstantArrivals(10, 2), read_segment("1/2:1"))
    arrivals.advance()

    assert [arrivals.take_rest(), arrivals.take_rest(), arrivals.due] == [9, 0, math.inf]


@unhurried
@given(st.one_of(constant, ramping))
def test_segments_share_all_arrivals_out(arrivals: Arrivals) -> None:
    assume(arrivals.total < 2_000)
    shares = [ExecutionSegment(read_segment("1/4:2/3").bounds, index) for index in range(3)]

    dealt = sorted(due for share in shares for due in cursor(arrivals, share))

    assert dealt == sorted(cursor(arrivals, WHOLE))


def test_halves_of_a_constant_rate_take_turns() -> None:
    arrivals = ConstantArrivals(10, 0.6)

    assert all_of(arrivals, read_segment("0:1/2")) == [0, 0.2, 0.4]
    assert all_of(arrivals, read_segment("1/2:1")) == [0.1, 0.3, 0.5]


@pytest.mark.parametrize(
    ("elapsed", "rate"), [(0, 0), (1, 5), (2, 10), (2.5, 10), (4, 5), (5, 0), (6, 0)]
)
def test_the_rate_asked_for_follows_the_stages(elapsed: float, rate: float) -> None:
    arrivals = RampingArrivals(0, [(2, 10), (1, 10), (2, 0)])

    assert arrivals.rate_at(elapsed) == pytest.approx(rate)


def test_the_rate_asked_for_is_nothing_after_the_end() -> None:
    assert [ConstantArrivals(10, 2).rate_at(at) for at in (0, 1.9, 2)] == [10, 10, 0]
    assert RampingArrivals(10, [(0, 5)]).rate_at(0) == 0
    assert RampingArrivals(10, [(0, 5)]).started_by(1) == 0
