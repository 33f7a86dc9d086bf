"""The VU tasks of one scenario: start, reuse, retire, cancel.

A VU task is one activation of a VU. It enters one cancel scope once, for hard stops;
iterations need none of their own (a scope per iteration would cost a third of the
load that one core generates).

    state      meaning                                  left by
    ---------  ---------------------------------------  ----------------------------------
    working    runs iterations, or waits for the next   retire, cancel, end of its work
    retiring   ends its iteration, starts no other      reuse, cancel, end of the iteration
    closing    its VU is being closed                   end of that, or the deadline

A cancelled task that does not end is abandoned (see `stuck_tasks`).
"""

import math
from collections.abc import Awaitable, Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import process_time

import trio

from pytest_k6api.model import FormerVU, ScenarioOptions
from pytest_k6api.scheduling.executors.back_off import BackOff
from pytest_k6api.scheduling.executors.base import ActiveVU, ExecutorContext, ScenarioCounts
from pytest_k6api.vu import WakeEvent

# For the fixtures of a VU, which may log out and clean up; k6's limit of teardown().
_CLOSING_TIME = 60.0


class VUTask:
    """One activation of a VU.

    Attributes:
        index: Its index in the pool, from 1.
        number: The VU's number; None until it has one.
        vu: The virtual user; None until the Trio task runs.
        trio_task: Its Trio task; None until that runs.
        spare: Whether its VU is not a planned one.
        is_retiring: Whether it starts no more iterations.
        is_busy: Whether it runs an iteration.
        is_cancelled: Whether its iteration was interrupted; its records are dropped.
        ends_at: Scenario time at which a retiring task is cancelled; else infinity.
        due: Of an arrival rate: Trio time of the iteration handed to it; else None.
        parked: Of an arrival rate: its Trio task while it waits for an iteration.
        former: The VU of another instance that its VU goes on for; None for none.
    """

    __slots__ = (
        "due",
        "ends_at",
        "former",
        "index",
        "is_busy",
        "is_cancelled",
        "is_retiring",
        "number",
        "parked",
        "scope",
        "spare",
        "trio_task",
        "vu",
    )

    def __init__(self, index: int, *, spare: bool, former: FormerVU | None = None) -> None:
        self.index = index
        self.former = former
        self.spare = spare
        self.scope = trio.CancelScope()
        self.number: int | None = None
        self.vu: ActiveVU | None = None
        self.trio_task: trio.lowlevel.Task | None = None
        self.is_busy = self.is_retiring = self.is_cancelled = False
        self.ends_at = math.inf
        self.due: float | None = None
        self.parked: trio.lowlevel.Task | None = None

    @property
    def iterations(self) -> int:
        """How many iterations its VU has ended, those of a former one included."""
        begun = self.vu.iteration + 1 if self.vu is not None else 0
        return begun - (self.is_busy and self.due is None)

    def cancel(self) -> None:
        """Cancel it; later records of a running iteration are dropped."""
        self.is_retiring = True
        if self.is_busy and self.vu is not None:
            self.is_cancelled = True
            self.vu.interrupt()
        self.scope.cancel()

    def __repr__(self) -> str:
        state = "retiring" if self.is_retiring else "working"
        return f"<VUTask {self.index} {state}>"


