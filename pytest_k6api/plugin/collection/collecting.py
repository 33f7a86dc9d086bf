"""Collection: pytest items for marked functions and classes.

A scenario is collected as an ordinary function that stands in for it, with the same
name, location, marks and arguments, but never async, so that neither pytest nor
plugins for async tests run it. A class marked ``load_test`` becomes one such function
with the arguments of all its scenarios. The item's stash holds the captured
functions, for `planning`.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from _pytest._code import getfslineno

from pytest_k6api.plugin.collection.captured import CapturedLoadTest, CapturedScenario
from pytest_k6api.plugin.collection.detection import function_of
from pytest_k6api.plugin.collection.mock_patches import injected_count
from pytest_k6api.plugin.hooks.stash_keys import CAPTURED

_STANDS_IN = "_k6api_stands_in"


def make_items(
    collector: pytest.Module | pytest.Class, name: str, found: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Return the items for `found` if it is a scenario or a load test, else None."""
    captured = _capture(collector, name, found)
    if captured is None:
        return None
    stand_in = _stand_in(name, function_of(found), _signature(captured, collector))
    made = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=name, obj=stand_in)
    # Not needed any more. `-k` also matches names of attributes, and `-k api` must not
    # select every load test.
    for attribute in (_STANDS_IN, "__signature__"):
        delattr(stand_in, attribute)
    items: list[pytest.Item | pytest.Collector] = made or []
    for item in items:
        if isinstance(item, pytest.Function):
            item.obj = stand_in
            item.stash[CAPTURED] = captured
            item.extra_keyword_matches.update(each.name for each in captured.scenarios)
    return items


def _capture(
    collector: pytest.Module | pytest.Class, name: str, found: object
) -> CapturedLoadTest | None:
    if getattr(found, _STANDS_IN, False):
        return None
    if inspect.isclass(found):
        if not marks_of(found, "load_test") or not collector.classnamefilter(name):
            return None
        return CapturedLoadTest(tuple(_scenarios_of(found)), found)
    if not collector.istestfunction(found, name):
        return None
    function = function_of(found)
    if not inspect.isfunction(function):
        if hasattr(function, "pytestmark") and marks_of(function, "scenario"):
            raise collector.CollectError(
                f"{name} is marked as a scenario and is a {type(function).__name__}; a scenario is a"
                " function, or a method of a test class"
            )
        return None
    # A function that is marked as a load test is a mistake; `validation` refuses it.
    marks = [*marks_of(function, "scenario"), *marks_of(function, "load_test")]
    if not marks and collector.get_closest_marker("scenario") is None:
        return None
    return CapturedLoadTest((_captured(name, found, function),))


def _captured(name: str, found: object, function: Callable[..., Any]) -> CapturedScenario:
    return CapturedScenario(name, function, type(found) if found is not function else None)


def marks_of(found: object, name: str) -> list[pytest.Mark]:
    """Return the marks called `name` on `found`, the one of highest precedence last.

    A derived class has precedence over its base, and a decorator over those above it.
    """
    return [mark for mark in reversed(_all_marks(found)) if mark.name == name]


def _all_marks(found: object) -> list[pytest.Mark]:
    # As pytest, from the nearest on: a class has the marks of its bases too.
    holders = [vars(cls) for cls in found.__mro__] if isinstance(found, type) else [vars(found)]
    marks: list[Any] = []
    for holder in holders:
        own = holder.get("pytestmark", [])
        marks += own if isinstance(own, list) else [own]
    found = [getattr(mark, "mark", mark) for mark in marks]
    return [mark for mark in found if not _is_anyios(mark)]


def _is_anyios(mark: pytest.Mark) -> bool:
    # In its auto mode anyio marks every async test to run once for each event loop; a
    # load test has a loop of its own, and would silently run twice.
    return mark.name == "usefixtures" and mark.args == ("anyio_backend",)


def _scenarios_of(cls: type) -> Iterator[CapturedScenario]:
    for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        found = inspect.getattr_static(cls, name)
        function = function_of(found)
        if inspect.isfunction(function) and marks_of(function, "scenario"):
            yield _captured(name, found, function)


def _stand_in(name: str, found: object, signature: inspect.Signature) -> Callable[..., None]:
    def load_test(**_fixtures: object) -> None:
        raise AssertionError(f"{name} is a load test; its item runs it, not this function")

    path, line = getfslineno(found)
    load_test.__code__ = load_test.__code__.replace(co_filename=str(path), co_firstlineno=line + 1)
    load_test.__name__ = name
    load_test.__qualname__ = getattr(found, "__qualname__", name)
    load_test.__module__ = getattr(found, "__module__", "")
    load_test.__doc__ = getattr(found, "__doc__", None)
    extra: dict[str, Any] = {
        "pytestmark": _all_marks(found),
        "__test__": True,
        "__signature__": signature,
        _STANDS_IN: True,
    }
    if inspect.isfunction(found):
        # Where a fixture is missing, pytest quotes the source of the function; of a class
        # it would quote everything.
        extra["__wrapped__"] = found
    vars(load_test).update(extra)
    return load_test


def _signature(
    captured: CapturedLoadTest, collector: pytest.Module | pytest.Class
) -> inspect.Signature:
    # pytest drops the first argument of functions in a class, except for static methods.
    is_static = captured.cls is None and captured.scenarios[0].binding is staticmethod
    names = {"self": None} if isinstance(collector, pytest.Class) and not is_static else {}
    is_method = captured.cls is not None or isinstance(collector, pytest.Class)
    for scenario in captured.scenarios:
        has_self = is_method and scenario.binding is not staticmethod
        names.update(dict.fromkeys(fixture_names(scenario.function, is_method=has_self)))
        if captured.cls is not None:
            for mark in marks_of(scenario.function, "usefixtures"):
                names.update(dict.fromkeys(mark.args))
    names.update({"request": None, "k6_base_url": None})
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def fixture_names(function: Callable[..., Any], *, is_method: bool) -> list[str]:
    """Return the names of the fixtures that `function` asks for.

    Arguments that ``mock.patch`` injects come first and are not fixtures.
    """
    parameters = list(inspect.signature(function).parameters.values())
    names = [p.name for p in (parameters[1:] if is_method else parameters) if _is_fixture(p)]
    return names[injected_count(function) :]


def _is_fixture(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind in {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }
