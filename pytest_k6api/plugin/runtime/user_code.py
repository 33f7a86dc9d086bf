"""The functions of a load test, bound to their fixture values when its item runs."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.captured import CapturedScenario
from pytest_k6api.plugin.collection.collecting import fixture_names, marks_of
from pytest_k6api.plugin.collection.mock_patches import enter_patches
from pytest_k6api.plugin.hooks.stash_keys import CAPTURED
from pytest_k6api.run import LoadTestPlan, UserCode
from pytest_k6api.vu import UserFunction, VUFixture


def bound_code(item: pytest.Function, plan: LoadTestPlan) -> UserCode:
    """Return the functions of `item`, with fixture values, patches, and stops of the debugger.

    Raises:
        OptionError: Setup or teardown asks for a fixture of VUs.
    """
    captured = item.stash[CAPTURED]
    instance = captured.cls() if captured.cls is not None else item.instance
    return UserCode(
        scenarios={
            scenario.name: _scenario_function(item, scenario, instance)
            for scenario in captured.scenarios
        },
        setup=_life_function(item, "setup", plan.options.setup),
        teardown=_life_function(item, "teardown", plan.options.teardown),
    )


def _scenario_function(
    item: pytest.Function, scenario: CapturedScenario, instance: object
) -> UserFunction:
    found = scenario.function
    names = fixture_names(scenario.bind(found, instance), is_method=False)
    unpatched, with_mocks = enter_patches(item, found)
    function = with_mocks(scenario.bind(unpatched, instance))
    # VU fixtures of `usefixtures` are set up by every VU too, though no argument asks for them.
    marks = [*item.iter_markers("usefixtures"), *marks_of(found, "usefixtures")]
    used = {name for mark in marks for name in mark.args}
    values = {name: item.funcargs[name] for name in names}
    values |= {name: item.funcargs[name] for name in used if _is_per_vu(item, name)}
    return UserFunction(function=_stop_at_start(item, function), values=values)


def _is_per_vu(item: pytest.Function, name: str) -> bool:
    return isinstance(item.funcargs.get(name), VUFixture)


def _life_function(
    item: pytest.Function, stage: str, function: Callable[..., Any] | None
) -> UserFunction | None:
    if function is None:
        return None
    names = fixture_names(function, is_method=False)
    # Fixtures of the load test are set up already; others are set up here, and torn
    # down with the test like any other.
    values = {name: item._request.getfixturevalue(name) for name in names}
    for name, value in values.items():
        if isinstance(value, VUFixture):
            raise OptionError(
                f"{stage}={function.__name__} asks for {name}, which every VU has of its own;"
                f" {stage} runs once, so do there what the VU fixture does"
            )
    return UserFunction(function=function, values=values)


def _stop_at_start(item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`; with ``--trace`` the debugger stops at its first line."""
    if not item.config.getoption("trace", False):
        return function
    # pytest wraps its debugger around the function that stands in for the load test.
    debugger = inspect.getclosurevars(item.obj).nonlocals.get("_pdb")
    if debugger is None:
        return function
    if not inspect.iscoroutinefunction(function):
        return functools.wraps(function)(functools.partial(debugger.runcall, function))

    @functools.wraps(function)
    async def stopping(*args: object, **kwargs: object) -> object:
        # As the debugger's `runcall`, which does not support coroutines.
        debugger.reset()
        sys.settrace(debugger.trace_dispatch)
        try:
            return await function(*args, **kwargs)
        finally:
            sys.settrace(None)

    return stopping