class TaskPool:
    """All VU tasks of one scenario.

    Attributes:
        tasks: Working and retiring tasks, by index.
        busy: Number of running iterations.
        counts: Counts of the scenario.
        is_held: Whether no task may start an iteration, because the clock stands still.
    """

    def __init__(
        self,
        options: ScenarioOptions,
        context: ExecutorContext,
        wake: WakeEvent,
        work: Callable[[VUTask, ActiveVU], Awaitable[None]],
    ) -> None:
        self.tasks: dict[int, VUTask] = {}
        self.busy = 0
        self.counts = ScenarioCounts()
        self.is_held = False
        # Those of another instance, by their index, as long as nobody goes on for them.
        self.former: dict[int, FormerVU] = {}
        self._options = options
        self._context = context
        self._wake = wake
        self._work = work
        self._nursery: trio.Nursery | None = None
        # Deadlines of retiring tasks. An entry is valid while its task has the same time
        # in `ends_at`, so a change of the plan searches for nothing.
        self._ends: list[tuple[float, int, VUTask]] = []
        self._order = count()
        self._held = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    def open(self, nursery: trio.Nursery) -> None:
        """Allow tasks, which run in `nursery`."""
        self._nursery = nursery

    def start(self, index: int, *, spare: bool) -> VUTask:
        """Activate a VU as task `index`; `spare` if it is not a planned one."""
        assert self._nursery is not None
        former = self.former.pop(index, None)
        task = self.tasks[index] = VUTask(index, spare=spare, former=former)
        wanted = former.number if former else None
        task.number = self._context.vu_pool.take_nowait(spare=spare, wanted=wanted)
        self._nursery.start_soon(self._run, task)
        return task

    def retire(self, task: VUTask, ends_at: float) -> None:
        """Let `task` finish its iteration by `ends_at`, or by an earlier deadline that it has."""
        task.is_retiring = True
        if ends_at < task.ends_at:
            task.ends_at = ends_at
            heappush(self._ends, (ends_at, next(self._order), task))

    def reuse(self, task: VUTask) -> None:
        """Let a retiring `task` continue to work."""
        task.is_retiring = False
        task.ends_at = math.inf

    def cancel_overdue(self, now: float) -> None:
        """Cancel the tasks whose deadline has passed."""
        while self.next_deadline <= now:
            _, _, task = heappop(self._ends)
            self._cancel(task)

    def cancel_all(self) -> None:
        """Cancel all tasks."""
        for task in list(self.tasks.values()):
            self._cancel(task)

    @property
    def next_deadline(self) -> float:
        """Scenario time of the next deadline of a retiring task; infinity if there is none."""
        while self._ends and self._ends[0][0] != self._ends[0][2].ends_at:
            heappop(self._ends)  # it ended, is reused, or has an earlier deadline
        return self._ends[0][0] if self._ends else math.inf

    @property
    def present(self) -> int:
        """Number of tasks; during a pause, of those that still run an iteration."""
        return self.busy if self.is_held else len(self.tasks)

    async def hold(self, task: VUTask) -> None:
        """Wait while the clock stands still, unless `task` retires."""
        while self.is_held and not task.is_retiring:
            await self._held.park()

    async def back_off(self, task: VUTask, series: BackOff | None) -> BackOff:
        """Wait after an iteration of `task` that failed, if its iterations fail at once.

        Args:
            task: The task of that iteration; the wait ends when it retires.
            series: The result of `back_off` after the iteration before; None if that
                one succeeded.
        """
        now = trio.current_time()
        if series is None:
            return BackOff(now, process_time())
        pause = series.next_pause(now, process_time())
        if pause:
            with trio.move_on_after(pause):
                while not task.is_retiring:
                    await self._held.park()
            ended = trio.current_time()
            self.counts.backed_off += 1
            self.counts.backed_off_for += ended - now
            series.resume(ended, process_time())
        return series

    def recheck(self) -> None:
        """Wake held tasks and waits for idleness, which check their condition again."""
        self._held.unpark_all()
        self._idle.unpark_all()

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs, or until iterations may start again."""
        await trio.lowlevel.checkpoint()
        while self.busy and self.is_held:
            await self._idle.park()

    def count_begun(self, task: VUTask) -> None:
        """Count an iteration that `task` starts, or that is handed to it."""
        task.is_busy = True
        self.busy += 1

    def count_ended(self, task: VUTask) -> None:
        """Count an iteration of `task` that ran to its end."""
        task.is_busy = False
        self.busy -= 1
        if task.is_cancelled:  # at the very moment of its end
            self.counts.interrupted += 1
        else:
            self.counts.completed += 1
        if not self.busy:
            self._idle.unpark_all()

    def count_interrupted(self, task: VUTask) -> None:
        """Count an iteration of `task` that was interrupted."""
        task.is_busy = False
        self.busy -= 1
        self.counts.interrupted += 1

    async def _run(self, task: VUTask) -> None:
        context = self._context
        task.trio_task = trio.lowlevel.current_task()
        try:
            with task.scope:
                if task.number is None:
                    task.number = await context.vu_pool.take()
                task.vu = context.make_vu(self._options, task.number)
                if task.former is not None:
                    task.vu.go_on(task.former.iterations)
                await self._work(task, task.vu)
        finally:
            context.stuck.has_ended(task.trio_task)
            await self._close(task)

    async def _close(self, task: VUTask) -> None:
        self._remove(task)
        if task.due is not None:  # handed to it, but cancelled before its start
            self.count_interrupted(task)
        self._idle.unpark_all()
        if task.vu is not None:
            stuck, trio_task = self._context.stuck, trio.lowlevel.current_task()
            stuck.expect_end(trio_task, partial(self._abandon_closing, task.vu), _CLOSING_TIME)
            with trio.move_on_after(_CLOSING_TIME, shield=True):
                self.counts.failed_teardowns += await task.vu.close()
            stuck.has_ended(trio_task)
        self._context.vu_pool.give_back(task.number, spare=task.spare)

    def _cancel(self, task: VUTask) -> None:
        # Removed at once: it is not reused, and another task may take its index.
        self._remove(task)
        task.cancel()
        if task.trio_task is not None:
            self._context.stuck.expect_end(task.trio_task, partial(self._abandon, task))

    def _abandon(self, task: VUTask, line: str) -> None:
        assert self._nursery is not None
        if task.vu is not None:
            task.vu.abandon(line)
        if task.is_busy:
            self.count_interrupted(task)
        self._nursery.start_soon(self._close, task)

    def _abandon_closing(self, vu: ActiveVU, line: str) -> None:
        vu.abandon(line)
        self.counts.failed_teardowns += 1

    def _remove(self, task: VUTask) -> None:
        task.ends_at = math.inf
        if self.tasks.get(task.index) is task:
            del self.tasks[task.index]
        self._wake.set()
