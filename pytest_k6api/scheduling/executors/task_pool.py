"""The virtual users that one scenario has now, each a task; how they come and go.

A task is one activation of a VU. It has one cancel scope, entered once: hard
stops go through it, and iterations need none of their own (a scope per
iteration would cost a third of the load that one core makes).

    state      means                                    leaves it by
    ---------  ---------------------------------------  --------------------------------
    working    runs iterations, or waits for the next   retire, its work's end, cut
    retiring   ends its iteration, starts no other      keep, its iteration's end, cut
    leaving    its VU is being closed                   the end of that, or the deadline

One that was cut and does not leave is abandoned (see `stuck_tasks`).
"""

import math
from collections.abc import Awaitable, Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import process_time

import trio

from pytest_k6api.model import ScenarioOptions
from pytest_k6api.scheduling.executors.back_off import BackOff
from pytest_k6api.scheduling.executors.base import ActiveVU, ExecutorContext, ScenarioCounts
from pytest_k6api.vu import WakeEvent

# Fixtures of a VU may log out and clean up; k6 gives teardown() as much.
_CLOSING_TIME = 60.0


class VUTask:
    """One activation of a VU.

    Attributes:
        index: Its place in the pool, from 1.
        number: The VU's number; None until it has one.
        vu: The virtual user; None until its task runs.
        trio_task: Its task; None until that runs.
        spare: Whether the plan did not foresee it.
        is_retiring: Whether it starts no more iterations.
        is_busy: Whether it runs an iteration.
        is_cancelled: Whether its iteration was interrupted: what it records counts no more.
        ends_at: Scenario time at which a retiring task is cut; else infinity.
    """

    __slots__ = (
        "due",
        "ends_at",
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

    def __init__(self, index: int, *, spare: bool) -> None:
        self.index = index
        self.spare = spare
        self.scope = trio.CancelScope()
        self.number: int | None = None
        self.vu: ActiveVU | None = None
        self.trio_task: trio.lowlevel.Task | None = None
        self.is_busy = self.is_retiring = self.is_cancelled = False
        self.ends_at = math.inf
        # For arrivals: when the iteration handed to it was due (scenario time), and
        # the task to wake for it.
        self.due: float | None = None
        self.parked: trio.lowlevel.Task | None = None

    def cancel(self) -> None:
        """Send it away at once; what an iteration that runs records later does not count."""
        self.is_retiring = True
        if self.is_busy and self.vu is not None:
            self.is_cancelled = True
            self.vu.interrupt()
        self.scope.cancel()

    def __repr__(self) -> str:
        state = "retiring" if self.is_retiring else "working"
        return f"<VUTask {self.index} {state}>"


class TaskPool:
    """All tasks of one scenario.

    Attributes:
        tasks: Those that work or retire, by index.
        busy: How many iterations run now.
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
        self._options = options
        self._context = context
        self._wake = wake
        self._work = work
        self._nursery: trio.Nursery | None = None
        # When retiring tasks are to be cut. An entry holds as long as its task
        # has the same time in `ends_at`: nothing is searched for when plans change.
        self._ends: list[tuple[float, int, VUTask]] = []
        self._order = count()
        self._held = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    def open(self, nursery: trio.Nursery) -> None:
        """Let tasks come: their tasks run in `nursery`."""
        self._nursery = nursery

    def start(self, index: int, *, spare: bool) -> VUTask:
        """Activate a VU as task `index`; `spare` if the plan did not foresee it."""
        assert self._nursery is not None
        task = self.tasks[index] = VUTask(index, spare=spare)
        task.number = self._context.vu_pool.take_nowait(spare=spare)
        self._nursery.start_soon(self._live, task)
        return task

    def retire(self, task: VUTask, ends_at: float) -> None:
        """Let `task` finish its iteration until `ends_at`, or sooner if that was said before."""
        task.is_retiring = True
        if ends_at < task.ends_at:
            task.ends_at = ends_at
            heappush(self._ends, (ends_at, next(self._order), task))

    def reuse(self, task: VUTask) -> None:
        """Let a retiring `task` go on working."""
        task.is_retiring = False
        task.ends_at = math.inf

    def cancel_overdue(self, now: float) -> None:
        """Cut the tasks whose time to finish is over."""
        while self.next_deadline <= now:
            _, _, task = heappop(self._ends)
            self._cancel(task)

    def cancel_all(self) -> None:
        """Cut all tasks."""
        for task in list(self.tasks.values()):
            self._cancel(task)

    @property
    def next_deadline(self) -> float:
        """Scenario time at which the next retiring task is to be cut; infinity if none is."""
        while self._ends and self._ends[0][0] != self._ends[0][2].ends_at:
            heappop(self._ends)  # it left, was kept, or was told to end sooner
        return self._ends[0][0] if self._ends else math.inf

    @property
    def present(self) -> int:
        """How many tasks there are; of those that a pause holds, the ones still busy."""
        return self.busy if self.is_held else len(self.tasks)

    async def hold(self, task: VUTask) -> None:
        """Keep `task` from its next iteration for as long as the clock stands still."""
        while self.is_held and not task.is_retiring:
            await self._held.park()

    async def back_off(self, task: VUTask, series: BackOff | None) -> BackOff:
        """Wait after an iteration of `task` that failed, if its iterations fail at once.

        Args:
            task: Whose iteration failed; it does not wait once it is to leave.
            series: What `back_off` returned after the iteration before; None if that
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
        """Let those who are held, or wait for idleness, look whether they still have to."""
        self._held.unpark_all()
        self._idle.unpark_all()

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs, or until they are free to begin again."""
        await trio.lowlevel.checkpoint()
        while self.busy and self.is_held:
            await self._idle.park()

    def count_begun(self, task: VUTask) -> None:
        """Count an iteration that `task` begins, or that is handed to it."""
        task.is_busy = True
        self.busy += 1

    def count_ended(self, task: VUTask) -> None:
        """Count an iteration of `task` that ran to its end."""
        task.is_busy = False
        self.busy -= 1
        if task.is_cancelled:  # in the very moment in which it ended by itself
            self.counts.interrupted += 1
        else:
            self.counts.completed += 1
        if not self.busy:
            self._idle.unpark_all()

    def count_interrupted(self, task: VUTask) -> None:
        """Count an iteration of `task` that was cut off."""
        task.is_busy = False
        self.busy -= 1
        self.counts.interrupted += 1

    async def _live(self, task: VUTask) -> None:
        context = self._context
        task.trio_task = trio.lowlevel.current_task()
        try:
            with task.scope:
                if task.number is None:
                    task.number = await context.vu_pool.take()
                task.vu = context.make_vu(self._options, task.number)
                await self._work(task, task.vu)
        finally:
            context.stuck.has_ended(task.trio_task)
            await self._leave(task)

    async def _leave(self, task: VUTask) -> None:
        self._remove(task)
        if task.due is not None:  # handed to it, but it was cut before it could begin
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
        # Gone from the pool at once: nobody may keep it, and another may have its index.
        self._remove(task)
        task.cancel()
        if task.trio_task is not None:
            self._context.stuck.expect_end(task.trio_task, partial(self._abandon, task))

    def _abandon(self, task: VUTask, line: str) -> None:
        # Its task will not come to its own end.
        assert self._nursery is not None
        if task.vu is not None:
            task.vu.abandon(line)
        if task.is_busy:
            self.count_interrupted(task)
        self._nursery.start_soon(self._leave, task)

    def _abandon_closing(self, vu: ActiveVU, line: str) -> None:
        vu.abandon(line)
        self.counts.failed_teardowns += 1

    def _remove(self, task: VUTask) -> None:
        task.ends_at = math.inf
        if self.tasks.get(task.index) is task:
            del self.tasks[task.index]
        self._wake.set()
