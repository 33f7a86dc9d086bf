"""The base of both mechanisms: phases of a scenario, and commands to it.

One task follows the plan. It waits for the next moment (a step, an arrival, the
deadline of a retiring VU, the end) or for its wake event, does everything that is due
by now, and waits again. It never relies on the reason for which it was woken.
"""

import math
from abc import ABC, abstractmethod
from contextlib import closing

import trio

from pytest_k6api.model import (
    Command,
    FormerVU,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioTakeover,
)
from pytest_k6api.model.metrics import DROPPED_ITERATIONS
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.executors.base import (
    ActiveVU,
    ExecutorContext,
    ScenarioCounts,
    check_vus,
)
from pytest_k6api.scheduling.executors.executor_plans import ExecutorPlan
from pytest_k6api.scheduling.executors.task_pool import TaskPool, VUTask
from pytest_k6api.vu import WakeEvent


class PlannedExecutor(ABC):
    """Runs a scenario from its start to its end; subclasses follow its plan."""

    def __init__(
        self, options: ScenarioOptions, plan: ExecutorPlan, context: ExecutorContext
    ) -> None:
        self.options = options
        self.clock = RunClock(within=context.clock)
        self._context = context
        self._wake = WakeEvent()
        self._pool = TaskPool(options, context, self._wake, self._work)
        self._limits = plan
        self._ends_at = plan.ends_at
        self._vus_max = plan.vus_max
        self._manual_vus: int | None = None
        self._taken_over: ScenarioTakeover | None = None
        self._has_begun = self._is_finishing = self._has_waited = False

    @property
    def counts(self) -> ScenarioCounts:
        """Counts of its iterations so far."""
        return self._pool.counts

    @property
    def vus_max(self) -> int:
        """VUs that it may use."""
        return self._scale(self._vus_max)

    @property
    def overrides(self) -> dict[str, float]:
        """Values set by commands that override the plan."""
        return {} if self._manual_vus is None else {"vus": self._manual_vus}

    async def run(self) -> None:
        """Run the scenario from its first iteration until its last VU is closed."""
        with closing(self.clock):
            async with trio.open_nursery() as nursery:
                self._pool.open(nursery)
                was_told = await self._follow_plan()
            self._end(was_told=was_told)
            self.clock.stop()

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs."""
        await self._pool.wait_until_idle()

    def notice_clock(self) -> None:
        """Hold the VUs while the clock stands still, release them when it does not."""
        self._pool.is_held = self.clock.is_standing
        self._pool.recheck()
        self._wake.set()

    def check(self, command: Command) -> None:
        """Check that `apply` can carry out `command`."""
        if command.changes_vus:
            check_vus(*self._vus_after(command), least_max=self._limits.vus_max)

    def apply(self, command: Command) -> None:
        """Carry out `command`, after `check`."""
        if "vus" in command.give_back:
            self._manual_vus = None
        if command.changes_vus:
            _, self._vus_max = self._vus_after(command)
        if command.vus is not None:
            self._manual_vus = command.vus
        if self._has_begun and not self._is_finishing:
            self._adjust()
        self._wake.set()

    def report(self) -> ScenarioProgress:
        """Return how far it has come, for a successor."""
        tasks = self._pool.tasks.values()
        vus = (
            FormerVU(task.index, task.number, task.iterations)
            for task in tasks
            if task.number is not None
        )
        return ScenarioProgress(vus=tuple(vus), busy=sum(task.is_busy for task in tasks))

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Go on, when it runs, with what another instance was lost with."""
        self._manual_vus, self._vus_max = takeover.vus, takeover.vus_max
        if takeover.goes_on:
            self._taken_over = takeover
            self._pool.former = {vu.task: vu for vu in progress.vus}

    def end_idleness(self) -> None:
        """End, because all instances have nothing left to do."""
        self._has_waited = True
        self._wake.set()

    def finish(self) -> None:
        """Start no more iterations; running ones have the graceful stop."""
        self._is_finishing = True
        self._wake.set()

    def stop(self) -> None:
        """Start no more iterations and interrupt running ones."""
        self.finish()
        self._pool.cancel_all()

    async def _follow_plan(self) -> bool:
        """Follow the plan until the last VU is closed; return whether a command ended it."""
        self._begin()
        while not self._is_over():
            self._act(now := self.clock.elapsed)
            self._pool.cancel_overdue(now)
            moment = min(self._next_moment(now), self._ends_at, self._pool.next_deadline)
            await self.clock.wait_until(moment, self._wake)
        was_told, self._is_finishing = self._is_finishing, True
        self._wind_down(was_told=was_told)
        while self._pool.tasks:
            self._pool.cancel_overdue(self.clock.elapsed)
            await self.clock.wait_until(self._pool.next_deadline, self._wake)
        return was_told

    @abstractmethod
    async def _work(self, task: VUTask, vu: ActiveVU) -> None:
        """Run the iterations of one VU task until it retires."""

    @abstractmethod
    def _act(self, now: float) -> None:
        """Do everything that is due by `now`."""

    @abstractmethod
    def _adjust(self) -> None:
        """Follow a change of VUs or rate by a command."""

    @abstractmethod
    def _next_moment(self, now: float) -> float:
        """Return the next time after `now` at which something is due, besides the end."""

    @abstractmethod
    def _planned_vus(self) -> int:
        """Return the VUs that the plan has now."""

    def _is_over(self) -> bool:
        return self._is_finishing or self.clock.elapsed >= self._ends_at

    def _begin(self) -> None:
        self._has_begun = True
        self.clock.start()
        if self._taken_over is not None:
            self.clock.set(self._taken_over.clock)
        self._pool.is_held = self.clock.is_standing

    def _wind_down(self, *, was_told: bool) -> None:  # noqa: ARG002 - for subclasses
        """Start no iteration; retire all VUs, with the graceful stop as their deadline."""
        now = min(self.clock.elapsed, self._ends_at)
        for task in list(self._pool.tasks.values()):
            self._pool.retire(task, now + self._limits.graceful_stop)
        self._pool.recheck()

    @abstractmethod
    def _end(self, *, was_told: bool) -> None:
        """Account for iterations that never started; `was_told` if a command ended it."""

    def _vus_after(self, command: Command) -> tuple[int, int]:
        """Return the VUs and their maximum after `command`."""
        vus_max = self._vus_max if command.vus_max is None else command.vus_max
        if command.vus is None:
            vus = self._planned_vus() if self._manual_vus is None else self._manual_vus
            return vus, vus_max
        if command.vus_max is None and not self._limits.vus_are_steered:
            vus_max = max(vus_max, command.vus)
        return command.vus, vus_max

    def _scale(self, value: int) -> int:
        return self._context.segment.scale(value)

    def _record_dropped(self, number: int) -> None:
        self.counts.dropped += number
        recorder = self._context.recorder_for(self.options.name)
        recorder.buffer.samples.append((DROPPED_ITERATIONS, recorder.context.id, float(number)))

    def _progress_by_time(self) -> float | None:
        if self._ends_at == math.inf:
            return None
        return min(1.0, self.clock.elapsed / self._ends_at) if self._ends_at > 0 else 1.0
