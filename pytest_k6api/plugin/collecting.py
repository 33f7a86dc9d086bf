"""From marked functions and classes to pytest items, and from items to plans.

A scenario is collected as an ordinary function that stands in for it: the same
name, place, marks and arguments, but never async, so that neither pytest nor
the plugins that run async tests want to drive it. A class marked ``load_test``
becomes one such function with the arguments of all its scenarios. What was
captured travels in the item's stash.

Plans are made when collection has ended, so that every mistake is told at once
and before any load is sent.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_k6api.model import (
    BUILT_IN,
    K6ApiError,
    Layer,
    LoadTestOptions,
    OptionError,
    ScenarioOptions,
    options_of,
    resolve_load_test,
    resolve_scenario,
)
from pytest_k6api.plugin.options import Settings

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


@dataclass(frozen=True, slots=True)
class CapturedScenario:
    """A scenario function as it was found, with its marks; unbound if it is a method."""

    name: str
    function: Callable[..., Any]
    marks: tuple[pytest.Mark, ...]


@dataclass(frozen=True, slots=True)
class CapturedLoadTest:
    """What an item runs: one scenario, or those of a class."""

    scenarios: tuple[CapturedScenario, ...]
    cls: type | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """A scenario, complete and checked."""

    options: ScenarioOptions
    captured: CapturedScenario


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestPlan:
    """A load test, complete and checked; fixture values are still to come."""

    name: str
    scenarios: tuple[ScenarioPlan, ...]
    options: LoadTestOptions
    thresholds: "tuple[Threshold, ...]"
    listed: "tuple[Selection, ...]"
    captured: CapturedLoadTest


CAPTURED = pytest.StashKey[CapturedLoadTest]()
PLAN = pytest.StashKey[LoadTestPlan]()

_STANDS_IN = "_k6api_stands_in"


def make_items(
    collector: pytest.Module | pytest.Class, name: str, found: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Return the items for `found` if it is a scenario or a load test, else None."""
    captured = _capture(collector, name, found)
    if captured is None:
        return None
    stand_in = _stand_in(name, found, _signature(captured, collector))
    made = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=name, obj=stand_in)
    items: list[pytest.Item | pytest.Collector] = made or []
    for item in items:
        if isinstance(item, pytest.Function):
            item.obj = stand_in
            item.stash[CAPTURED] = captured
    return items


def _capture(
    collector: pytest.Module | pytest.Class, name: str, found: object
) -> CapturedLoadTest | None:
    if getattr(found, _STANDS_IN, False):
        return None
    if inspect.isclass(found):
        if not _marks(found, "load_test") or not collector.classnamefilter(name):
            return None
        return CapturedLoadTest(tuple(_scenarios_of(found)), found)
    if not inspect.isfunction(found) or not collector.istestfunction(found, name):
        return None
    marks = _marks(found, "scenario")
    if not marks and collector.get_closest_marker("scenario") is None:
        return None
    return CapturedLoadTest((CapturedScenario(name, found, tuple(marks)),))


def _marks(found: object, name: str) -> list[pytest.Mark]:
    plain = [getattr(mark, "mark", mark) for mark in _all_marks(found)]
    return [mark for mark in plain if mark.name == name]


def _all_marks(found: object) -> list[Any]:
    marks = getattr(found, "pytestmark", [])
    return list(marks) if isinstance(marks, list) else [marks]


def _scenarios_of(cls: type) -> Iterator[CapturedScenario]:
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        function = inspect.getattr_static(cls, name)
        marks = _marks(function, "scenario")
        if marks:
            yield CapturedScenario(name, function, tuple(marks))


def _stand_in(name: str, found: object, signature: inspect.Signature) -> Callable[..., None]:
    def load_test(**_fixtures: object) -> None:
        raise AssertionError(f"{name} is a load test; its item runs it, not this function")

    load_test.__name__ = name
    load_test.__qualname__ = getattr(found, "__qualname__", name)
    load_test.__module__ = getattr(found, "__module__", "")
    load_test.__doc__ = getattr(found, "__doc__", None)
    extra: dict[str, Any] = {
        "pytestmark": _all_marks(found),
        "place_as": found,
        "__test__": True,
        "__signature__": signature,
        _STANDS_IN: True,
    }
    vars(load_test).update(extra)
    return load_test


