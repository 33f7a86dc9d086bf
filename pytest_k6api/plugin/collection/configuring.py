"""Letting other plugins change the plan of a scenario, before any load is made."""

import pytest

from pytest_k6api.model import OptionError, ScenarioOptions, check_scenario
from pytest_k6api.plugin.reporting.plugin_errors import blame


def configure_scenario(item: pytest.Item, options: ScenarioOptions) -> ScenarioOptions:
    """Return `options`, or what a plugin wants instead.

    Raises:
        OptionError: That cannot be run, or a plugin failed.
    """
    hook = item.ihook.pytest_k6_configure_scenario
    if not hook.get_hookimpls():
        return options
    try:
        changed = hook(item=item, options=options)
    except pytest.exit.Exception:
        raise
    except Exception as error:
        raise OptionError(blame(item, hook, error)) from error
    if changed is None:
        return options
    if not isinstance(changed, ScenarioOptions) or changed.name != options.name:
        raise OptionError(
            f"{options.name}: pytest_k6_configure_scenario returns ScenarioOptions of the same"
            f" name, made by dataclasses.replace(options, ...), or None; got {changed!r}"
        )
    try:
        return check_scenario(changed)
    except OptionError as error:
        raise OptionError(f"{options.name}, by pytest_k6_configure_scenario: {error}") from None
