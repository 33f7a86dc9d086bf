"""Detection of load tests, in every session, without the imports that load tests need."""

import pytest

from pytest_k6api.plugin.hooks.stash_keys import CAPTURED, PLAN

_NAMES = ("scenario", "load_test")

WORKER_PLUGIN = "k6api-worker"
"""The name of the plugin that makes a session that of a worker."""

WORKER_NUMBER = "PYTEST_K6API_WORKER_NUMBER"
"""The variable that tells a worker its number, from 1, and how many there are: ``2/4``."""


def is_worker(config: pytest.Config) -> bool:
    """Return whether the session is that of a worker of load tests."""
    return config.pluginmanager.has_plugin(WORKER_PLUGIN)


def may_be_load_test(collector: pytest.Module | pytest.Class, found: object) -> bool:
    """Return False if `found` is no load test, which holds for almost every object of a suite."""
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
    """Return the function of a static method or a class method; any other object as it is."""
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
    """Return whether `item` is a load test, or is marked as one."""
    return CAPTURED in item.stash or is_stray(item)


def is_stray(item: pytest.Item) -> bool:
    """Return whether `item` is marked as a scenario but was collected as an ordinary test."""
    if CAPTURED in item.stash:
        return False
    # Nearly every item is a plain Function, and looking for a mark up the tree is slow.
    # Of functions only those are stray that were marked after their collection.
    if type(item) is pytest.Function:
        is_marked = any(mark.name == "scenario" for mark in item.own_markers)
        return is_marked and not is_made_by(item.function, "pytest_bdd")
    return item.get_closest_marker("scenario") is not None


def will_run_load_tests(session: pytest.Session) -> bool:
    """Return whether `session` has load tests and is about to run its tests."""
    option = session.config.option
    will_run = not session.testsfailed or option.continue_on_collection_errors
    return will_run and not option.collectonly and any(PLAN in each.stash for each in session.items)
