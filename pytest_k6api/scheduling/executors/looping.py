"""Executors that keep a number of virtual users looping: five of k6's seven."""

from dataclasses import replace

import trio

from pytest_k6api.model import (
    Command,
    ControlError,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioTakeover,
)
from pytest_k6api.scheduling.executors.back_off import BackOff
from pytest_k6api.scheduling.executors.base import CONFIG_ERROR, ActiveVU, ExecutorContext
from pytest_k6api.scheduling.executors.executor_plans import LoopPlan
from pytest_k6api.scheduling.executors.planned_executor import PlannedExecutor
from pytest_k6api.scheduling.executors.task_pool import VUTask

# VUs that start in one pass of the loop: tens of thousands at once would block it for
# seconds and delay all their first responses.
_MOST_AT_ONCE = 500


class LoopingExecutor(PlannedExecutor):
    """Runs a `LoopPlan`; task 1 starts first and retires last."""

    def __init__(self, options: ScenarioOptions, plan: LoopPlan, context: ExecutorContext) -> None:
        super().__init__(options, plan, context)
        self._plan = plan
        # VUs that loop, and the number that the plan or a command wants: some, until it is known.
        self._target, self._wanted = 0, 1
        self._reserved = 0
        self._is_idle = False

    @property
    def vus(self) -> int:
        """VUs that loop."""
        return self._pool.present

    @property
    def rate(self) -> None:
        """None: VUs loop without a rate."""
        return

    @property
    def progress(self) -> float | None:
        """Share of the iterations that have ended, or else of the duration that has passed."""
        if total := self._plan.source.total:
            return min(1.0, (self.counts.completed + self.counts.interrupted) / total)
        return self._progress_by_time()

    def check(self, command: Command) -> None:
        """Check that `apply` can carry out `command`."""
        if command.rate is not None:
            raise ControlError(
                CONFIG_ERROR,
                f"{self.options.executor.value} executor '{self.options.name}' has no iteration"
                " rate; set its vus",
            )
        super().check(command)

    def report(self) -> ScenarioProgress:
        """Return how far it has come, for a successor."""
        busy = {task.index for task in self._pool.tasks.values() if task.is_busy}
        return replace(super().report(), ended=self._plan.source.ended(busy))

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Go on, when it runs, with what another instance was lost with."""
        super().take_over(takeover, progress)
        self._plan.source.restore(progress.ended)
        if takeover.goes_on and self._plan.source.total is None:
            self.counts.interrupted += progress.busy

    async def _work(self, task: VUTask, vu: ActiveVU) -> None:
        pool, ticks = self._pool, self._context.ticks
        take, index = self._plan.source.take, task.index
        least = self.options.min_iteration_duration
        # A number of iterations ends by itself: pauses would turn seconds of failing into hours.
        may_back_off = self._plan.source.total is None
        back_off: BackOff | None = None
        while True:
            if pool.is_held:
                await pool.hold(task)
            if task.is_retiring or not take(index):
                return
            tick, began = ticks.count, trio.current_time() if least else 0.0
            pool.count_begun(task)
            try:
                failed = await vu.run_iteration()
            except trio.Cancelled:
                pool.count_interrupted(task)
                raise
            pool.count_ended(task)
            if may_back_off and (failed or back_off is not None):
                back_off = await pool.back_off(task, back_off) if failed else None
            if least:
                await trio.sleep_until(began + least)
            elif tick == ticks.count:
                await trio.lowlevel.checkpoint()

    def _begin(self) -> None:
        if self._plan.counts_from_setup:
            # k6 measures this executor's duration in test-run time, setup included.
            began_at = self._taken_over.began_at if self._taken_over else None
            if began_at is None:
                began_at = self._context.clock.elapsed
            self._ends_at -= began_at - self.options.start_time
        super()._begin()
        self._reserve()

    def _act(self, now: float) -> None:
        """Have as many VUs as are wanted now."""
        if self._manual_vus is None:
            self._set_target(self._plan.steps.at(now), now)
        else:
            self._set_target(self._scale(self._manual_vus), now)
        self._tell_idleness()

    def _adjust(self) -> None:
        self._reserve()
        self._act(now := self.clock.elapsed)
        self._pool.cancel_overdue(now)

    def _next_moment(self, now: float) -> float:
        return now if self._target < self._wanted else self._plan.steps.next_change(now)

    def _planned_vus(self) -> int:
        return self._plan.steps.at(self.clock.elapsed)

    def _is_over(self) -> bool:
        if super()._is_over():
            return True
        if self._plan.awaits_others:
            self._tell_idleness()
            return self._is_idle and self._has_waited
        return self._target > 0 and self._has_nothing_to_do()

    def _has_nothing_to_do(self) -> bool:
        if self._pool.tasks or self._target < self._wanted:
            return False
        return not any(self._plan.source.has_more(index + 1) for index in range(self._target))

    def _tell_idleness(self) -> None:
        is_idle = self._plan.awaits_others and self._has_nothing_to_do()
        if is_idle != self._is_idle:
            self._is_idle = is_idle
            self._context.on_idle(self.options.name, is_idle)

    def _wind_down(self, *, was_told: bool) -> None:
        if self._manual_vus is None:
            # VUs that the plan takes away at its end have the graceful ramp-down, not the
            # graceful stop; VUs that it would add there are not started.
            now = min(self.clock.elapsed, self._ends_at)
            self._set_target(min(self._target, self._plan.steps.at(now)), now)
        super()._wind_down(was_told=was_told)

    def _end(self, *, was_told: bool) -> None:
        self._context.vu_pool.remove_spare(self._reserved)
        self._reserved = 0
        if not was_told:
            for number in self._plan.source.leftovers():
                self._record_dropped(number)

    def _reserve(self) -> None:
        """Initialise or give up the VUs that commands allow beyond the plan."""
        wanted = self._scale(self._vus_max) - self._scale(self._plan.vus_max)
        if wanted > self._reserved:
            self._context.vu_pool.add_spare(wanted - self._reserved)
        else:
            self._context.vu_pool.remove_spare(self._reserved - wanted)
        self._reserved = wanted

    def _set_target(self, target: int, now: float) -> None:
        self._wanted = target
        target = min(target, self._target + _MOST_AT_ONCE)
        for index in range(self._target + 1, target + 1):
            self._want(index)
        for index in range(self._target, target, -1):
            if task := self._pool.tasks.get(index):
                self._pool.retire(task, now + self._plan.graceful_ramp_down)
        if target < self._target:
            self._pool.recheck()
        self._target = target

    def _want(self, index: int) -> None:
        task = self._pool.tasks.get(index)
        if task is not None:
            self._pool.reuse(task)
        elif self._plan.source.has_more(index):
            self._pool.start(index, spare=index > self._scale(self._plan.vus_max))
