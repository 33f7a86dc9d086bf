"""From collected items to plans: options resolved, thresholds read, mistakes told.

Plans are made when collection has ended, so that every mistake is told at once
and before any load is sent. Nothing here imports what only a running load test
needs.
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_k6api.model import (
    BUILT_IN,
    K6ApiError,
    Layer,
    LoadTestOptions,
    Metric,
    OptionError,
    ScenarioOptions,
    options_of,
    resolve_load_test,
    resolve_scenario,
)
from pytest_k6api.plugin.collecting import fixture_names, marks_of
from pytest_k6api.plugin.configuring import configure_scenario
from pytest_k6api.plugin.describing import plan_text
from pytest_k6api.plugin.noticing import is_stray
from pytest_k6api.plugin.options import Settings
from pytest_k6api.plugin.plans import (
    CapturedScenario,
    LoadTestPlan,
    ScenarioPlan,
)
from pytest_k6api.plugin.refusing import refuse_fixtures, refuse_functions
from pytest_k6api.plugin.stashes import CAPTURED, PLAN

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


def make_plans(items: Iterable[pytest.Item], settings: Settings) -> list[str]:
    """Give every load test among `items` its plan; return what is wrong, one text each."""
    problems: list[str] = []
    common = _common_thresholds(settings, problems)
    for item in items:
        if CAPTURED in item.stash and isinstance(item, pytest.Function):
            try:
                plan = _with_common(_plan(item, settings), common)
                item.stash[PLAN] = plan
            except K6ApiError as error:
                problems.append(f"{item.nodeid}: {error}")
            else:
                _describe(item, plan)
        elif is_stray(item):
            problems.append(
                f"{item.nodeid}: marked as a scenario, but what collected it (as a"
                f" {type(item).__name__}) runs it by itself, once, as unittest does with the methods"
                " of a TestCase; make it a function, or a method of a class that is no TestCase"
            )
    return problems


def _describe(item: pytest.Function, plan: LoadTestPlan) -> None:
    # `--collect-only -v` shows the docstrings of items: this one is our stand-in's.
    captured = plan.captured
    written = captured.cls.__doc__ if captured.cls else captured.scenarios[0].function.__doc__
    lines = [plan_text(scenario.options) for scenario in plan.scenarios]
    if captured.cls is not None:
        names = [scenario.options.name for scenario in plan.scenarios]
        lines = [f"{name}: {text}" for name, text in zip(names, lines, strict=True)]
    item.obj.__doc__ = "\n".join([*lines, inspect.cleandoc(written or "")]).rstrip()


def _plan(item: pytest.Function, settings: Settings) -> LoadTestPlan:
    captured = item.stash[CAPTURED]
    refuse_functions(captured)
    refuse_fixtures(item._fixtureinfo.name2fixturedefs)  # there is no public way to see them
    if captured.cls is None:
        marks = [mark for _, mark in item.iter_markers_with_node("scenario")][::-1]
        layers = [_scenario_layer(mark) for mark in marks]
        scenario_layers = {captured.scenarios[0].name: layers}
    else:
        layers = [_load_test_layer(mark) for mark in marks_of(captured.cls, "load_test")]
        scenario_layers = {
            scenario.name: [_mix_layer(scenario.name, mark) for mark in scenario.marks]
            for scenario in captured.scenarios
        }
    plans = tuple(
        _scenario_plan(item, scenario, scenario_layers[scenario.name], settings)
        for scenario in captured.scenarios
    )
    _check_order(plans)
    options = resolve_load_test([*layers, *_load_test_settings(settings)])
    _check_life(options)
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
    from pytest_k6api.metrics import parse_selections, parse_thresholds

    known = known_metrics()
    # k6 keeps sub-metrics whose thresholds are switched off, or were never written.
    listed = parse_selections(options.thresholds, known)
    if settings.switch("no_thresholds"):
        return (), listed
    thresholds = parse_thresholds(options.thresholds, known)
    if settings.switch("smoke"):
        # One iteration is over before any warm-up is.
        thresholds = tuple(replace(threshold, window=None) for threshold in thresholds)
    return thresholds, listed


def _common_thresholds(settings: Settings, problems: list[str]) -> "tuple[Threshold, ...]":
    """Return the thresholds of all load tests; add what is wrong with them to `problems`."""
    text = settings.text("thresholds")
    if not text or settings.switch("no_thresholds"):
        return ()
    from pytest_k6api.metrics import parse_threshold
    from pytest_k6api.report import split_rules

    known = known_metrics()
    common: list[Threshold] = []
    for line in split_rules(text):
        # From the right: tags in braces have colons, expressions have none.
        key, _, expression = line.rpartition(":")
        try:
            common += parse_threshold(key.strip(), [expression.strip()], known) if key else ()
        except K6ApiError as error:
            problems.append(f"k6_thresholds: {error}")
        if not key:
            problems.append(
                f"k6_thresholds: cannot read {line!r}; write '<metric>: <expression>', such as"
                " 'http_req_failed: rate<0.01'"
            )
    return tuple(replace(threshold, is_optional=True) for threshold in common)


def _with_common(plan: LoadTestPlan, common: "Sequence[Threshold]") -> LoadTestPlan:
    # As a whole: with a window it is another threshold.
    own = {(each.metric_id, each.source) for each in plan.thresholds if each.window is None}
    added = [each for each in common if (each.metric_id, each.source) not in own]
    return replace(plan, thresholds=(*plan.thresholds, *added)) if added else plan


def known_metrics() -> dict[str, Metric]:
    """Return every metric there can be, by name: the built-in and the declared ones."""
    # Whoever declares metrics has imported that package; nobody else is to pay for it.
    load = sys.modules.get("pytest_k6api.load")
    declared = load.declared_metrics() if load is not None else {}
    return {metric.name: metric for metric in BUILT_IN} | dict(declared)


def _scenario_plan(
    item: pytest.Item, scenario: CapturedScenario, layers: Sequence[Layer], settings: Settings
) -> ScenarioPlan:
    options = resolve_scenario(
        scenario.name, [*layers, *settings.scenario_layers()], smoke=settings.switch("smoke")
    )
    return ScenarioPlan(options=configure_scenario(item, options), captured=scenario)


def _check_order(plans: Sequence[ScenarioPlan]) -> None:
    names = {plan.options.name: plan.options.after for plan in plans}
    for name, after in names.items():
        if after and after not in names:
            raise OptionError(
                f"{name}: after={after!r} names no scenario of this load test;"
                f" there are {', '.join(sorted(names))}"
            )
        seen = {name}
        following = after
        while following:
            if following in seen:
                raise OptionError(f"{name}: after={after!r} waits in a circle")
            seen.add(following)
            following = names[following]


def _check_life(options: LoadTestOptions) -> None:
    stages: Mapping[str, Callable[..., Any] | None]
    stages = {"setup": options.setup, "teardown": options.teardown}
    for stage, function in stages.items():
        if function is None:
            continue
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise OptionError(
                f"{stage}={function.__name__} yields; write what comes before the yield as setup="
                " and what comes after it as teardown="
            )
        if stage == "setup" and "setup_data" in fixture_names(function, is_method=False):
            raise OptionError(f"setup={function.__name__} asks for 'setup_data', which it makes")


def _load_test_settings(settings: Settings) -> list[Layer]:
    if not settings.was_given("base_url"):
        return []
    return [Layer("--k6-base-url", {"base_url": settings.text("base_url")})]


def _scenario_layer(mark: pytest.Mark) -> Layer:
    return _checked_layer(mark, [*options_of(ScenarioOptions), *options_of(LoadTestOptions)])


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
            hint = f"; did you mean {near[0]}?" if near else ";"
            raise OptionError(
                f"{origin} does not take {keyword}{hint} it takes the keywords {', '.join(known)}"
            )
    return Layer(origin, mark.kwargs)
