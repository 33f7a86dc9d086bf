"""Tasks that ignore their cancellation: given time to end, then abandoned.

Trio cancels by raising `trio.Cancelled`, and waits for every task. A retry loop with
a bare ``except: pass`` swallows it, a shielded wait does not see it, and the load
test would never end. An abandoned task ends for Trio; its code never runs again, not
even its ``finally`` blocks, and its frames stay in memory until the process ends.

    the task is                    is abandoned
    -----------------------------  -------------------------------------------------
    swallowing its cancellation    at its next checkpoint
    waiting in a shielded scope    at once
    parent of tasks like that      after them, if it still does not end
    waiting for `trio.to_thread`   when that thread returns, which Trio waits for
"""

import ctypes
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, suppress
from heapq import heapify, heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import outcome
import trio
from trio.lowlevel import Task

from pytest_k6api.vu.failures.tracebacks import format_location, is_users
from pytest_k6api.vu.timing import WakeEvent

PATIENCE = 6.0
"""Seconds that a cancelled task gets to end; longer than the thread that it may wait for gets."""

_AGAIN = 0.05
_PACKAGE = str(Path(__file__).parents[1])
_TRIO = str(Path(trio.__file__).parent)

T = TypeVar("T")


class Abandoned(NamedTuple):
    """A task or thread that did not end when it was interrupted.

    Attributes:
        scenario: Scenario of its virtual user; empty in setup and teardown.
        line: Its line, ``file:line``; empty outside of the user's code.
        is_thread: Whether it is a thread, which continues to run.
    """

    scenario: str
    line: str
    is_thread: bool = False


