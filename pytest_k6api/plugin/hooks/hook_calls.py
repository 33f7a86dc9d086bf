"""Calls of the hooks of other plugins.

An exception becomes a sentence with the plugin's name, which fails the load test;
results are kept. ``pytest.exit()`` stops the load test, and then the session.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
import pytest

from pytest_k6api.model import LoadTestInfo, OptionError, ScenarioOptions, check_scenario
from pytest_k6api.plugin.hooks.outputs import Outputs
from pytest_k6api.plugin.hooks.stash_keys import RUNNING

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch, ThresholdSnapshot
    from pytest_k6api.plugin.runtime.results import LoadTestResults

_CAUGHT = (Exception, pytest.fail.Exception, pytest.skip.Exception)


def configure_scenario(item: pytest.Item, options: ScenarioOptions) -> ScenarioOptions:
    """Return `options`, or the options that a plugin returns instead.

    Raises:
        OptionError: These cannot be run, or a plugin failed.
    """
    hook = item.ihook.pytest_k6_configure_scenario
    if not hook.get_hookimpls():
        return options
    try:
        changed = hook(item=item, options=options)
    except pytest.exit.Exception:
        raise
    except Exception as error:
        raise OptionError(_blame(item, hook, error)) from error
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


class HookCalls:
    """The hooks of one load test.

    Attributes:
        exit: The exception of ``pytest.exit()`` in a hook; None without one.
        outputs: The outputs that plugins added.

    Args:
        item: The item of the load test, which selects the hooks.
        load_test: The value that every hook gets.
    """

    def __init__(self, item: pytest.Item, load_test: LoadTestInfo) -> None:
        self._problems: list[str] = []
        self._taken: list[str] = []
        self.exit: Exception | None = None
        self._item = item
        self._load_test = load_test
        self._is_blind = not item.ihook.pytest_k6_samples.get_hookimpls()
        self.outputs = Outputs(self._attempt)
        self.outputs.collect(item, load_test)

    @property
    def on_samples(self) -> "Callable[[SampleBatch], None] | None":
        """Receiver of sample batches; None if no plugin observes samples."""
        return self._observe if self.outputs or not self._is_blind else None

    @property
    def on_crossed(self) -> "Callable[[ThresholdSnapshot], None] | None":
        """Receiver of thresholds that were crossed; None if no plugin reacts."""
        hook = self._item.ihook.pytest_k6_threshold_crossed
        return self._react if hook.get_hookimpls() else None

    def summary_lines(self, results: "LoadTestResults") -> list[str]:
        """Return the lines that plugins add to the summary."""
        added: Sequence[list[str]] = (
            self._call(self._item.ihook.pytest_k6_summary, results=results) or ()
        )
        return [str(line) for lines in reversed(added) for line in lines]

    def finished(self, results: "LoadTestResults") -> None:
        """Tell plugins that the load test has ended."""
        self._call(self._item.ihook.pytest_k6_load_test_finished, results=results)

    def take_problems(self) -> list[str]:
        """Return the errors of hooks since the last call, one sentence each."""
        taken, self._problems = self._problems, []
        self._taken += taken
        return taken

    def leave(self) -> None:
        """Raise the exception of ``pytest.exit()``, if a hook called it."""
        if self.exit is not None:
            raise self.exit

    def refuse_skip(self) -> None:
        """Fail a load test that is about to be skipped, if a hook failed."""
        if self._taken:
            pytest.fail("\n".join(self._taken), pytrace=False)

    def _observe(self, batch: "SampleBatch") -> None:
        # A hook that failed once would fail 20 times a second.
        if not self._is_blind and batch.series:
            before = len(self._problems)
            self._call(self._item.ihook.pytest_k6_samples, batch=batch)
            self._is_blind = len(self._problems) > before or self.exit is not None
        self.outputs.add(batch)

    def _react(self, threshold: "ThresholdSnapshot") -> None:
        self._call(self._item.ihook.pytest_k6_threshold_crossed, threshold=threshold)

    def _call(self, hook: pluggy.HookCaller, **told: object) -> Any:  # as the hook is specified
        try:
            return hook(load_test=self._load_test, **told)
        except _CAUGHT as error:
            self._take(error, _blame(self._item, hook, error))
        return None

    def _attempt(self, plugin: str, where: str, call: Callable[[], object]) -> bool:
        try:
            call()
        except _CAUGHT as error:
            self._take(error, _blame_plugin(self._item, plugin, where, error))
            return False
        return True

    def _take(self, error: BaseException, blamed: str) -> None:
        if not isinstance(error, pytest.exit.Exception):
            self._problems.append(blamed)
        elif self.exit is None:
            # Not raised here, in the middle of the loop: the results would be lost.
            self.exit = error
            if (load_test := self._item.stash.get(RUNNING, None)) is not None:
                load_test.stop(f"a plugin called pytest.exit({str(error)!r})")


HOOKS = pytest.StashKey[HookCalls]()
"""The hooks of an item's load test, from just before it is made."""


def _blame(item: pytest.Item, hook: pluggy.HookCaller, error: BaseException) -> str:
    """Return a sentence about `error`, raised by an implementation of `hook`."""
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
    return _blame_plugin(item, names[0] if names else "(unknown)", hook.name, error)


def _blame_plugin(item: pytest.Item, name: str, where: str, error: BaseException) -> str:
    """Return a sentence about `error`, raised in `where` by the plugin `name`."""
    # A conftest file is registered under its path.
    plugin = Path(name)
    if plugin.is_absolute() and plugin.is_relative_to(item.config.rootpath):
        plugin = plugin.relative_to(item.config.rootpath)
    return f"the plugin {plugin} failed in {where}: {type(error).__name__}: {error}"
