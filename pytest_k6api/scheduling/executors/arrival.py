"""Executors that start iterations at their due times: k6's two arrival rates.

A due iteration is handed to a free VU, a parked task that is rescheduled directly:
no queue, no event, no cancel scope per iteration. If no VU is free, the iteration is
dropped, never delayed, and another VU is started for later ones, within the plan.
How late an iteration began is recorded by its VU (``vu/runner.py``).
"""

import logging
import math
from collections import deque
from dataclasses import replace

import trio

from pytest_k6api.model import (
    Command,
    ControlError,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioTakeover,
)
from pytest_k6api.scheduling.arrivals import ArrivalCursor, Arrivals, ConstantArrivals
from pytest_k6api.scheduling.executors.base import CONFIG_ERROR, ActiveVU, ExecutorContext
from pytest_k6api.scheduling.executors.executor_plans import ArrivalPlan
from pytest_k6api.scheduling.executors.planned_executor import PlannedExecutor
from pytest_k6api.scheduling.executors.task_pool import VUTask

# A rate beyond the machine's capacity must not block the loop.
_MOST_AT_ONCE = 1_000

# Minimum of seconds between two passes of the schedule: iterations due within them
# start together.
_GRAIN = 0.0005

_log = logging.getLogger("pytest_k6api.load")


