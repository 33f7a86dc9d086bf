"""The virtual users that one scenario has now, each a task; how they come and go.

A worker is one activation of a VU. It has one cancel scope, entered once: hard
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
from pytest_k6api.scheduling.executors.base import ActiveVU, ScenarioCounts, Surroundings
from pytest_k6api.vu.back_off import BackOff
from pytest_k6api.vu.timing import Bell

# Fixtures of a VU may log out and clean up; k6 gives teardown() as much.
_CLOSING_TIME = 60.0


class Worker:
    """One activation of a VU.

    Attributes:
        index: Its place in the crew, from 1.
        number: The VU's number; None until it has one.
        vu: The virtual user; None until its task runs.
        runs_in: Its task; None until that runs.
        spare: Whether the plan did not foresee it.
        is_retiring: Whether it starts no more iterations.
        is_busy: Whether it runs an iteration.
        is_cut: Whether its iteration was interrupted: what it records counts no more.
        ends_at: Scenario time at which a retiring worker is cut; else infinity.
    """

    __slots__ = (
        "due",
        "ends_at",
        "index",
        "is_busy",
        "is_cut",
        "is_retiring",
        "number",
        "runs_in",
        "scope",
        "spare",
        "task",
        "vu",
    )

    def __init__(self, index: int, *, spare: bool) -> None:
        self.index = index
        self.spare = spare
        self.scope = trio.CancelScope()
        self.number: int | None = None
        self.vu: ActiveVU | None = None
        self.runs_in: trio.lowlevel.Task | None = None
        self.is_busy = self.is_retiring = self.is_cut = False
        self.ends_at = math.inf
        # For arrivals: when the iteration handed to it was due (scenario time), and
        # the task to wake for it.
        self.due: float | None = None
        self.task: trio.lowlevel.Task | None = None

    def cut(self) -> None:
        """Send it away at once; what an iteration that runs records later does not count."""
        self.is_retiring = True
        if self.is_busy and self.vu is not None:
            self.is_cut = True
            self.vu.cut()
        self.scope.cancel()

    def __repr__(self) -> str:
        state = "retiring" if self.is_retiring else "working"
        return f"<Worker {self.index} {state}>"


class Crew:
    """All workers of one scenario.

    Attributes:
        workers: Those that work or retire, by index.
        busy: How many iterations run now.
        counts: Counts of the scenario.
        is_held: Whether no worker may start an iteration, because the clock stands still.
    """

    def __init__(
        self,
        options: ScenarioOptions,
        around: Surroundings,
        bell: Bell,
        work: Callable[[Worker, ActiveVU], Awaitable[None]],
    ) -> None:
        self.workers: dict[int, Worker] = {}
        self.busy = 0
        self.counts = ScenarioCounts()
        self.is_held = False
        self._options = options
        self._around = around
        self._bell = bell
        self._work = work
        self._nursery: trio.Nursery | None = None
        # When retiring workers are to be cut. An entry holds as long as its worker
        # has the same time in `ends_at`: nothing is searched for when plans change.
        self._ends: list[tuple[float, int, Worker]] = []
        self._order = count()
        self._held = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    def open(self, nursery: trio.Nursery) -> None:
        """Let workers come: their tasks run in `nursery`."""
        self._nursery = nursery

    def hire(self, index: int, *, spare: bool) -> Worker:
        """Activate a VU as worker `index`; `spare` if the plan did not foresee it."""
        assert self._nursery is not None
        worker = self.workers[index] = Worker(index, spare=spare)
        worker.number = self._around.pool.take_nowait(spare=spare)
        self._nursery.start_soon(self._live, worker)
        return worker

    def retire(self, worker: Worker, ends_at: float) -> None:
        """Let `worker` finish its iteration until `ends_at`, or sooner if that was said before."""
        worker.is_retiring = True
        if ends_at < worker.ends_at:
            worker.ends_at = ends_at
            heappush(self._ends, (ends_at, next(self._order), worker))

    def keep(self, worker: Worker) -> None:
        """Let a retiring `worker` go on working."""
        worker.is_retiring = False
        worker.ends_at = math.inf

    def cut_overdue(self, now: float) -> None:
        """Cut the workers whose time to finish is over."""
        while self.next_cut <= now:
            _, _, worker = heappop(self._ends)
            self._cut(worker)

    def cut_all(self) -> None:
        """Cut all workers."""
        for worker in list(self.workers.values()):
            self._cut(worker)

    @property
    def next_cut(self) -> float:
        """Scenario time at which the next retiring worker is to be cut; infinity if none is."""
        while self._ends and self._ends[0][0] != self._ends[0][2].ends_at:
            heappop(self._ends)  # it left, was kept, or was told to end sooner
        return self._ends[0][0] if self._ends else math.inf

    @property
    def present(self) -> int:
        """How many workers there are; of those that a pause holds, the ones still busy."""
        return self.busy if self.is_held else len(self.workers)

    async def hold(self, worker: Worker) -> None:
        """Keep `worker` from its next iteration for as long as the clock stands still."""
        while self.is_held and not worker.is_retiring:
            await self._held.park()

    async def back_off(self, worker: Worker, series: BackOff | None) -> BackOff:
        """Wait after an iteration of `worker` that failed, if its iterations fail at once.

        Args:
            worker: Whose iteration failed; it does not wait once it is to leave.
            series: What `back_off` returned after the iteration before; None if that
                one succeeded.
        """
        now = trio.current_time()
        if series is None:
            return BackOff(now, process_time())
        pause = series.next_pause(now, process_time())
        if pause:
            with trio.move_on_after(pause):
                while not worker.is_retiring:
                    await self._held.park()
            ended = trio.current_time()
            self.counts.backed_off += 1
            self.counts.backed_off_for += ended - now
            series.resume(ended, process_time())
        return series

    def release(self) -> None:
        """Let those who are held, or wait for idleness, look whether they still have to."""
        self._held.unpark_all()
        self._idle.unpark_all()

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs, or until they are free to begin again."""
        await trio.lowlevel.checkpoint()
        while self.busy and self.is_held:
            await self._idle.park()

    def count_begun(self, worker: Worker) -> None:
        """Count an iteration that `worker` begins, or that is handed to it."""
        worker.is_busy = True
        self.busy += 1

    def count_ended(self, worker: Worker) -> None:
        """Count an iteration of `worker` that ran to its end."""
        worker.is_busy = False
        self.busy -= 1
        if worker.is_cut:  # in the very moment in which it ended by itself
            self.counts.interrupted += 1
        else:
            self.counts.completed += 1
        if not self.busy:
            self._idle.unpark_all()

    def count_interrupted(self, worker: Worker) -> None:
        """Count an iteration of `worker` that was cut off."""
        worker.is_busy = False
        self.busy -= 1
        self.counts.interrupted += 1

    async def _live(self, worker: Worker) -> None:
        around = self._around
        worker.runs_in = trio.lowlevel.current_task()
        try:
            with worker.scope:
                if worker.number is None:
                    worker.number = await around.pool.take()
                worker.vu = around.make_vu(self._options, worker.number)
                await self._work(worker, worker.vu)
        finally:
            around.stuck.has_ended(worker.runs_in)
            await self._leave(worker)

    async def _leave(self, worker: Worker) -> None:
        self._remove(worker)
        if worker.due is not None:  # handed to it, but it was cut before it could begin
            self.count_interrupted(worker)
        self._idle.unpark_all()
        if worker.vu is not None:
            stuck, task = self._around.stuck, trio.lowlevel.current_task()
            stuck.expect_end(task, partial(self._abandon_closing, worker.vu), _CLOSING_TIME)
            with trio.move_on_after(_CLOSING_TIME, shield=True):
                self.counts.failed_teardowns += await worker.vu.close()
            stuck.has_ended(task)
        self._around.pool.give_back(worker.number, spare=worker.spare)

    def _cut(self, worker: Worker) -> None:
        # Gone from the crew at once: nobody may keep it, and another may have its index.
        self._remove(worker)
        worker.cut()
        if worker.runs_in is not None:
            self._around.stuck.expect_end(worker.runs_in, partial(self._abandon, worker))

    def _abandon(self, worker: Worker, line: str) -> None:
        # Its task will not come to its own end.
        assert self._nursery is not None
        if worker.vu is not None:
            worker.vu.abandon(line)
        if worker.is_busy:
            self.count_interrupted(worker)
        self._nursery.start_soon(self._leave, worker)

    def _abandon_closing(self, vu: ActiveVU, line: str) -> None:
        vu.abandon(line)
        self.counts.failed_teardowns += 1

    def _remove(self, worker: Worker) -> None:
        worker.ends_at = math.inf
        if self.workers.get(worker.index) is worker:
            del self.workers[worker.index]
        self._bell.ring()