def _signature(
    captured: CapturedLoadTest, collector: pytest.Module | pytest.Class
) -> inspect.Signature:
    # pytest drops the first argument of what it finds in a class.
    names = {"self": None} if isinstance(collector, pytest.Class) else {}
    for scenario in captured.scenarios:
        is_method = captured.cls is not None or isinstance(collector, pytest.Class)
        names.update(dict.fromkeys(fixture_names(scenario.function, is_method=is_method)))
    names.update({"request": None, "k6_base_url": None})
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def _is_fixture(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind in {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }


def fixture_names(function: Callable[..., Any], *, is_method: bool) -> list[str]:
    """Return the names of the fixtures that `function` asks for."""
    parameters = list(inspect.signature(function).parameters.values())
    return [p.name for p in (parameters[1:] if is_method else parameters) if _is_fixture(p)]


def make_plans(items: Iterable[pytest.Item], settings: Settings) -> list[str]:
    """Give every load test among `items` its plan; return what is wrong, one text each."""
    problems: list[str] = []
    for item in items:
        if CAPTURED in item.stash and isinstance(item, pytest.Function):
            try:
                item.stash[PLAN] = _plan(item, settings)
            except K6ApiError as error:
                problems.append(f"{item.nodeid}: {error}")
    return problems


def _plan(item: pytest.Function, settings: Settings) -> LoadTestPlan:
    captured = item.stash[CAPTURED]
    _refuse_undriven_fixtures(item)
    if captured.cls is None:
        marks = [mark for _, mark in item.iter_markers_with_node("scenario")][::-1]
        mark_layers = {captured.scenarios[0].name: [_scenario_layer(mark) for mark in marks]}
        load_test_layers = mark_layers[captured.scenarios[0].name]
    else:
        if not captured.scenarios:
            raise OptionError(
                "a class marked load_test needs a method marked @pytest.mark.scenario"
            )
        mark_layers = {
            scenario.name: [_mix_layer(scenario.name, mark) for mark in scenario.marks]
            for scenario in captured.scenarios
        }
        load_test_layers = [
            _load_test_layer(mark) for mark in _marks(captured.cls, "load_test")[::-1]
        ]
    plans = tuple(
        _scenario_plan(scenario, mark_layers[scenario.name], settings)
        for scenario in captured.scenarios
    )
    _check_order(plans)
    options = resolve_load_test([*load_test_layers, *_load_test_settings(settings)])
    thresholds, listed = _thresholds(options, settings)
    return LoadTestPlan(
        name=item.nodeid,
        scenarios=plans,
        options=options,
        thresholds=thresholds,
        listed=listed,
        captured=captured,
    )


def _thresholds(
    options: LoadTestOptions, settings: Settings
) -> "tuple[tuple[Threshold, ...], tuple[Selection, ...]]":
    if not options.thresholds:
        return (), ()
    # Only now: whoever declares metrics of their own has imported this already.
    from pytest_k6api.load import declared_metrics
    from pytest_k6api.metrics import parse_selections, parse_thresholds

    known = {metric.name: metric for metric in BUILT_IN} | dict(declared_metrics())
    # k6 keeps sub-metrics whose thresholds are switched off, or were never written.
    listed = parse_selections(options.thresholds, known)
    if settings.switch("no_thresholds"):
        return (), listed
    return parse_thresholds(options.thresholds, known), listed


def _scenario_plan(
    scenario: CapturedScenario, layers: Sequence[Layer], settings: Settings
) -> ScenarioPlan:
    function = scenario.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise OptionError(
            f"the scenario {scenario.name} yields; a scenario is a function that ends, and what"
            " lasts as long as a VU is a vu_fixture"
        )
    options = resolve_scenario(
        scenario.name, [*layers, *settings.scenario_layers()], smoke=settings.switch("smoke")
    )
    return ScenarioPlan(options=options, captured=scenario)


def _check_order(plans: Sequence[ScenarioPlan]) -> None:
    names = {plan.options.name: plan.options.after for plan in plans}
    for name, after in names.items():
        if after and after not in names:
            raise OptionError(
                f"{name}: after={after!r} names no scenario of this load test;"
                f" there are {', '.join(sorted(names))}"
            )
        seen, waits_for = {name}, after
        while waits_for:
            if waits_for in seen:
                raise OptionError(f"{name}: after={after!r} waits in a circle")
            seen.add(waits_for)
            waits_for = names.get(waits_for, "")


def _load_test_settings(settings: Settings) -> list[Layer]:
    if not settings.was_given("base_url"):
        return []
    return [Layer("--k6-base-url", {"base_url": settings.text("base_url")})]


def _scenario_layer(mark: pytest.Mark) -> Layer:
    known = [*options_of(ScenarioOptions), *options_of(LoadTestOptions)]
    return _checked_layer(mark, known)


def _load_test_layer(mark: pytest.Mark) -> Layer:
    return _checked_layer(mark, list(options_of(LoadTestOptions)))


def _mix_layer(name: str, mark: pytest.Mark) -> Layer:
    for option in options_of(LoadTestOptions):
        if option in mark.kwargs:
            raise OptionError(
                f"{name}: @pytest.mark.scenario does not take {option} inside a load_test class;"
                f" give it to @pytest.mark.load_test"
            )
    return _scenario_layer(mark)


def _checked_layer(mark: pytest.Mark, known: Sequence[str]) -> Layer:
    origin = f"@pytest.mark.{mark.name}"
    if mark.args:
        raise OptionError(f"{origin} takes keywords only, got {mark.args[0]!r}")
    for keyword in mark.kwargs:
        if keyword not in known:
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise OptionError(
                f"{origin} does not take {keyword}; it takes the keywords {', '.join(known)}{hint}"
            )
    return Layer(origin, mark.kwargs)


def _refuse_undriven_fixtures(item: pytest.Function) -> None:
    definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]
    definitions = item._fixtureinfo.name2fixturedefs  # there is no public way to see them
    for name, found in definitions.items():
        function = found[-1].func
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise OptionError(
                f"the fixture {name} is async and nothing drives it in a load test; make it a"
                " @vu_fixture (one for each VU), a def fixture, or the load test's setup="
            )
