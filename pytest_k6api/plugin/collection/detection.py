"""Whether something in a test file may be a load test, told without importing what load tests need."""

import pytest

from pytest_k6api.plugin.hooks.stash_keys import CAPTURED

_NAMES = ("scenario", "load_test")


def may_be_load_test(collector: pytest.Module | pytest.Class, found: object) -> bool:
    """Return False if `found` surely is none, as almost everything in almost every suite."""
    function = function_of(found)
    if not callable(function):
        return False
    marks = getattr(function, "pytestmark", None) or ()
    marks = marks if isinstance(marks, list) else [marks]
    if any(getattr(mark, "name", "") in _NAMES for mark in marks):
        return not is_made_by(function, "pytest_bdd")
    is_marked = collector.get_closest_marker("scenario") is not None
    return is_marked and not is_made_by(function, "pytest_bdd")


def function_of(found: object) -> object:
    """Return the function of a static method or a class method, all else as it is."""
    return found.__func__ if isinstance(found, (staticmethod, classmethod)) else found


def is_made_by(function: object, package: str) -> bool:
    """Return whether code of `package` wraps `function`, or made it.

    pytest-bdd makes marks of Gherkin's tags, and ``@scenario`` is a tag like others.
    """
    while function is not None:
        module = getattr(function, "__globals__", {}).get("__name__", "")
        if module.partition(".")[0] == package:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def concerns_us(item: pytest.Item) -> bool:
    """Tell whether `item` is a load test, or wants to be one."""
    return CAPTURED in item.stash or is_stray(item)


def is_stray(item: pytest.Item) -> bool:
    """Tell whether `item` is marked as a scenario and is collected as an ordinary test."""
    if CAPTURED in item.stash:
        return False
    # Nearly every item is a plain Function, and a mark is looked for up the tree: of
    # functions only those are stray that were marked when they had been collected.
    if type(item) is pytest.Function:
        is_marked = any(mark.name == "scenario" for mark in item.own_markers)
        return is_marked and not is_made_by(item.function, "pytest_bdd")
    return item.get_closest_marker("scenario") is not None
