"""The fingerprint of a session's load tests: a controller and its workers have the same."""

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
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
    by_option = _option_digests(plans)
    return Fingerprint(
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in _DISTRIBUTIONS},
        },
        items=_digest(sorted(plans)),
        options=_digest(by_option.values()),
        by_option=by_option,
    )


def _option_digests(plans: "Mapping[str, LoadTestPlan]") -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for name in sorted(plans):
        for option, value in _options_of(plans[name]):
            texts.setdefault(option, []).append(f"{name} {_text(value)}")
    return {option: _digest(values) for option, values in texts.items()}


def _options_of(plan: "LoadTestPlan") -> Iterator[tuple[str, object]]:
    for scenario in plan.scenarios:
        yield from ((each.name, getattr(scenario, each.name)) for each in fields(scenario))
    yield from ((each.name, getattr(plan.options, each.name)) for each in fields(plan.options))
    yield "thresholds", plan.thresholds


def _text(value: object) -> str:
    """Return `value` as text that is the same in every process: sets have an order of their own in each."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return _text(sorted(map(_text, value.items())))
    if isinstance(value, AbstractSet):
        return _text(sorted(map(_text, value)))
    if is_dataclass(value) and not isinstance(value, type):
        return _text([(each.name, getattr(value, each.name)) for each in fields(value)])
    # Functions have no such text.
    return "" if callable(value) else repr(value)


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="backslashreplace")).hexdigest()
