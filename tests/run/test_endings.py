"""The causes of a load test's end, in words."""

import pytest

from pytest_k6api.model import ExecutorKind, ScenarioOptions, ScenarioSnapshot, ScenarioState
from pytest_k6api.run.endings import why_unfinished

TEN_SECONDS = ScenarioOptions(
    name="test_browse", executor=ExecutorKind.CONSTANT_VUS, vus=2, duration=10.0
)
ONCE = ScenarioOptions(
    name="test_browse", executor=ExecutorKind.PER_VU_ITERATIONS, vus=2, max_duration=60.0
)


def ended(*, iterations: int, interrupted: int) -> ScenarioSnapshot:
    return ScenarioSnapshot(
        name="test_browse",
        executor="constant-vus",
        state=ScenarioState.ENDED,
        progress=1.0,
        vus=0,
        vus_max=2,
        iterations=iterations,
        interrupted=interrupted,
        dropped=0,
        rate=None,
        overrides={},
    )


def test_iterations_that_are_all_cut_off_before_their_time_are_told():
    told = why_unfinished([ended(iterations=0, interrupted=2)], [TEN_SECONDS], 0.25)

    assert told == (
        "no iteration was completed: 2 interrupted after 0.2 of 10 s, on a clock that jumped;"
        " where a scenario freezes time, it needs"
        " freeze_time(..., ignore=['trio', 'pytest_k6api'])"
    )


@pytest.mark.parametrize(
    ("scenario", "options", "seconds"),
    [
        pytest.param(ended(iterations=1, interrupted=2), TEN_SECONDS, 0.2, id="one completed"),
        pytest.param(ended(iterations=0, interrupted=0), TEN_SECONDS, 0.2, id="none started"),
        pytest.param(ended(iterations=0, interrupted=2), TEN_SECONDS, 10.1, id="all the time"),
        pytest.param(ended(iterations=0, interrupted=2), ONCE, 60.1, id="all of max_duration"),
    ],
)
def test_an_end_that_the_plan_explains_is_not_told(
    scenario: ScenarioSnapshot, options: ScenarioOptions, seconds: float
):
    assert why_unfinished([scenario], [options], seconds) == ""