class ArrivalExecutor(PlannedExecutor):
    """Runs an `ArrivalPlan`; the VU that has been free longest is next, as in k6."""

    def __init__(
        self, options: ScenarioOptions, plan: ArrivalPlan, context: ExecutorContext
    ) -> None:
        super().__init__(options, plan, context)
        self._plan = plan
        self._free: deque[VUTask] = deque()
        self._without_vu: set[VUTask] = set()  # waiting for a VU's number that is still in use
        self._size = 0  # tasks that are not retiring
        self._planned = 0  # those of them that are not spare
        self._last_index = 0
        self._manual_rate: float | None = None
        self._cursor = ArrivalCursor(plan.arrivals, plan.share)
        self._last_due = -math.inf
        self._has_warned = False

    @property
    def vus(self) -> int:
        """VUs that run an iteration."""
        return self._pool.busy - sum(task.is_busy for task in self._without_vu)

    @property
    def rate(self) -> float:
        """Target rate of this instance, in iterations per second."""
        rate = self._manual_rate
        if rate is None:
            rate = self._plan.arrivals.rate_at(self.clock.elapsed)
        return rate * self._plan.share.fraction

    @property
    def progress(self) -> float | None:
        """Share of the duration that has passed."""
        return self._progress_by_time()

    @property
    def overrides(self) -> dict[str, float]:
        """Values set by commands that override the plan."""
        overrides = super().overrides
        if self._manual_rate is not None:
            overrides["rate"] = self._manual_rate
        return overrides

    def check(self, command: Command) -> None:
        """Check that `apply` can carry out `command`."""
        rate = command.rate
        if rate is not None and not 0 <= rate < math.inf:
            raise ControlError(
                CONFIG_ERROR,
                f"invalid configuration supplied: the iteration rate can't be {rate}; give"
                " iterations per second, 0 or more",
            )
        super().check(command)

    def apply(self, command: Command) -> None:
        """Carry out `command`, after `check`."""
        now = self.clock.elapsed
        if "rate" in command.give_back and self._manual_rate is not None:
            self._manual_rate = None
            self._cursor = ArrivalCursor(self._plan.arrivals, self._plan.share, after=now)
        if command.rate is not None:
            self._manual_rate = command.rate
            self._cursor = ArrivalCursor(self._arrivals_at(command.rate, now), self._plan.share)
        super().apply(command)

    def report(self) -> ScenarioProgress:
        """Return how far it has come, for a successor."""
        progress = super().report()
        # Some were retired: a successor counts its VUs anew.
        vus = tuple(vu._replace(task=index) for index, vu in enumerate(progress.vus, 1))
        return replace(progress, vus=vus, next_due=self._cursor.due)

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Go on, when it runs, with what another instance was lost with."""
        super().take_over(takeover, progress)
        self._manual_rate = takeover.rate
        due = progress.next_due
        if takeover.goes_on:
            self.counts.interrupted += progress.busy
        if takeover.rate is not None:
            arrivals: Arrivals = ConstantArrivals(takeover.rate, self._ends_at, due)
            self._cursor = ArrivalCursor(arrivals, self._plan.share)
        elif takeover.goes_on:
            before = math.nextafter(due, -math.inf) if due < math.inf else self._ends_at
            self._cursor = ArrivalCursor(self._plan.arrivals, self._plan.share, after=before)

    async def _work(self, task: VUTask, vu: ActiveVU) -> None:
        pool, ticks = self._pool, self._context.ticks
        least = self.options.min_iteration_duration
        self._without_vu.discard(task)
        while not task.is_retiring or task.due is not None:
            if task.due is None:
                await _park(task)
                continue
            due, task.due = task.due, None
            tick, began = ticks.count, trio.current_time() if least else 0.0
            try:
                await vu.run_iteration(due)
            except trio.Cancelled:
                pool.count_interrupted(task)
                raise
            pool.count_ended(task)
            if least:
                await trio.sleep_until(began + least)
            elif tick == ticks.count:
                await trio.lowlevel.checkpoint()
            if not task.is_retiring:
                self._free.append(task)

    def _begin(self) -> None:
        self._adjust()
        if self._manual_vus is None:
            for _ in range(min(len(self._pool.former), self.vus_max - self._size)):
                self._start_task()
        super()._begin()
        if self._taken_over is not None:
            self._miss(self._taken_over.lost_at, self.clock.elapsed)

    def _miss(self, lost_at: float, now: float) -> None:
        """Account for the iterations that fell due up to `now`: begun until `lost_at`, not later."""
        cursor, begun, dropped = self._cursor, 0, 0
        while cursor.due <= now:
            self._last_due = cursor.due
            begun += cursor.due <= lost_at
            dropped += cursor.due > lost_at
            cursor.advance()
        self.counts.interrupted += begun
        if dropped:
            self._record_dropped(dropped)

    def _act(self, now: float) -> None:
        """Start or drop the iterations due by `now`, at most `_MOST_AT_ONCE`."""
        if self.clock.is_standing:
            return
        offset = self.clock.trio_time(0.0)
        cursor, dropped = self._cursor, 0
        for _ in range(_MOST_AT_ONCE):
            if cursor.due > now:
                break
            due = self._last_due = cursor.due
            cursor.advance()
            if not self._hand_out(due + offset):
                dropped += 1
                self._grow(due)
        if dropped:
            self._record_dropped(dropped)

    def _adjust(self) -> None:
        """Have as many VUs as a command has set, or else as the plan allows."""
        if self._manual_vus is not None:
            least = most = self._scale(self._manual_vus)
        else:
            least, most = self._plan.vus, self._scale(self._vus_max)
        for _ in range(least - self._size):
            self._start_task()
        for task in [*self._free, *self._pool.tasks.values()]:
            if self._size <= most:
                break
            self._retire(task, self.clock.elapsed + self._plan.graceful_ramp_down)

    def _next_moment(self, now: float) -> float:
        return max(self._cursor.due, now + _GRAIN)

    def _planned_vus(self) -> int:
        return self._size

    def _wind_down(self, *, was_told: bool) -> None:
        now = min(self.clock.elapsed, self._ends_at)
        if not was_told:
            # Iterations that fell due before the end while the loop was busy.
            while self._free and self._cursor.due <= now:
                self._act(now)
            if left := self._cursor.take_rest():
                self._record_dropped(left)
        for task in list(self._pool.tasks.values()):
            self._retire(task, now + self._plan.graceful_stop)
        super()._wind_down(was_told=was_told)

    def _end(self, *, was_told: bool) -> None:
        """Do nothing: iterations that did not start were dropped at their due times."""

    def _arrivals_at(self, rate: float, now: float) -> ConstantArrivals:
        # As if the last one had been due at this rate: a lower rate lengthens the wait
        # for the next, a higher one does not start two at once.
        start = max(now, self._last_due + 1 / rate) if rate else now
        return ConstantArrivals(rate, self._ends_at, start)

    def _hand_out(self, due: float) -> bool:
        """Hand the iteration due at the Trio time `due` to a free VU; return whether there is one."""
        while self._free:
            task = self._free.popleft()
            if task.is_retiring:
                continue
            task.due = due
            self._pool.count_begun(task)
            _wake(task)
            return True
        return False

    def _grow(self, due: float) -> None:
        """Start another VU, because none was free for the iteration due at `due`."""
        if self._manual_vus is not None:
            return
        if self._size < self.vus_max:
            # Not for the first: k6's initialiser does not listen that early.
            if due > 0:
                self._start_task()
        elif not self._has_warned:
            self._has_warned = True
            _log.warning(
                "%s: Insufficient VUs, reached %d active VUs and cannot initialize more",
                self.options.name,
                self._size,
            )

    def _start_task(self) -> None:
        spare = self._planned >= self._plan.vus
        self._planned += not spare
        self._size += 1
        self._last_index += 1
        task = self._pool.start(self._last_index, spare=spare)
        if task.number is None:
            self._without_vu.add(task)
        self._free.append(task)

    def _retire(self, task: VUTask, ends_at: float) -> None:
        if not task.is_retiring:
            self._size -= 1
            self._planned -= not task.spare
            self._pool.retire(task, ends_at)
            _wake(task)


async def _park(task: VUTask) -> None:
    """Wait to be woken by `_wake`."""

    def abort(_: object) -> trio.lowlevel.Abort:
        task.parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    task.parked = trio.lowlevel.current_task()
    await trio.lowlevel.wait_task_rescheduled(abort)


def _wake(task: VUTask) -> None:
    if task.parked is not None:
        parked, task.parked = task.parked, None
        trio.lowlevel.reschedule(parked)
