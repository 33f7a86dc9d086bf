"""Scenarios under ``@mock.patch``: patched once for all virtual users.

The decorator patches at each call and restores at its end. The iterations of several
VUs overlap, so one would restore the patch of another, and the last one would leave
a mock behind.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

_MODULES = ("unittest.mock", "mock")


def injected_count(function: object) -> int:
    """Return the number of arguments that ``mock.patch`` injects before all others."""
    return sum(map(_is_injected, getattr(function, "patchings", ())))


def _is_injected(patching: Any) -> bool:  # mock's, which has no public type
    defaults = [getattr(sys.modules.get(name), "DEFAULT", None) for name in _MODULES]
    return not patching.attribute_name and any(
        patching.new is default for default in defaults if default is not None
    )


def enter_patches(
    item: pytest.Item, function: Callable[..., Any]
) -> tuple[Callable[..., Any], Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """Enter the patches of `function` until `item` is torn down.

    Returns:
        The function without its patches, and a function that adds the injected arguments
        to a bound function. Without patches both change nothing.
    """
    if getattr(function, "__globals__", {}).get("__name__") not in _MODULES:
        return function, _unchanged
    patches = ExitStack()
    item.addfinalizer(patches.close)
    arguments, keywords = [], {}
    patched: Any = function  # mock's wrapper has attributes of its own
    for patching in patched.patchings:
        value = patches.enter_context(patching)
        if patching.attribute_name is not None:
            keywords.update(value)
        elif _is_injected(patching):
            arguments.append(value)
    return patched.__wrapped__, lambda bound: partial(bound, *arguments, **keywords)


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
