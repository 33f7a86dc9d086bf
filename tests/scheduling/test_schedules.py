"""How many VUs there are: k6's examples, and what holds for every ramp."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.model import Stage
from pytest_k6api.scheduling import ExecutionSegment
from pytest_k6api.scheduling.schedules import StepFunction, end_of, ramp, rolling_maximum

unhurried = settings(deadline=None, max_examples=100)

stages = st.lists(
    st.builds(Stage, st.floats(0, 100, allow_subnormal=False), st.integers(0, 60)), max_size=5
)
ramps = st.builds(ramp, st.integers(0, 60), stages)
moments = st.floats(0, 600)


def test_a_ramp_up_reaches_each_number_when_k6_does() -> None:
    assert ramp(0, [Stage(2, 4)]) == StepFunction((0.0, 0.5, 1.0, 1.5, 2.0), (0, 1, 2, 3, 4))


def test_a_ramp_down_takes_the_first_vu_away_a_step_after_its_start() -> None:
    steps = ramp(3, [Stage(1, 0)])

    assert steps.counts == (3, 2, 1, 0)
    assert steps.times == pytest.approx((0, 1 / 3, 2 / 3, 1))


def test_a_stage_without_duration_jumps() -> None:
    assert ramp(1, [Stage(0, 5), Stage(2, 5), Stage(0, 2)]) == StepFunction((0.0, 2.0), (5, 2))


def test_stages_without_change_have_no_steps() -> None:
    assert ramp(2, [Stage(10, 2)]) == StepFunction.constant(2)


def test_a_segment_has_its_vus_when_their_numbers_are_reached() -> None:
    bounds = (Fraction(0), Fraction(1, 2), Fraction(1))

    assert [ramp(0, [Stage(2, 4)], ExecutionSegment(bounds, index)) for index in (0, 1)] == [
        StepFunction((0.0, 0.5, 1.5), (0, 1, 2)),
        StepFunction((0.0, 1.0, 2.0), (0, 1, 2)),
    ]


@unhurried
@given(st.integers(0, 60), stages)
def test_a_ramp_starts_and_ends_where_it_should(start: int, stages: list[Stage]) -> None:
    steps = ramp(start, stages)

    first = [start, *(stage.target for stage in stages)][
        next((i for i, stage in enumerate(stages) if stage.duration), len(stages))
    ]
    assert steps.at(0) == first
    assert steps.at(end_of(stages)) == (stages[-1].target if stages else start)
    assert steps.next_change(end_of(stages)) == math.inf


@unhurried
@given(ramps)
def test_steps_ascend_in_time_and_always_change_something(steps: StepFunction) -> None:
    assert list(steps.times) == sorted(set(steps.times))
    assert all(a != b for a, b in zip(steps.counts, steps.counts[1:], strict=False))


@unhurried
@given(ramps, moments)
def test_nothing_changes_before_the_next_change(steps: StepFunction, moment: float) -> None:
    change = steps.next_change(moment)

    assert change > moment
    if change < math.inf:
        assert steps.at(change) != steps.at(moment)
        assert steps.at(math.nextafter(change, 0)) == steps.at(moment)


@unhurried
@given(ramps, st.floats(0, 50), moments)
def test_the_rolling_maximum_is_the_highest_in_the_window(
    steps: StepFunction, window: float, moment: float
) -> None:
    slid = rolling_maximum(steps, window)

    # A count holds up to its step, so at a step the one before is in the window;
    # not at both ends of it, which rounding moves: look a little beside them.
    began = moment - window
    if all(abs(began - at) > 1e-6 for at in steps.times):
        inside = [steps.at(max(0.0, began)), steps.at(moment)]
        inside += [
            count
            for at, count in zip(steps.times, steps.counts, strict=True)
            if began < at <= moment
        ]
        assert slid.at(moment) == max(inside)


def test_what_a_ramp_takes_away_is_held_and_what_comes_again_is_not_held_twice() -> None:
    steps = StepFunction((0.0, 2.0, 4.0, 5.0), (4, 1, 3, 0))

    assert rolling_maximum(steps, 3) == StepFunction((0.0, 5.0, 8.0), (4, 3, 0))
    assert rolling_maximum(steps, 1) == StepFunction((0.0, 3.0, 4.0, 6.0), (4, 1, 3, 0))
    assert rolling_maximum(steps, 0) == steps
