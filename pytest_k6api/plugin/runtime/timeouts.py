"""Load tests under pytest-timeout: warned about in advance, and stopped in order.

pytest-timeout raises in the running code, or ends the process. In a load test it
would raise inside Trio's loop, and all results would be lost. So its limit stops the
load test as the control API does: iterations are interrupted, teardown runs, the
summary is printed, and the test fails. pytest-timeout's own method follows only
after `GRACE` seconds more.
"""

import importlib
import math
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from pytest_k6api.model import ScenarioOptions, format_duration, planned_duration
from pytest_k6api.plugin.hooks.stash_keys import PLAN, RUNNING

GRACE = 30.0
"""Seconds between the stop of a load test and pytest-timeout's own way to end it."""


def set_timer(item: pytest.Item, settings: Any) -> bool:  # pytest-timeout has no types
    """Let the time limit of `item` stop its load test.

    Args:
        item: A load test.
        settings: pytest-timeout's, of which `timeout` is in seconds.
    """
    theirs = importlib.import_module("pytest_timeout")
    timer = threading.Timer(settings.timeout, _stop, (item, settings.timeout))
    timer.daemon = True
    timer.start()
    theirs.pytest_timeout_set_timer(item, settings._replace(timeout=settings.timeout + GRACE))
    cancel_theirs = vars(item)["cancel_timeout"]

    def cancel() -> None:
        timer.cancel()
        cancel_theirs()

    vars(item)["cancel_timeout"] = cancel
    return True


def _stop(item: pytest.Item, timeout: float) -> None:
    load_test = item.stash.get(RUNNING, None)
    if load_test is not None:
        reason = f"pytest-timeout allows it {format_duration(timeout)}"
        load_test.portal.call_soon(partial(load_test.stop, reason))


def warn_of_timeouts(items: Iterable[pytest.Item]) -> list[str]:
    """Warn of load tests that are planned to outlast their time limit.

    Returns:
        The warnings that the user has made errors, one text each.
    """
    theirs = sys.modules.get("pytest_timeout")
    # There is no public way to ask for the limit before the test runs.
    ask = getattr(theirs, "_get_item_settings", None)
    if ask is None:
        return []
    problems = []
    for item in items:
        if PLAN not in item.stash or not item.config.pluginmanager.is_registered(theirs):
            continue
        planned = planned_length(item.stash[PLAN].scenarios)
        timeout = ask(item).timeout
        if timeout and planned > timeout:
            lasts = format_duration(planned) if planned < math.inf else "until it is stopped"
            text = (
                f"{item.nodeid}: its load is planned to last {lasts}, and pytest-timeout stops it"
                f" after {format_duration(timeout)}; allow more with @pytest.mark.timeout(SECONDS)"
            )
            try:
                item.warn(pytest.PytestWarning(text))
            except pytest.PytestWarning as warning:
                problems.append(str(warning))
    return problems


def planned_length(scenarios: Sequence[ScenarioOptions]) -> float:
    """Return for how many seconds `scenarios` are planned to start iterations.

    A number of iterations counts as 0 s, because their time is not known in advance.
    """
    by_name = {options.name: options for options in scenarios}
    return max((sum(_chain(options, by_name)) for options in scenarios), default=0.0)


def _chain(options: ScenarioOptions, by_name: Mapping[str, ScenarioOptions]) -> Iterator[float]:
    following: ScenarioOptions | None = options
    while following is not None:
        yield following.start_time + (planned_duration(following) or 0.0)
        following = by_name.get(following.after)