class StuckTasks:
    """The cancelled tasks of one load test that run the user's code.

    Attributes:
        left: Number of abandoned tasks and threads of each scenario and line.
    """

    def __init__(self) -> None:
        self.left: Counter[Abandoned] = Counter()
        self._wake = WakeEvent()
        self._due: list[tuple[float, int, Task]] = []
        self._expected: dict[Task, Callable[[str], None]] = {}
        self._order = count()
        self._is_impatient = False

    def expect_end(
        self, task: Task, on_abandoned: Callable[[str], None], patience: float | None = None
    ) -> None:
        """Abandon `task`, which was cancelled, unless it `has_ended` in `patience` seconds.

        Args:
            task: A task of this Trio run.
            on_abandoned: Called in the loop with its current line of the user's code,
                ``file:line``; empty if there is none.
            patience: Seconds; `PATIENCE` if left out.
        """
        patience = PATIENCE if patience is None else patience
        due = trio.current_time() + (0.0 if self._is_impatient else patience)
        self._expected[task] = on_abandoned
        heappush(self._due, (due, next(self._order), task))
        if self._due[0][2] is task:
            self._wake.set()

    def has_ended(self, task: Task) -> None:
        """Stop waiting for the end of `task`; does nothing for an unknown one."""
        self._expected.pop(task, None)

    def note(self, left: Abandoned) -> None:
        """Count an abandoned task or thread."""
        self.left[left] += 1

    def abandon_all(self) -> None:
        """Abandon all tasks that are expected to end, and later ones without delay."""
        self._is_impatient = True
        now = trio.current_time()
        self._due = [(now, order, task) for _, order, task in self._due]
        heapify(self._due)
        self._wake.set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Abandon tasks after their time, while the context is open."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            yield
            nursery.cancel_scope.cancel()

    async def _watch(self) -> None:
        while True:
            while self._due and self._due[0][2] not in self._expected:
                heappop(self._due)
            with trio.move_on_at(self._due[0][0] if self._due else float("inf")):
                await self._wake.wait()
            self._abandon_overdue(trio.current_time())

    def warnings(self) -> list[str]:
        """Return warnings about abandoned tasks and threads, one sentence each."""
        return [_sentence(left, times) for left, times in self.left.items()]

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Return ``await function()``, run in a task that is abandoned if it ignores cancellation."""
        results: list[outcome.Outcome[T]] = []
        ended = trio.Event()
        tasks: list[Task] = []

        async def run() -> None:
            tasks.append(trio.lowlevel.current_task())
            try:
                results.append(outcome.Value(await function()))
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - raised anew by the caller's task
                results.append(outcome.Error(error))
            finally:
                self.has_ended(tasks[0])
                ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            try:
                await ended.wait()
            except trio.Cancelled:
                if tasks and not ended.is_set():
                    self.expect_end(tasks[0], lambda line: self.note(Abandoned("", line)))
                raise
        return results[0].unwrap()

    def _abandon_overdue(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, order, task = heappop(self._due)
            if task not in self._expected:
                continue
            line = _users_line(task)
            if _abandon(task):
                self._expected.pop(task)(line)
            else:
                heappush(self._due, (now + _AGAIN, order, task))


def _abandon(task: Task) -> bool:
    """End `task` for Trio; return False if its children have to end before it."""
    children = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    for child in children:
        _abandon(child)
    if getattr(task.coro, "gi_code", None) is _NOTHING_MORE:
        return True  # abandoned already, and about to be scheduled
    if not children:
        # The garbage collector closes a coroutine, and code that swallows every exception
        # would swallow that too, perhaps for ever: never collect it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task.coro))
        task._child_nurseries.clear()
        nothing_more = _nothing_more(task.coro)
        nothing_more.send(None)
        task.coro = cast("Any", nothing_more)
    _lift_shields(task)
    return not children


def _nothing_more(left: Any) -> Generator[None, None, None]:
    # Trio resumes it instead of the task's own code, and the task ends.
    yield
    called = _called_by_user(left)
    if called is not None:
        with suppress(RuntimeError):  # it awaits something in a ``finally`` block
            called.close()


def _called_by_user(coro: Any) -> Any:
    """Return the coroutine of this package that user code awaits, such as a request; or None."""
    called, is_below_user = None, False
    while (code := getattr(coro, "cr_code", None)) is not None:
        if _is_users(code.co_filename):
            called, is_below_user = None, True
        elif is_below_user and called is None and code.co_filename.startswith(_PACKAGE):
            called = coro
        coro = coro.cr_await
    return called


_NOTHING_MORE = _nothing_more.__code__


def _lift_shields(task: Task) -> None:
    """Remove the shields between `task` and its nursery, so that a cancellation reaches it."""
    assert task.parent_nursery is not None
    outermost = task.parent_nursery.cancel_scope
    # Private: Trio has no public access to the scopes of a task.
    status: Any = task._cancel_status
    while status is not None and status._scope is not outermost:
        status._scope.shield = False
        status = status.parent


def _is_users(filename: str) -> bool:
    return is_users(filename) and not filename.startswith(_TRIO)


def _users_line(task: Task) -> str:
    lines = [
        format_location(frame.f_code.co_filename, line)
        for frame, line in task.iter_await_frames()
        if is_users(frame.f_code.co_filename) and not frame.f_code.co_filename.startswith(_TRIO)
    ]
    return lines[-1] if lines else ""


def _sentence(left: Abandoned, times: int) -> str:
    what = "thread" if left.is_thread else "task"
    one = times == 1
    owner = f"of {left.scenario}" if left.scenario else "of setup or teardown"
    where = f" at {left.line}" if left.line else ""
    late = (
        f"{times:,} {what if one else f'{what}s'} {owner} did not end when"
        f" {'it was' if one else 'they were'} interrupted"
    )
    if left.is_thread:
        return (
            f"{late}; {'it is' if one else 'they are'} left running{where}, and"
            f" {'its' if one else 'their'} vu.http sends nothing more"
        )
    return (
        f"{late}, and {'was' if one else 'were'} abandoned{where}; a bare except: catches the"
        " interruption too, so write except Exception:"
    )
