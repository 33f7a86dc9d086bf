"""pytest's ``--trace`` and scenarios: the debugger stops where their first iteration begins."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest


def stop_at_start(item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with a stop of the debugger at its first line, if pytest is to trace."""
    if not item.config.getoption("trace", False):
        return function
    # pytest has announced its debugger and waits for it around a stand-in of ours.
    debugger = inspect.getclosurevars(item.obj).nonlocals.get("_pdb")
    if debugger is None:
        return function
    if not inspect.iscoroutinefunction(function):
        return functools.wraps(function)(functools.partial(debugger.runcall, function))

    @functools.wraps(function)
    async def stopping(*args: object, **kwargs: object) -> object:
        # As the debugger's `runcall`, which knows no coroutines.
        debugger.reset()
        sys.settrace(debugger.trace_dispatch)
        try:
            return await function(*args, **kwargs)
        finally:
            sys.settrace(None)

    return stopping
