"""Calling the hooks of other plugins, so that none can break a load test unnoticed.

An error becomes a sentence with the plugin's name, which fails the load test;
what was measured is kept. ``pytest.exit()`` stops the load test, and then the session.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pluggy
import pytest

from pytest_k6api.metrics import SampleBatch, ThresholdSnapshot
from pytest_k6api.plugin.hooks.hook_values import LoadTestInfo
from pytest_k6api.plugin.hooks.outputs import Outputs
from pytest_k6api.plugin.hooks.stash_keys import RUNNING
from pytest_k6api.plugin.reporting.plugin_errors import blame, blame_plugin
from pytest_k6api.plugin.runtime.results import LoadTestResults

_CAUGHT = (Exception, pytest.fail.Exception, pytest.skip.Exception)


class HookCalls:
    """The hooks of one load test.

    Attributes:
        exit: What ``pytest.exit()`` raised in one of them; None while none did.
        outputs: What plugins send the samples to.

    Args:
        item: The load test's item, which says whose hooks are called.
        load_test: What they are told about it.
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
    def on_samples(self) -> Callable[[SampleBatch], None] | None:
        """What to call with each batch; None if nobody observes samples."""
        return self._observe if self.outputs or not self._is_blind else None

    @property
    def on_crossed(self) -> Callable[[ThresholdSnapshot], None] | None:
        """What to call with a threshold that was crossed; None if nobody reacts."""
        hook = self._item.ihook.pytest_k6_threshold_crossed
        return self._react if hook.get_hookimpls() else None

    def summary_lines(self, results: LoadTestResults) -> list[str]:
        """Return what plugins add to the summary."""
        added: Sequence[list[str]] = (
            self._call(self._item.ihook.pytest_k6_summary, results=results) or ()
        )
        return [str(line) for lines in reversed(added) for line in lines]

    def finished(self, results: LoadTestResults) -> None:
        """Tell plugins that it is over."""
        self._call(self._item.ihook.pytest_k6_load_test_finished, results=results)

    def take_problems(self) -> list[str]:
        """Return what went wrong in them since the last call, one sentence each."""
        taken, self._problems = self._problems, []
        self._taken += taken
        return taken

    def leave(self) -> None:
        """Let the session end, if that is what one of them wants."""
        if self.exit is not None:
            raise self.exit

    def refuse_skip(self) -> None:
        """Fail a load test that is about to be skipped, if something went wrong in them."""
        if self._taken:
            pytest.fail("\n".join(self._taken), pytrace=False)

    def _observe(self, batch: SampleBatch) -> None:
        # Whoever failed once would fail 20 times a second.
        if not self._is_blind:
            before = len(self._problems)
            self._call(self._item.ihook.pytest_k6_samples, batch=batch)
            self._is_blind = len(self._problems) > before or self.exit is not None
        self.outputs.add(batch)

    def _react(self, threshold: ThresholdSnapshot) -> None:
        self._call(self._item.ihook.pytest_k6_threshold_crossed, threshold=threshold)

    def _call(self, hook: pluggy.HookCaller, **told: object) -> Any:  # as the hook is specified
        try:
            return hook(load_test=self._load_test, **told)
        except _CAUGHT as error:
            self._take(error, blame(self._item, hook, error))
        return None

    def _attempt(self, plugin: str, where: str, call: Callable[[], object]) -> bool:
        try:
            call()
        except _CAUGHT as error:
            self._take(error, blame_plugin(self._item, plugin, where, error))
            return False
        return True

    def _take(self, error: BaseException, blamed: str) -> None:
        if not isinstance(error, pytest.exit.Exception):
            self._problems.append(blamed)
        elif self.exit is None:
            # Not raised here, in the middle of the loop: what was measured would be lost.
            self.exit = error
            if (load_test := self._item.stash.get(RUNNING, None)) is not None:
                load_test.stop(f"a plugin called pytest.exit({str(error)!r})")


HOOKS = pytest.StashKey[HookCalls]()
"""The hooks of an item's load test, from just before it is made."""
