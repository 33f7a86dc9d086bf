"""Which plugin an error came from, in words for the report."""

from pathlib import Path

import pluggy
import pytest


def blame(item: pytest.Item, hook: pluggy.HookCaller, error: BaseException) -> str:
    """Return a sentence about `error`, raised by one of those who implement `hook`."""
    codes = set()
    traceback = error.__traceback__
    while traceback is not None:
        codes.add(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    names = [
        impl.plugin_name
        for impl in hook.get_hookimpls()
        if getattr(impl.function, "__code__", None) in codes
    ]
    return blame_plugin(item, names[0] if names else "somebody's", hook.name, error)


def blame_plugin(item: pytest.Item, name: str, where: str, error: BaseException) -> str:
    """Return a sentence about `error`, raised by what the plugin `name` does `where`."""
    # A conftest file is registered under its path.
    plugin = Path(name)
    if plugin.is_absolute() and plugin.is_relative_to(item.config.rootpath):
        plugin = plugin.relative_to(item.config.rootpath)
    return f"the plugin {plugin} failed in {where}: {type(error).__name__}: {error}"
