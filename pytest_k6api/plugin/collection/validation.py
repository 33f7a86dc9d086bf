"""What looks like a load test and cannot be one: refused, with what to write instead.

Each of these would otherwise be ignored in silence, or fail in the middle of a
load test with a message about something else.
"""

import inspect
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.captured import CapturedLoadTest, CapturedScenario
from pytest_k6api.plugin.collection.collecting import marks_of
from pytest_k6api.plugin.collection.frozen_time import refuse_freezing
from pytest_k6api.plugin.collection.marks import is_vu_fixture
from pytest_k6api.plugin.runtime.fixtures import PER_VU_NAMES


def stray_text(item: pytest.Item) -> str:
    """Return why `item`, which is marked as a scenario, is none."""
    if type(item) is pytest.Function:
        return (
            "marked as a scenario only when it had been collected, by pytest.param(marks=...) or by a"
            " hook; mark the function itself, and each case may add options"
        )
    return (
        f"marked as a scenario, but what collected it (as a {type(item).__name__}) runs it by itself,"
        " once, as unittest does with the methods of a TestCase; make it a function, or a method of"
        " a class that is no TestCase"
    )


_XUNIT = ("setup_class", "setup_method", "teardown_class", "teardown_method")


def refuse_functions(captured: CapturedLoadTest) -> None:
    """Refuse functions and classes that cannot be what they are marked as.

    Raises:
        OptionError: With what would work.
    """
    for scenario in captured.scenarios:
        _refuse_generator(scenario)
        refuse_freezing(scenario)
        if captured.cls is not None:
            _refuse_lost_marks(scenario)
        elif marks_of(scenario.function, "load_test"):
            raise OptionError(
                "@pytest.mark.load_test marks a class of scenarios; give what it says to this"
                " function's @pytest.mark.scenario"
            )
    if captured.cls is not None:
        _refuse_class(captured.cls, captured.scenarios)


def _refuse_generator(scenario: CapturedScenario) -> None:
    function = scenario.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise OptionError(
            f"the scenario {scenario.name} yields; a scenario is a function that ends, and what"
            " lasts as long as a VU is a vu_fixture"
        )


def _refuse_lost_marks(scenario: CapturedScenario) -> None:
    if marks_of(scenario.function, "parametrize"):
        raise OptionError(
            f"the scenario {scenario.name} is parametrized inside a load_test class, which is one"
            " test; parametrize the class, for a load test of each case, or write a scenario for"
            " each case"
        )
    for name in ("skip", "skipif", "xfail"):
        if marks_of(scenario.function, name):
            raise OptionError(
                f"the scenario {scenario.name} is marked {name} inside a load_test class, which is"
                f" one test; mark the class"
            )


def _refuse_class(cls: type, scenarios: Sequence[CapturedScenario]) -> None:
    if not scenarios:
        raise OptionError("a class marked load_test needs a method marked @pytest.mark.scenario")
    if inspect.getattr_static(cls, "__init__") is not object.__init__:
        raise OptionError("a load_test class has no __init__ of its own, like any test class")
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        if name in _XUNIT or _is_fixture(found):
            raise OptionError(
                f"{name} is defined in a load_test class, where nothing calls it; write a fixture"
                " in the module or in conftest.py, or give the class setup= and teardown="
            )


def _is_fixture(found: object) -> bool:
    # The second is what pytest before 8.4 calls it.
    names = ("_fixture_function_marker", "_pytestfixturefunction")
    return any(hasattr(found, name) for name in names)


def refuse_fixtures(definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]) -> None:
    """Refuse fixtures of a load test that nobody drives, or that want a VU and have none.

    Raises:
        OptionError: With what would work.
    """
    used = {name: found[-1] for name, found in definitions.items() if found}
    _refuse_circles({name: found.argnames for name, found in used.items()})
    per_vu = {name for name, found in used.items() if is_vu_fixture(found.func)}
    for name, found in used.items():
        if name in per_vu or name in PER_VU_NAMES:
            continue
        _refuse_undriven(name, found)
        for asked in found.argnames:
            if asked in per_vu or asked in PER_VU_NAMES:
                raise OptionError(
                    f"the fixture {name} asks for {asked}, which every VU has of its own, but is"
                    " one for all VUs; make it a @vu_fixture"
                )


def _refuse_circles(asked: Mapping[str, Sequence[str]]) -> None:
    # A fixture may ask for the one that it overrides by its own name.
    needs = {name: {each for each in names if each != name} for name, names in asked.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise OptionError(f"the fixtures ask for each other in a circle: {circle}") from None


def _refuse_undriven(name: str, found: pytest.FixtureDef[Any]) -> None:
    if inspect.iscoroutinefunction(found.func) or inspect.isasyncgenfunction(found.func):
        raise OptionError(
            f"the fixture {name} is async and nothing drives it in a load test; make it a"
            " @vu_fixture (one for each VU), a def fixture, or the load test's setup="
        )
