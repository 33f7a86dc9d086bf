"""Steps of an iteration: groups, checks, measured blocks, and the tags of a virtual user.

Each is a context manager without a generator: a group is entered in every iteration,
a measured block may stand around every query (``benchmarks/bench_iteration.py``).

A VU has one current tag context. Concurrent tasks of an iteration share it: a
group that one of them enters is a tag on the samples of the others.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import CodeType, TracebackType

import trio

from pytest_k6api.model import CHECK_ROWS, GROUP_ROWS, Recorder, TagContext
from pytest_k6api.model.metrics import MEASURED_DURATION, MEASURED_FAILED
from pytest_k6api.vu.context import ExceptionRules, Ruling
from pytest_k6api.vu.failures.failure import Witness
from pytest_k6api.vu.failures.failure_log import FailureLog

_TAKEN = {"group": "enter it with vu.group(name)", "check": "it is the name of each check"}


class GroupStack:
    """The open groups of one VU, outermost first.

    Attributes:
        recorder: Its `context` is the tag context of the innermost group.
        now: The stopwatch, in seconds; callable from every thread.
        root: The tag context outside of all groups.
        open: The groups that were entered and not left.
    """

    __slots__ = ("now", "open", "recorder", "root")

    def __init__(self, recorder: Recorder, now: Callable[[], float]) -> None:
        self.recorder = recorder
        self.now = now
        self.root = recorder.context
        self.open: list[Group] = []

    def move_to(self, root: TagContext) -> None:
        """Replace the root by one with other tags, with the same groups open."""
        self.root = context = root
        for group in self.open:
            group.outer = context
            group.inner = context = context.enter_group(group.name)
        self.recorder.context = context


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
        elif self in stack.open:  # groups of concurrent tasks end in any order
            stack.open.remove(self)
        recorder = stack.recorder
        recorder.context = self.outer
        if kind is None or not issubclass(kind, trio.Cancelled):
            duration_us = int((ended - self._began) * 1e6 + 0.5)
            recorder.buffer.rows[GROUP_ROWS].append((self.inner.id, duration_us))


class VUTags(MutableMapping[str, str]):
    """Tags of one VU over those of its scenario; a change applies from the next sample on.

    They stay until they are changed or the VU ends. Values are converted to strings.

    Source: k6 v1.1.0, ``internal/js/modules/k6/execution/execution.go``, ``tagsDynamicObject``.
    """

    __slots__ = ("_groups", "_scenario_tags", "_tags")

    def __init__(self, groups: GroupStack) -> None:
        self._groups = groups
        self._scenario_tags: TagContext = groups.root
        self._tags: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self._tags[key]

    def __setitem__(self, key: str, value: object) -> None:
        if key in _TAKEN:
            raise KeyError(f"vu.tags cannot hold the tag {key!r}: {_TAKEN[key]}")
        if not isinstance(key, str):
            raise TypeError(f"a name in vu.tags must be a string, got {key!r}")
        text = str(value)
        if self._tags.get(key) != text:
            self._tags[key] = text
            self._move()

    def __delitem__(self, key: str) -> None:
        del self._tags[key]
        self._move()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags)

    def __len__(self) -> int:
        return len(self._tags)

    def __repr__(self) -> str:
        return f"VUTags({self._tags!r})"

    def _move(self) -> None:
        self._groups.move_to(self._scenario_tags.with_tags(self._tags))


class CheckedBlock:
    """A check of one block: it passes if the block raises nothing.

    An exception is counted and kept for the report, but not passed on, except for
    interruptions and skips.
    """

    __slots__ = ("_failures", "_name", "_recorder", "_rules", "_witness")

    def __init__(
        self,
        name: str,
        *,
        witness: Witness,
        recorder: Recorder,
        failures: FailureLog,
        rules: ExceptionRules,
    ) -> None:
        self._name = name
        self._witness = witness
        self._recorder = recorder
        self._failures = failures
        self._rules = rules

    def __enter__(self) -> None:
        """Do nothing: a check has no duration."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if error is None:
            record_check(self._recorder, self._name, passed=True)
            return False
        if self._rules.judge(error) is not Ruling.FAILED:
            return False
        record_check(self._recorder, self._name, passed=False)
        self._failures.add_check(self._name, self._witness, error=error)
        return True


def record_check(recorder: Recorder, name: str, *, passed: bool) -> None:
    """Record the result of the check `name` in the current tag context of its VU."""
    tags_id = recorder.context.check_id(name)
    recorder.buffer.rows[CHECK_ROWS].append((tags_id, 1.0 if passed else 0.0))


def calling_line(depth: int) -> tuple[CodeType, int]:
    """Return the code and line of the frame that is `depth` calls above the caller."""
    frame = sys._getframe(depth)
    return frame.f_code, frame.f_lineno


class MeasuredBlock:
    """One block, used in a ``with`` statement; reusable, not reentrant.

    Its duration and whether it failed are recorded at its end, also after an
    exception, which is passed on. An interruption or a skip records nothing: its
    duration would be meaningless.
    """

    __slots__ = ("_began", "_name", "_rules", "_stack", "_tags")

    def __init__(
        self,
        name: str,
        tags: Mapping[str, object] | None,
        *,
        stack: GroupStack,
        rules: ExceptionRules,
    ) -> None:
        self._name = name
        self._tags = tags
        self._stack = stack
        self._rules = rules

    def __enter__(self) -> None:
        self._began = self._stack.now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        ended = self._stack.now()
        if error is not None and self._rules.judge(error) is not Ruling.FAILED:
            return
        recorder = self._stack.recorder
        tags_id = self._tags_id(recorder.context)
        duration_us = int((ended - self._began) * 1e6 + 0.5)
        recorder.buffer.samples += (
            (MEASURED_DURATION, tags_id, duration_us),
            (MEASURED_FAILED, tags_id, 0.0 if error is None else 1.0),
        )

    def _tags_id(self, context: TagContext) -> int:
        if self._tags:
            more = {str(key): str(value) for key, value in self._tags.items()}
            return context.id_with({**more, "name": self._name})
        # Keys of the HTTP client in this dictionary are longer.
        key = ("measured", self._name)
        number = context.requests.get(key)
        if number is None:
            number = context.requests[key] = context.id_with({"name": self._name})
        return number
