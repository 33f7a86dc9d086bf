"""Groups: the steps of an iteration, and where among them a virtual user stands.

Entering a group changes the tags of every later sample of the VU; leaving it
records its duration. One context manager without a generator, because a group
is entered in every iteration (``benchmarks/bench_iteration.py``).

A VU stands in one place. Tasks that an iteration starts beside each other share
it: a group that one of them enters is a tag on the samples of the others.
"""

from collections.abc import Callable
from types import TracebackType

import trio

from pytest_k6api.model import GROUP_ROWS, Recorder, TagContext


class GroupStack:
    """The open groups of one VU, outermost first.

    Attributes:
        recorder: Whose `context` follows the groups.
        now: The stopwatch, in seconds; callable from every thread.
        root: The VU's place outside of all groups.
        open: The groups that were entered and not left.
    """

    __slots__ = ("now", "open", "recorder", "root")

    def __init__(self, recorder: Recorder, now: Callable[[], float]) -> None:
        self.recorder = recorder
        self.now = now
        self.root = recorder.context
        self.open: list[Group] = []

    def move_to(self, root: TagContext) -> None:
        """Stand in the same groups of another root: one with other tags."""
        self.root = place = root
        for group in self.open:
            group.outer = place
            group.inner = place = place.enter_group(group.name)
        self.recorder.context = place


class Group:
    """One step of an iteration, used in a ``with`` statement; reusable, not reentrant.

    Its duration is recorded when it is left, also by an exception, but not when
    the iteration is interrupted.

    Source: k6 v1.1.0, ``internal/js/modules/k6/k6.go``, ``Group``.
    """

    __slots__ = ("_began", "_stack", "inner", "name", "outer")

    def __init__(self, stack: GroupStack, name: str) -> None:
        self._stack = stack
        self.name = name

    def __enter__(self) -> None:
        stack = self._stack
        recorder = stack.recorder
        self.outer = outer = recorder.context
        inner = outer.groups.get(self.name)
        recorder.context = self.inner = inner or outer.enter_group(self.name)
        stack.open.append(self)
        self._began = stack.now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        stack = self._stack
        ended = stack.now()
        if stack.open and stack.open[-1] is self:
            stack.open.pop()
        elif self in stack.open:  # groups of tasks beside each other end in any order
            stack.open.remove(self)
        recorder = stack.recorder
        recorder.context = self.outer
        if kind is None or not issubclass(kind, trio.Cancelled):
            duration_us = int((ended - self._began) * 1e6 + 0.5)
            recorder.buffer.rows[GROUP_ROWS].append((self.inner.id, duration_us))
