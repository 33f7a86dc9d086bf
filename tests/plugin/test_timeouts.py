"""How long a load test is planned to last, which is held against its time limit."""

import math
from typing import Any

import pytest

from pytest_k6api.model import Layer, ScenarioOptions, resolve_scenario
from pytest_k6api.plugin.runtime.timeouts import planned_length


def scenario(name: str = "test_it", **options: Any) -> ScenarioOptions:
    return resolve_scenario(name, [Layer.read("marker", options)])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"vus": 2, "duration": "30s"}, 30.0),
        ({"vus": 2, "duration": "30s", "start_time": "5s"}, 35.0),
        ({"stages": [("10s", 5), ("20s", 0)]}, 30.0),
        ({"iterations": 5}, 0.0),
        ({"executor": "externally-controlled", "duration": 0}, math.inf),
    ],
)
def test_a_plan_lasts_as_long_as_it_starts_iterations(options: dict[str, Any], expected: float):
    assert planned_length([scenario(**options)]) == expected


def test_scenarios_that_wait_for_each_other_add_up():
    first = scenario("first", duration="10s")
    second = scenario("second", duration="5s", after="first")
    beside = scenario("beside", duration="12s")

    assert planned_length([first, second, beside]) == 15.0
