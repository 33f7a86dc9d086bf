"""What the session's options do to each executor: asked of the code that resolves them."""

import re
from collections.abc import Iterator, Mapping

from pytest_k6api.model import Layer, OptionError, ScenarioOptions, options_of, resolve_scenario
from pytest_k6api.plugin.settings.sources import settings_table

Table = Mapping[str, Mapping[str, str]]

# A scenario of each executor, as people write one.
_MARKERS: Mapping[str, Mapping[str, object]] = {
    "shared-iterations": {"vus": 10, "iterations": 1000},
    "per-vu-iterations": {"vus": 10, "iterations": 20},
    "constant-vus": {"vus": 10, "duration": "30s"},
    "ramping-vus": {"stages": [("30s", 20)]},
    "constant-arrival-rate": {"rate": 5, "duration": "30s", "pre_allocated_vus": 10},
    "ramping-arrival-rate": {"stages": [("30s", 20)], "pre_allocated_vus": 10},
    "externally-controlled": {"max_vus": 100, "duration": "30s"},
}

_GIVEN: Mapping[str, object] = {
    "vus": 50,
    "duration": "1m",
    "iterations": 2000,
    "stages": [("1m", 40)],
    "rate": 30,
    "max_vus": 70,
}

_FLAGS = {setting.option: setting.flag for setting in settings_table().values() if setting.option}

# These are chosen by no other option, or by none at all.
_ONLY_BY_NAME = {"per-vu-iterations", "externally-controlled"}


def overriding(*, named: bool) -> Table:
    """Return what each flag does, by executor and flag.

    Args:
        named: Whether the marker names its executor; else its other options choose it.
    """
    return {
        executor: dict(_row({"executor": executor, **marker} if named else marker))
        for executor, marker in _MARKERS.items()
        if named or executor not in _ONLY_BY_NAME
    } | ({} if named else {"(no options)": dict(_row({}))})


def _row(marker: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for option, value in _GIVEN.items():
        yield _FLAGS[option], _outcome(marker, option, value)
    smoke = resolve_scenario("s", [Layer.read("marker", marker)], smoke=True)
    yield "--k6-smoke", f"{smoke.vus} VU, {smoke.iterations} iteration"


def _outcome(marker: Mapping[str, object], option: str, value: object) -> str:
    layers = [Layer.read("marker", marker)]
    before = resolve_scenario("s", layers)
    layers.append(Layer.read("command line", {option: value}, lambda name: _FLAGS.get(name, name)))
    try:
        after = resolve_scenario("s", layers)
    except OptionError as error:
        advice = re.search(r"use (--k6-[\w-]+)", str(error))
        return f"no place; use `{advice[1]}`" if advice else "no place"
    if after.executor is not before.executor:
        return f"makes it `{after.executor.value}`"
    changed = [
        name
        for name in options_of(ScenarioOptions)
        if getattr(after, name) != getattr(before, name)
    ]
    return "sets " + ", ".join(f"`{name}`" for name in changed)
