"""The fingerprint of a session's load tests: a controller and its workers have the same."""

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.distributed import Fingerprint
from pytest_k6api.plugin.hooks.stash_keys import PLAN

if TYPE_CHECKING:
    from pytest_k6api.run import LoadTestPlan

_DISTRIBUTIONS = ("pytest-k6api", "pytest", "trio", "msgspec")


def fingerprint_of(items: Iterable[pytest.Item]) -> Fingerprint:
    """Return the fingerprint of the load tests among `items`."""
    plans = {item.nodeid: item.stash[PLAN] for item in items if PLAN in item.stash}
    return Fingerprint(
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in _DISTRIBUTIONS},
        },
        items=_digest(sorted(plans)),
        options=_digest(f"{name} {_plan_text(plans[name])}" for name in sorted(plans)),
    )


def _plan_text(plan: "LoadTestPlan") -> str:
    # Functions have no text that is the same in two processes.
    options = {
        name: value
        for name in plan.options.__slots__
        if not callable(value := getattr(plan.options, name))
    }
    thresholds = [repr(each) for each in plan.thresholds]
    return f"{list(plan.scenarios)!r} {options!r} {thresholds!r}"


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="backslashreplace")).hexdigest()
