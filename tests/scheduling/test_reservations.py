"""How many VUs are initialised before the start, against k6's own requirements."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.model import OptionError, ScenarioOptions
from pytest_k6api.scheduling import read_segment
from pytest_k6api.scheduling.executors import make_plan
from pytest_k6api.scheduling.reservations import check_order, planned_vus
from tests.scheduling.loads import scenario


def planned(*scenarios: ScenarioOptions, segment: str = "") -> int:
    share = read_segment(segment)
    plans = {options.name: make_plan(options, share) for options in scenarios}
    return planned_vus(scenarios, plans, share)


def test_scenarios_that_do_not_overlap_use_the_same_vus() -> None:
    first = scenario("constant-vus", "first", vus=3, duration=1, graceful_stop=0)
    second = scenario("constant-vus", "second", vus=2, duration=1, start_time=2)

    assert planned(first, second) == 3


def test_a_graceful_stop_keeps_vus() -> None:
    first = scenario("constant-vus", "first", vus=3, duration=1, graceful_stop=1.5)
    second = scenario("constant-vus", "second", vus=2, duration=1, start_time=2)

    assert planned(first, second) == 5


def test_one_that_begins_when_another_ends_has_its_vus() -> None:
    first = scenario("constant-vus", "first", vus=3, duration=1, graceful_stop=0)
    second = scenario("constant-vus", "second", vus=2, duration=1, start_time=1)

    assert planned(first, second) == 3


def test_a_ramp_down_keeps_vus_for_its_graceful_time() -> None:
    stages = [("1s", 10), ("1s", 0), ("60s", 0)]
    ramp: dict[str, Any] = {"start_vus": 0, "stages": stages, "graceful_stop": 0}
    late = scenario("constant-vus", "late", vus=10, duration=1, start_time=10, graceful_stop=0)

    assert planned(scenario("ramping-vus", **ramp, graceful_ramp_down=5), late) == 10
    assert planned(scenario("ramping-vus", **ramp, graceful_ramp_down=30), late) == 20


def test_a_scenario_after_another_is_planned_for_when_that_is_over_at_the_latest() -> None:
    first = scenario("shared-iterations", "first", vus=4, iterations=9, max_duration=5)
    second = scenario("constant-vus", "second", vus=3, duration=1, after="first")
    third = scenario("constant-vus", "third", vus=2, duration=1, after="second", start_time=3)

    assert planned(third, second, first) == 4


def test_what_follows_a_scenario_without_end_is_planned_for_beside_it() -> None:
    first = scenario("externally-controlled", "first", vus=1, max_vus=4, duration=0)
    second = scenario("constant-vus", "second", vus=3, duration=1, after="first")

    assert planned(first, second) == 7


def test_arrival_rates_have_what_is_allocated_before() -> None:
    options: dict[str, Any] = {"duration": 5, "rate": 10, "pre_allocated_vus": 5, "max_vus": 9}

    assert planned(scenario("constant-arrival-rate", **options)) == 5
    assert planned(scenario("constant-arrival-rate", **options), segment="1/2:1") == 2


def test_a_scenario_of_which_a_segment_has_nothing_needs_nothing() -> None:
    assert planned(scenario("constant-vus", vus=1, duration=5), segment="1/2:1") == 0
    assert planned(segment="1/2:1") == 0


def test_a_scenario_can_only_wait_for_one_that_is_there() -> None:
    lonely = scenario("constant-vus", "test_a", duration=1, after="test_b")

    with pytest.raises(OptionError) as caught:
        check_order([lonely, scenario("constant-vus", "test_c", duration=1)])

    expected = "test_a: after='test_b' names no other scenario; there are test_c"
    assert str(caught.value) == expected


def test_scenarios_cannot_wait_for_each_other() -> None:
    pair = [
        scenario("constant-vus", "test_a", duration=1, after="test_b"),
        scenario("constant-vus", "test_b", duration=1, after="test_a"),
        scenario("constant-vus", "test_c", duration=1, after="test_a"),
    ]

    with pytest.raises(OptionError) as caught:
        check_order(pair)

    expected = "test_a: scenarios wait for each other: test_a after test_b after test_a"
    assert str(caught.value) == expected


def test_a_scenario_cannot_wait_for_itself() -> None:
    with pytest.raises(OptionError, match="test_a: scenarios wait for each other: test_a after"):
        check_order([scenario("constant-vus", "test_a", duration=1, after="test_a")])


# After a hold: what is reached at the very moment of a jump is planned for by k6, not by us.
STAGES = [["1s", 10], ["2s", 4], ["1s", 4], ["1s", 7], ["500ms", 7], ["0s", 2], ["3s", 1]]
RAMP = {"startVUs": 3, "stages": STAGES}

MIXES: dict[str, list[dict[str, Any]]] = {
    "one ramp": [{"executor": "ramping-vus", **RAMP}],
    "a ramp that keeps its VUs": [
        {"executor": "ramping-vus", **RAMP, "gracefulRampDown": "30s"},
        {"executor": "constant-vus", "vus": 8, "duration": "1s", "startTime": "7s"},
    ],
    "a ramp that lets them go": [
        {"executor": "ramping-vus", **RAMP, "gracefulRampDown": "500ms"},
        {"executor": "constant-vus", "vus": 8, "duration": "1s", "startTime": "7s"},
    ],
    "two ramps": [
        {"executor": "ramping-vus", **RAMP, "gracefulRampDown": "0s", "gracefulStop": "1s"},
        {"executor": "ramping-vus", **RAMP, "gracefulRampDown": "2s", "startTime": "2700ms"},
    ],
    "one after the other": [
        {"executor": "shared-iterations", "vus": 5, "iterations": 9, "maxDuration": "5s"},
        {"executor": "per-vu-iterations", "vus": 6, "startTime": "35s"},
        {"executor": "per-vu-iterations", "vus": 2, "startTime": "34s"},
    ],
    "arrival rates and one that is steered": [
        {"executor": "constant-arrival-rate", "rate": 5, "duration": "5s", "preAllocatedVUs": 4},
        {"executor": "externally-controlled", "vus": 1, "maxVUs": 3, "duration": "9s"},
        {
            "executor": "ramping-arrival-rate",
            "stages": [["5s", 4]],
            "preAllocatedVUs": 7,
            "startTime": "6s",
        },
    ],
}

OUR_NAMES = {
    "startVUs": "start_vus",
    "gracefulRampDown": "graceful_ramp_down",
    "gracefulStop": "graceful_stop",
    "startTime": "start_time",
    "maxDuration": "max_duration",
    "preAllocatedVUs": "pre_allocated_vus",
    "maxVUs": "max_vus",
}


def k6s_document(mix: list[dict[str, Any]]) -> str:
    scenarios = {}
    for number, options in enumerate(mix):
        stages = options.get("stages")
        scenarios[f"s{number}"] = dict(options)
        if isinstance(stages, list):
            scenarios[f"s{number}"]["stages"] = [
                {"duration": duration, "target": target} for duration, target in stages
            ]
    return json.dumps(scenarios)


@pytest.mark.k6_binary
@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
@pytest.mark.parametrize("segment", ["", "0:1/2", "1/3:1"])
def test_as_many_vus_are_planned_as_k6_requires(
    tmp_path: Path, mix: list[dict[str, Any]], segment: str
) -> None:
    script = tmp_path / "script.js"
    script.write_text(
        f"export const options = {{scenarios: {k6s_document(mix)},"
        f" executionSegment: {segment or '0:1'!r}}};"
        "export default function () {}"
    )
    k6 = Path(sys.executable).with_name("k6")
    command = [str(k6), "inspect", "--execution-requirements", str(script)]
    inspected = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    ours = [
        scenario(name=f"s{number}", **{OUR_NAMES.get(key, key): options[key] for key in options})
        for number, options in enumerate(mix)
    ]

    assert planned(*ours, segment=segment) == json.loads(inspected.stdout)["maxVUs"]
