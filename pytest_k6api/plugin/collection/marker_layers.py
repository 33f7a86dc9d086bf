"""Markers read as layers of options."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import pytest

from pytest_k6api.model import Layer, LoadTestOptions, OptionError, ScenarioOptions, options_of
from pytest_k6api.plugin.collection.captured import CapturedLoadTest
from pytest_k6api.plugin.collection.collecting import marks_of

_OF_LOAD_TEST = tuple(options_of(LoadTestOptions))
_OF_SCENARIO = (*options_of(ScenarioOptions), *_OF_LOAD_TEST)


def marker_layers(
    item: pytest.Function, captured: CapturedLoadTest
) -> tuple[Sequence[Layer], Mapping[str, Sequence[Layer]]]:
    """Return the layers of a load test as a whole, and those of each scenario, lowest first.

    Raises:
        OptionError: A marker has an option that is unknown, ill-typed or out of range.
    """
    if captured.cls is None:
        marks = [mark for _, mark in item.iter_markers_with_node("scenario")][::-1]
        layers = [_layer(mark, _OF_SCENARIO) for mark in marks]
        return layers, {captured.scenarios[0].name: layers}
    return (
        [_layer(mark, _OF_LOAD_TEST) for mark in marks_of(captured.cls, "load_test")],
        {
            scenario.name: [
                _layer_in_class(scenario.name, mark)
                for mark in marks_of(scenario.function, "scenario")
            ]
            for scenario in captured.scenarios
        },
    )


def _layer_in_class(name: str, mark: pytest.Mark) -> Layer:
    for option in _OF_LOAD_TEST:
        if option in mark.kwargs:
            raise OptionError(
                f"{name}: @pytest.mark.scenario does not take {option} inside a load_test class;"
                f" give it to @pytest.mark.load_test"
            )
    return _layer(mark, _OF_SCENARIO)


def _layer(mark: pytest.Mark, known: Sequence[str]) -> Layer:
    origin = f"@pytest.mark.{mark.name}"
    if mark.args:
        raise OptionError(f"{origin} takes keywords only, got {mark.args[0]!r}")
    for keyword in mark.kwargs:
        if keyword not in known:
            hint = did_you_mean(keyword, known)
            raise OptionError(
                f"{origin} does not take {keyword}{hint} it takes the keywords {', '.join(known)}"
            )
    return Layer.read(origin, mark.kwargs)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a clause: a suggestion for the misspelt `name`, if one of `known` is near."""
    near = difflib.get_close_matches(name, [*known], n=1)
    return f"; did you mean {near[0]}?" if near else ";"
