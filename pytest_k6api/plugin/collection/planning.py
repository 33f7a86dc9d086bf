"""Collected items planned: options resolved, thresholds parsed, all mistakes told at once.

Plans are made when collection has ended, before any load is sent. Nothing here
imports what only a running load test needs.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest

from pytest_k6api.model import (
    K6ApiError,
    LoadTestOptions,
    OptionError,
    ScenarioOptions,
    SessionLayers,
    fit_scenario,
    resolve_load_test,
    storable,
)
from pytest_k6api.plugin.collection.collecting import fixture_names
from pytest_k6api.plugin.collection.describing import plan_text
from pytest_k6api.plugin.collection.detection import concerns_us, is_stray, is_worker
from pytest_k6api.plugin.collection.marker_layers import did_you_mean, marker_layers
from pytest_k6api.plugin.collection.thresholds import SessionThresholds, known_metrics
from pytest_k6api.plugin.collection.validation import refuse_fixtures, refuse_functions, stray_text
from pytest_k6api.plugin.hooks.hook_calls import configure_scenario
from pytest_k6api.plugin.hooks.stash_keys import BROKEN, CAPTURED, PLAN, REMARKS
from pytest_k6api.plugin.runtime.xdist import refuse
from pytest_k6api.plugin.settings.misfits import Misfits
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.run import LoadTestPlan


def plan_load_tests(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Plan the load tests among `items`, and check all that their session needs.

    Raises:
        pytest.UsageError: The session has mistakes; with all of them.
    """
    if not any(map(concerns_us, items)):
        return
    from pytest_k6api.plugin.runtime.timeouts import warn_of_timeouts

    settings = Settings.of(config)
    planned = make_plans(items, settings)
    # A load test that cannot run is an error of that test; it is told before others run.
    config.stash[REMARKS] = [*(f"cannot run {text}" for text in planned.broken), *planned.remarks]
    problems = [*planned.problems, *warn_of_timeouts(items)]
    if not config.option.collectonly and not is_worker(config):
        problems += _problems_of_session(config, settings, items)
    if problems:
        refuse(config, items, [*problems, *planned.broken])


def _problems_of_session(
    config: pytest.Config, settings: Settings, items: Sequence[pytest.Item]
) -> list[str]:
    """Return mistakes in what the session as a whole reads, writes and starts, one text each."""
    from pytest_k6api.plugin.runtime.requested_outputs import problems_of_files, read_requests
    from pytest_k6api.plugin.runtime.session import problems_of
    from pytest_k6api.plugin.workers.wanted import wanted_workers

    problems = problems_of(settings)
    try:
        wanted_workers(config)
    except OptionError as error:
        problems.append(str(error))
    problems += _problems_of_baselines(config, settings, items)
    problems += problems_of_files(config, settings)
    problems += read_requests(config, settings, items)
    return problems


def _problems_of_baselines(
    config: pytest.Config, settings: Settings, items: Sequence[pytest.Item]
) -> Sequence[str]:
    if not any(map(settings.was_given, ("save", "compare", "compare_fail"))):
        return ()
    from pytest_k6api.plugin.runtime.baselines import open_baselines

    names = [item.nodeid for item in items if PLAN in item.stash]
    return open_baselines(config, settings, names, known_metrics())


@dataclass(frozen=True, slots=True)
class Planned:
    """Texts that planning a session leads to.

    Attributes:
        problems: Mistakes of the session as a whole.
        broken: Load tests that cannot run, each with the reason.
        remarks: Lines for the terminal before the first test.
    """

    problems: Sequence[str]
    broken: Sequence[str]
    remarks: Sequence[str]


def make_plans(items: Iterable[pytest.Item], settings: Settings) -> Planned:
    """Give every load test among `items` its plan, or the reason why it cannot run."""
    broken: list[str] = []
    session = settings.layers()
    thresholds = SessionThresholds(session, settings)
    misfits = Misfits(session)
    for item in items:
        if CAPTURED in item.stash and isinstance(item, pytest.Function):
            try:
                plan = item.stash[PLAN] = _plan(item, settings, session, thresholds, misfits)
            except K6ApiError as error:
                item.stash[BROKEN] = str(error)
            else:
                _describe(item, plan)
        elif is_stray(item):
            item.stash[BROKEN] = stray_text(item)
        if BROKEN in item.stash:
            broken.append(f"{item.nodeid}: {item.stash[BROKEN]}")
    problems = [*settings.problems, *thresholds.problems, *misfits.problems()]
    return Planned(problems, broken, [*misfits.remarks(), *settings.remarks])


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
    item: pytest.Function,
    settings: Settings,
    session: SessionLayers,
    thresholds: SessionThresholds,
    misfits: Misfits,
) -> LoadTestPlan:
    captured = item.stash[CAPTURED]
    refuse_functions(captured)
    refuse_fixtures(item._fixtureinfo.name2fixturedefs)  # there is no public way to see them
    layers, of_scenario = marker_layers(item, captured)
    scenarios = []
    for scenario in captured.scenarios:
        name = scenario.name
        fitted, left = fit_scenario(
            name, of_scenario[name], session, smoke=settings.switch("smoke")
        )
        misfits.add(item, scenario, left)
        scenarios.append(configure_scenario(item, fitted))
    _check_order(scenarios)
    options = resolve_load_test(session.around(layers))
    _check_life(options)
    judged, listed, tolerated = thresholds.around(layers)
    return LoadTestPlan(
        name=storable(item.nodeid, longest=10_000),
        scenarios=scenarios,
        options=options,
        thresholds=judged,
        listed=listed,
        tolerated=tolerated,
        tags=session.tags,
    )


def _check_order(scenarios: Sequence[ScenarioOptions]) -> None:
    order = {options.name: {options.after} - {""} for options in scenarios}
    for options in scenarios:
        if options.after and options.after not in order:
            hint = did_you_mean(options.after, order.keys() - {options.name})
            raise OptionError(
                f"{options.name}: after={options.after!r} names no scenario of this load test{hint}"
                f" there are {', '.join(sorted(order))}"
            )
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise OptionError(f"the scenarios wait for each other in a circle: {circle}") from None


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
