"""A load test that ends at its first failure, whatever plans its load."""

from collections.abc import Callable
from typing import Any

import pytest
import trio.testing

from pytest_k6api.metrics import parse_thresholds
from pytest_k6api.model import BUILT_IN, Layer, LoadTestOptions, ScenarioOptions, resolve_scenario
from pytest_k6api.run import LoadTest, LoadTestPlan, RunSettings, UserCode
from pytest_k6api.vu import VU, UserFunction

PLANS: list[dict[str, Any]] = [
    {"executor": "constant-vus", "vus": 2, "duration": 600},
    {"executor": "ramping-vus", "start_vus": 2, "stages": [(600, 2)]},
    {"executor": "per-vu-iterations", "vus": 2, "iterations": 10_000},
    {"executor": "shared-iterations", "vus": 2, "iterations": 10_000},
    {"executor": "externally-controlled", "vus": 2, "max_vus": 2, "duration": 600},
    {"executor": "constant-arrival-rate", "rate": 5, "duration": 600, "pre_allocated_vus": 5},
    {
        "executor": "ramping-arrival-rate",
        "start_rate": 5,
        "stages": [(600, 5)],
        "pre_allocated_vus": 5,
    },
]
CONSTANT = PLANS[0]


def plan(options: dict[str, Any]) -> ScenarioOptions:
    return resolve_scenario("test_browse", [Layer.read("test", options)])


def run(
    function: Callable[..., object],
    options: dict[str, Any] = CONSTANT,
    *,
    thresholds: dict[str, list[str]] | None = None,
    **more: Any,
) -> LoadTest:
    scenario = plan(options)
    planned = LoadTestPlan(
        name="test_browse",
        scenarios=[scenario],
        thresholds=parse_thresholds(thresholds or {}, {each.name: each for each in BUILT_IN}),
        options=LoadTestOptions(fail_fast=True, **more),
    )
    code = UserCode(
        scenarios={scenario.name: UserFunction(function=function)},
        setup=UserFunction(function=more["setup"]) if "setup" in more else None,
    )
    load_test = LoadTest(1, planned, code, RunSettings())
    load_test.run(clock=trio.testing.MockClock(autojump_threshold=0))
    return load_test


async def fail_later(vu: VU) -> None:
    await vu.sleep(0.97)
    if vu.iteration == 1:
        raise ValueError("no shop")


@pytest.mark.parametrize("options", PLANS, ids=lambda options: options["executor"])
def test_every_executor_ends_at_the_first_failure(options: dict[str, Any]) -> None:
    load_test = run(fail_later, options)

    assert load_test.verdict is not None
    assert load_test.outcome == "failed"
    assert "iterations raised an exception" in load_test.verdict.reasons[0]
    assert load_test.verdict.reasons[1].startswith("fail_fast: ended at the first failure, after ")
    assert load_test.results.elapsed < 4


def test_a_failed_check_of_setup_ends_it_before_the_load() -> None:
    async def setup(vu: VU) -> None:
        vu.check(1, {"is two": lambda value: value == 2})
        await vu.sleep(30)

    load_test = run(fail_later, setup=setup)

    assert load_test.outcome == "failed"
    assert "iterations" not in load_test.results.snapshot.metrics
    assert load_test.results.elapsed < 1


@pytest.mark.parametrize(
    ("thresholds", "outcome"),
    [
        ({"iteration_failures": ["rate<=1"]}, "passed"),
        ({"iteration_failures{scenario:test_browse}": ["rate<=1"]}, "passed"),
        ({"checks{check:other}": ["rate>=0"]}, "failed"),
    ],
)
def test_it_goes_on_where_a_threshold_is_about_the_failure(
    thresholds: dict[str, list[str]], outcome: str
) -> None:
    load_test = run(fail_later, {**CONSTANT, "duration": 6.3}, thresholds=thresholds)

    assert load_test.outcome == outcome
    assert (load_test.results.elapsed > 6) is (outcome == "passed")
