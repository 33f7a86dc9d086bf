"""Validation of functions, classes and fixtures that are marked as load tests.

Each mistake here would otherwise be ignored silently, or fail in the middle of a
load test with a message about something else. Messages end with the remedy.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from time import CLOCK_MONOTONIC, clock_gettime, perf_counter
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.captured import CapturedLoadTest, CapturedScenario
from pytest_k6api.plugin.collection.collecting import marks_of
from pytest_k6api.plugin.collection.detection import is_made_by
from pytest_k6api.plugin.collection.marks import is_vu_fixture
from pytest_k6api.plugin.collection.per_vu import PER_VU_NAMES


def stray_text(item: pytest.Item) -> str:
    """Return the reason why `item`, which is marked as a scenario, is not one."""
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
    """Refuse functions and classes that cannot be the load test that their mark asks for.

    Raises:
        OptionError: One cannot be a load test; with the remedy.
    """
    for scenario in captured.scenarios:
        _refuse_generator(scenario)
        _refuse_freezing(scenario)
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
            f"the scenario {scenario.name} yields; a scenario returns, and a resource that lives"
            " as long as its VU is a vu_fixture"
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
    """Refuse async fixtures that are not per VU, and ordinary fixtures that ask for a VU.

    Raises:
        OptionError: One cannot be a load test; with the remedy.
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


_FREEZE_INSTEAD = (
    "freeze it in a fixture, for the whole load test, with"
    " freeze_time(..., ignore=['trio', 'pytest_k6api'])"
)
# A clock of a coarse resolution may tell the same a few times.
_READINGS = 1000
_TOLERANCE = 1.0  # seconds


def _refuse_freezing(scenario: CapturedScenario) -> None:
    if is_made_by(scenario.function, "freezegun"):
        raise OptionError(
            f"the scenario {scenario.name} is decorated by freezegun, which would stop the clock of"
            f" the load, too; {_FREEZE_INSTEAD}"
        )


def refuse_standing_clock() -> None:
    """Refuse to run a load test while a fixture or a marker has frozen time, or lets it jump.

    With a clock that stands still no wait would ever end, nor would the load test.

    Raises:
        OptionError: Time is frozen, or jumps; with the remedy.
    """
    theirs = vars(sys.modules["trio._core._run"]).get("perf_counter", perf_counter)
    for counter in (perf_counter, theirs):
        began = clock_gettime(CLOCK_MONOTONIC)  # freezegun does not change it
        readings = [counter() for _ in range(_READINGS)]
        passed = clock_gettime(CLOCK_MONOTONIC) - began
        if len(set(readings)) == 1:
            raise OptionError(
                "time is frozen, and with it the clock of the load, which would never end;"
                f" {_FREEZE_INSTEAD}"
            )
        if readings[-1] - readings[0] > passed + _TOLERANCE:
            raise OptionError(
                "every reading of the time moves it on, and with it the clock of the load, which"
                f" would end at once; {_FREEZE_INSTEAD}"
            )
