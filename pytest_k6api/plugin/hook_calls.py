"""Calling the hooks of other plugins, so that none can break a load test unnoticed.

An error becomes a sentence with the plugin's name, which fails the load test;
what was measured is kept.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pluggy
import pytest

from pytest_k6api.metrics import SampleBatch, ThresholdSnapshot
from pytest_k6api.plugin.blaming import blame
from pytest_k6api.plugin.hook_values import LoadTestInfo
from pytest_k6api.plugin.results import LoadTestResults


class HookCalls:
    """The hooks of one load test.

    Attributes:
        problems: What went wrong in them, one sentence each.

    Args:
        item: The load test's item, which says whose hooks are called.
        load_test: What they are told about it.
    """

    def __init__(self, item: pytest.Item, load_test: LoadTestInfo) -> None:
        self.problems: list[str] = []
        self._item = item
        self._load_test = load_test
        self._is_blind = False

    @property
    def on_samples(self) -> Callable[[SampleBatch], None] | None:
        """What to call with each batch; None if nobody observes samples."""
        hook = self._item.ihook.pytest_k6_samples
        return self._observe if hook.get_hookimpls() else None

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

    def _observe(self, batch: SampleBatch) -> None:
        # Whoever failed once would fail 20 times a second.
        if not self._is_blind:
            before = len(self.problems)
            self._call(self._item.ihook.pytest_k6_samples, batch=batch)
            self._is_blind = len(self.problems) > before

    def _react(self, threshold: ThresholdSnapshot) -> None:
        self._call(self._item.ihook.pytest_k6_threshold_crossed, threshold=threshold)

    def _call(self, hook: pluggy.HookCaller, **told: object) -> Any:  # as the hook is specified
        try:
            return hook(load_test=self._load_test, **told)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told in the report
            self.problems.append(blame(self._item, hook, error))
        return None


HOOKS = pytest.StashKey[HookCalls]()
"""The hooks of an item's load test, from just before it is made."""
