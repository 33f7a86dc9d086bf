"""Outputs that plugins add to a load test: started, fed with samples, and always stopped.

An exception of one is reported with the name of its plugin and does not affect the
others. An output that failed gets no more samples; it is stopped if it was started.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.plugin.hooks.hookspecs import LoadTestInfo

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch
    from pytest_k6api.outputs import Output

Attempt = Callable[[str, str, Callable[[], object]], bool]


@dataclass(frozen=True, slots=True)
class _Added:
    output: "Output"
    plugin: str

    def where(self, method: str) -> str:
        return f"{type(self.output).__name__}.{method}"


class Outputs:
    """The outputs of one load test.

    Args:
        attempt: Calls a function for a plugin (its name, the place, the function),
            reports an exception, and returns whether there was none.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._added: list[_Added] = []
        self._fed: list[_Added] = []

    def __bool__(self) -> bool:
        return bool(self._added)

    def collect(self, item: pytest.Item, load_test: LoadTestInfo) -> None:
        """Collect the outputs of every plugin, one plugin at a time, so that errors can name it."""
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

    def add(self, batch: "SampleBatch") -> None:
        """Give `batch` to the outputs that have not failed."""
        self._fed = [
            added
            for added in self._fed
            if self._try(added, "add", partial(added.output.add, batch))
        ]

    def _collect(self, plugin: str, ask: "Callable[[], Iterable[Iterable[Output]]]") -> None:
        for outputs in ask():
            self._added += [_Added(output, plugin) for output in outputs]

    def _try(self, added: _Added, method: str, call: Callable[[], object]) -> bool:
        return self._attempt(added.plugin, added.where(method), call)
