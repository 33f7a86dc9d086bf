"""Outputs of a load test: started, fed with samples, and always stopped.

Plugins add some, ``--k6-out`` asks for others. An exception of one is reported with its
name and does not affect the others. An output that failed gets no more samples; it is
stopped if it was started. A requested output that cannot be started ends the load test
before any load.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.model import LoadTestInfo

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch
    from pytest_k6api.outputs import Output, OutputStatus

Attempt = Callable[[str, str, Callable[[], object]], bool]


@dataclass(frozen=True, slots=True)
class _Added:
    output: "Output"
    plugin: str
    # The text behind --k6-out; empty for an output that a plugin adds.
    requested: str = ""

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

    def request(self, text: str, output: "Output") -> None:
        """Add `output`, which ``--k6-out`` asks for as `text`."""
        self._added.append(_Added(output, f"of --k6-out {text}", text))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start them, let them be fed, and stop them, the last first.

        Raises:
            pytest.fail.Exception: A requested output cannot be started.
        """
        with ExitStack() as stack:
            for added in self._added:
                if self._start(added):
                    stack.callback(self._try, added, "stop", added.output.stop)
                    self._fed.append(added)
            # Called first, so that all of them spend their time for the last samples together.
            stack.callback(self._end_queues)
            yield

    def add(self, batch: "SampleBatch") -> None:
        """Give `batch` to the outputs that have not failed."""
        self._fed = [
            added
            for added in self._fed
            if self._try(added, "add", partial(added.output.add, batch))
        ]

    def lines(self) -> list[str]:
        """Return the summary's lines about requested outputs, once they are stopped."""
        from pytest_k6api.outputs import QueuedOutput

        lines = [
            _line(added.requested, added.output.status())
            for added in self._added
            if added.requested and isinstance(added.output, QueuedOutput)
        ]
        return ["OUTPUTS", *lines] if lines else []

    def _start(self, added: _Added) -> bool:
        from pytest_k6api.outputs import OutputError

        if not added.requested:
            return self._try(added, "start", added.output.start)
        problem = ""
        try:
            added.output.start()
        except OutputError as error:
            problem = str(error)
        except OSError as error:
            file = f"{error.filename}: " if error.filename else ""
            problem = f"{file}{error.strerror or error}"
        # Not where it was caught: pytest would show the exception as the cause.
        if problem:
            pytest.fail(f"--k6-out {added.requested}: {problem}", pytrace=False)
        return True

    def _end_queues(self) -> None:
        from pytest_k6api.outputs import QueuedOutput

        for added in self._fed:
            if isinstance(added.output, QueuedOutput):
                added.output.end()

    def _collect(self, plugin: str, ask: "Callable[[], Iterable[Iterable[Output]]]") -> None:
        for outputs in ask():
            self._added += [_Added(output, plugin) for output in outputs]

    def _try(self, added: _Added, method: str, call: Callable[[], object]) -> bool:
        return self._attempt(added.plugin, added.where(method), call)


def _line(requested: str, status: "OutputStatus") -> str:
    facts = [f"{status.written:,} samples written"]
    if status.dropped:
        facts.append(f"{status.dropped:,} dropped")
    if status.retries:
        facts.append(f"{status.retries:,} retries" if status.retries > 1 else "1 retry")
    line = f"{requested}: {', '.join(facts)}"
    # Such lines stand in the shortest summary, too.
    return f"! output {line}: {status.error}" if status.error else f"  {line}"
