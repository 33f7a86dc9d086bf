"""From collected items to plans: options resolved, thresholds read, mistakes told.

Plans are made when collection has ended, so that every mistake is told at once
and before any load is sent. Nothing here imports what only a running load test
needs.
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
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
    SessionLayers,
    fit_scenario,
    options_of,
    resolve_load_test,
    storable,
)
from pytest_k6api.plugin.collection.collecting import fixture_names, marks_of
from pytest_k6api.plugin.collection.configuring import configure_scenario
from pytest_k6api.plugin.collection.describing import plan_text
from pytest_k6api.plugin.collection.detection import is_stray
from pytest_k6api.plugin.collection.validation import refuse_fixtures, refuse_functions, stray_text
from pytest_k6api.plugin.hooks.stash_keys import BROKEN, CAPTURED, PLAN
from pytest_k6api.plugin.settings.misfits import Misfits
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.run import LoadTestPlan

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of planning a session, beside the plans; each a list of texts.

    Attributes:
        problems: What is wrong for the session as a whole.
        broken: Load tests that cannot run, each with the reason.
        remarks: What else users are told before the first test.
    """

    problems: Sequence[str]
    broken: Sequence[str]
    remarks: Sequence[str]


def make_plans(items: Iterable[pytest.Item], settings: Settings) -> Planned:
    """Give every load test among `items` its plan, or the reason why it has none."""
    broken: list[str] = []
    problems = list(settings.problems)
    session = _with_read_thresholds(settings.layers(), problems)
    misfits = Misfits(session)
    for item in items:
        if CAPTURED in item.stash and isinstance(item, pytest.Function):
            try:
                plan = item.stash[PLAN] = _plan(item, settings, session, misfits)
            except K6ApiError as error:
                item.stash[BROKEN] = str(error)
            else:
                _describe(item, plan)
        elif is_stray(item):
            item.stash[BROKEN] = stray_text(item)
        if BROKEN in item.stash:
            broken.append(f"{item.nodeid}: {item.stash[BROKEN]}")
    problems += misfits.problems()
    return Planned(problems, broken, [*misfits.remarks(), *settings.remarks])


def _with_read_thresholds(session: SessionLayers, problems: list[str]) -> SessionLayers:
    """Return `session` with each threshold read; those that cannot be are told in `problems`."""
    defaults, *overrides = (
        _with_read(layer, problems) for layer in (session.defaults, *session.overrides)
    )
    return SessionLayers(defaults, overrides)


def _with_read(layer: Layer, problems: list[str]) -> Layer:
    entries: Any = layer.values.get("thresholds")
    if not entries:
        return layer
    from pytest_k6api.metrics import parse_threshold

    known = known_metrics()
    thresholds = {}
    for metric, expressions in entries.items():
        try:
            thresholds[metric] = parse_threshold(metric, expressions, known)
        except K6ApiError as error:
            problems.append(f"{layer.origin}: {layer.spell('thresholds')}: {error}")
    return replace(layer, values={**layer.values, "thresholds": thresholds})


def _describe(item: pytest.Function, plan: LoadTestPlan) -> None:
    # `--collect-only -v` shows the docstrings of items: this one is our stand-in's.
    captured = item.stash[CAPTURED]
    written = captured.cls.__doc__ if captured.cls else captured.scenarios[0].function.__doc__
    is_mix = captured.cls is not None
    lines = [
        f"{options.name}: {plan_text(options)}" if is_mix else plan_text(options)
        for options in plan.scenarios
    ]
    item.obj.__doc__ = "\n".join([*lines, inspect.cleandoc(written or "")]).rstrip()


def _plan(
    item: pytest.Function, settings: Settings, session: SessionLayers, misfits: Misfits
) -> LoadTestPlan:
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
            scenario.name: [
                _mix_layer(scenario.name, mark) for mark in marks_of(scenario.function, "scenario")
            ]
            for scenario in captured.scenarios
        }
    scenarios = []
    smoke = settings.switch("smoke")
    for scenario in captured.scenarios:
        fitted = fit_scenario(scenario.name, scenario_layers[scenario.name], session, smoke=smoke)
        misfits.add(item, scenario, fitted)
        scenarios.append(configure_scenario(item, fitted.options))
    _check_order(scenarios)
    options = resolve_load_test(session.around(layers))
    _check_life(options)
    thresholds, listed, tolerated = _thresholds(layers, session, settings)
    return LoadTestPlan(
        name=storable(item.nodeid, longest=10_000),
        scenarios=scenarios,
        options=options,
        thresholds=thresholds,
        listed=listed,
        tolerated=tolerated,
    )


def _thresholds(
    markers: Sequence[Layer], session: SessionLayers, settings: Settings
) -> "tuple[tuple[Threshold, ...], tuple[Selection, ...], tuple[Selection, ...]]":
    """Return what is judged, what is listed, and what may fail because it is not judged now."""
    # Each metric with the place that counts: of the session's thresholds only those are
    # judged whose metric has samples, since most are not about this load test.
    written: dict[str, tuple[Any, bool]] = {}
    for layer in session.around(markers):
        entries: Any = layer.values.get("thresholds", {})
        written |= {metric: (entries[metric], layer in markers) for metric in entries}
    if not written:
        return (), (), ()
    from pytest_k6api.metrics import Selection, parse_selections, parse_threshold

    known = known_metrics()
    # k6 keeps sub-metrics whose thresholds are switched off, or were never written.
    listed = parse_selections([metric for metric, (_, own) in written.items() if own], known)
    thresholds = [
        replace(threshold, is_optional=not own)
        for metric, (entries, own) in sorted(written.items(), key=lambda each: not each[1][1])
        # Those of the session have been read once for all load tests.
        for threshold in (parse_threshold(metric, entries, known) if own else entries)
    ]
    if settings.switch("no_thresholds"):
        # What a threshold allows is not forbidden by looking away from it.
        tolerated = (Selection(threshold.metric, threshold.filter) for threshold in thresholds)
        return (), listed, tuple(tolerated)
    if settings.switch("smoke"):
        # One iteration is over before any warm-up is.
        thresholds = [replace(threshold, window=None) for threshold in thresholds]
    return tuple(thresholds), listed, ()


def known_metrics() -> dict[str, Metric]:
    """Return every metric there can be, by name: the built-in and the declared ones."""
    # Whoever declares metrics has imported that package; nobody else is to pay for it.
    load = sys.modules.get("pytest_k6api.vu")
    declared = load.declared_metrics() if load is not None else {}
    return {metric.name: metric for metric in BUILT_IN} | dict(declared)


def _check_order(scenarios: Sequence[ScenarioOptions]) -> None:
    order = {options.name: {options.after} - {""} for options in scenarios}
    for options in scenarios:
        if options.after and options.after not in order:
            hint = _did_you_mean(options.after, order.keys() - {options.name})
            raise OptionError(
                f"{options.name}: after={options.after!r} names no scenario of this load test{hint}"
                f" there are {', '.join(sorted(order))}"
            )
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise OptionError(f"the scenarios wait for each other in a circle: {circle}") from None


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {near[0]}?" if near else ";"


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
            hint = _did_you_mean(keyword, known)
            raise OptionError(
                f"{origin} does not take {keyword}{hint} it takes the keywords {', '.join(known)}"
            )
    return Layer(origin, mark.kwargs)
