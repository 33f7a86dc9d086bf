"""The outputs that plugins add to a load test: started, fed, and stopped whatever happens.

What one of them raises is told by name of its plugin and keeps nobody else from
anything: the others go on, and the one that failed gets no more samples, but is
stopped all the same if it was started.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from pytest_k6api.metrics import SampleBatch
from pytest_k6api.outputs import Output
from pytest_k6api.plugin.hooks.hook_values import LoadTestInfo

Attempt = Callable[[str, str, Callable[[], object]], bool]


@dataclass(frozen=True, slots=True)
class _Added:
    output: Output
    plugin: str

    def where(self, method: str) -> str:
        return f"{type(self.output).__name__}.{method}"


class Outputs:
    """Those of one load test.

    Args:
        attempt: Calls something in the name of a plugin (its name, where, what), and
            returns whether that went well; what it raised is for the report.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._added: list[_Added] = []
        self._fed: list[_Added] = []

    def __bool__(self) -> bool:
        return bool(self._added)

    def collect(self, item: pytest.Item, load_test: LoadTestInfo) -> None:
        """Ask every plugin for its outputs, one at a time, so that each can be named."""
        hook = item.ihook.pytest_k6_add_outputs
        manager = item.config.pluginmanager
        for impl in hook.get_hookimpls():
            ask = manager.subset_hook_caller(hook.name, manager.get_plugins() - {impl.plugin})
            collect = partial(self._collect, impl.plugin_name, partial(ask, load_test=load_test))
            self._attempt(impl.plugin_name, hook.name, collect)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start them, let them be fed, and stop them, the last first."""
        with ExitStack() as stack:
            for added in self._added:
                if self._try(added, "start", added.output.start):
                    stack.callback(self._try, added, "stop", added.output.stop)
                    self._fed.append(added)
            yield

    def add(self, batch: SampleBatch) -> None:
        """Give `batch` to all that have not failed yet."""
        self._fed = [
            added
            for added in self._fed
            if self._try(added, "add", partial(added.output.add, batch))
        ]

    def _collect(self, plugin: str, ask: Callable[[], Iterable[Iterable[Output]]]) -> None:
        for outputs in ask():
            self._added += [_Added(output, plugin) for output in outputs]

    def _try(self, added: _Added, method: str, call: Callable[[], object]) -> bool:
        return self._attempt(added.plugin, added.where(method), call)
