"""A scenario that runs on workers, as the scheduler of their controller sees it.

Commands are checked and remembered by an executor that is never started: what may be
asked for depends on the plan alone, and the plan is the same everywhere. What runs is
the sum of what workers have told.
"""

from collections.abc import Callable
from dataclasses import replace

import trio

from pytest_k6api.distributed import Begin, EndScenario, Fleet, Worker
from pytest_k6api.model import (
    Command,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioSnapshot,
    ScenarioTakeover,
)
from pytest_k6api.scheduling import (
    ExecutorContext,
    ExecutorPlan,
    RunClock,
    ScenarioCounts,
    make_executor,
)

LEAD = 0.05
"""Seconds by which a start is told in advance: all workers know of it by then."""


class RemoteExecutor:
    """The `Executor` of one scenario on all workers.

    Args:
        options: The scenario's options.
        plan: The plan of the whole load.
        context: Objects that all executors share.
        fleet: The workers.
        forward: Called with the commands that workers are to carry out.
        leave: Raises what has ended a worker's run, if something has.
    """

    def __init__(
        self,
        options: ScenarioOptions,
        plan: ExecutorPlan,
        context: ExecutorContext,
        *,
        fleet: Fleet,
        forward: Callable[[Command], None],
        leave: Callable[[], None],
    ) -> None:
        self.options = options
        self._context = context
        self._shadow = make_executor(options, plan, context)
        self._fleet = fleet
        self._forward = forward
        self._leave = leave
        self._starts_at: float | None = None
        self._began_at: float | None = None

    @property
    def clock(self) -> RunClock:
        """Seconds since the scenario started."""
        return self._shadow.clock

    @property
    def counts(self) -> ScenarioCounts:
        """Counts of its iterations so far, on all workers."""
        counts, told = self._shadow.counts, self._told()
        counts.completed = sum(each.iterations for each in told)
        counts.interrupted = sum(each.interrupted for each in told)
        counts.dropped = sum(each.dropped for each in told)
        return counts

    @property
    def vus(self) -> int:
        """Active VUs on all workers."""
        return sum(each.vus for each in self._told())

    @property
    def vus_max(self) -> int:
        """VUs that it may use on all workers."""
        return self._shadow.vus_max

    @property
    def rate(self) -> float | None:
        """Target rate in iterations per second, of all workers."""
        return self._shadow.rate

    @property
    def progress(self) -> float | None:
        """Share of the planned work that is done, 0 to 1."""
        _ = self.counts  # which the shadow reads
        return self._shadow.progress

    @property
    def overrides(self) -> dict[str, float]:
        """Values set by commands that override the plan."""
        return self._shadow.overrides

    def plan_start(self, load_began_at: float) -> None:
        """Plan its start, now that the load begins; one that comes after another has no time yet."""
        if not self.options.after:
            self._starts_at = load_began_at + self.options.start_time

    def announce(self, worker: Worker) -> None:
        """Tell `worker` when the scenario begins, if that is known and yet to come."""
        if self._starts_at is not None and self._began_at is None:
            begin = Begin(scenario=self.options.name, elapsed=self._starts_at)
            self._fleet.tell_one(worker, begin)

    async def run(self) -> None:
        """Have the scenario begin everywhere, and wait until its last VU is closed."""
        name = self.options.name
        if self._starts_at is None:
            self._starts_at = self._context.clock.elapsed + LEAD
            self._fleet.tell(Begin(scenario=name, elapsed=self._starts_at))
        at = self._began_at = self._starts_at
        self.clock.start()
        self.clock.synchronise(0.0, at)
        self._fleet.expect_news()
        await self._fleet.wait_for_shares(self._is_idle)
        self._fleet.tell(EndScenario(scenario=name))
        await self._fleet.wait_for_shares(self._has_ended)
        self.clock.stop()
        self._leave()

    def _has_ended(self, worker: Worker) -> bool:
        return self.options.name in worker.ended or worker.finished is not None

    def _is_idle(self, worker: Worker) -> bool:
        # A command may be about to add VUs; none at all wait for it.
        is_settled = not self._fleet.is_steering and self.overrides.get("vus") != 0
        is_idle = is_settled and self.options.name in worker.idle
        return is_idle or self._has_ended(worker)

    async def wait_until_idle(self) -> None:
        """Return: a command that pauses is carried out when no worker iterates."""
        await trio.lowlevel.checkpoint()

    def notice_clock(self) -> None:
        """Do nothing: workers have clocks of their own, and are told of commands."""

    def check(self, command: Command) -> None:
        """Check that `apply` can carry out `command`."""
        self._shadow.check(command)

    def apply(self, command: Command) -> None:
        """Remember `command`, and have workers carry it out."""
        self._shadow.apply(command)
        if command.changes_load:
            self._forward(replace(command, scenario=self.options.name, paused=None))

    def hand_over(self, lost: Worker, lost_at: float) -> ScenarioTakeover:
        """Return the scenario as the successor of `lost` has to go on with it.

        Args:
            lost: The worker that ran the share.
            lost_at: Test-run time of its loss.
        """
        clock, overrides = self.clock, self.overrides
        vus = overrides.get("vus")
        return ScenarioTakeover(
            began_at=self._began_at,
            is_over=self.options.name in lost.ended,
            clock=clock.reading,
            lost_at=clock.elapsed - (self._context.clock.elapsed - lost_at),
            vus=None if vus is None else int(vus),
            vus_max=self.vus_max,
            rate=overrides.get("rate"),
        )

    def report(self) -> ScenarioProgress:
        """Return nothing: no other process goes on for this one."""
        return ScenarioProgress()

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Do nothing: workers take over."""

    def end_idleness(self) -> None:
        """Do nothing: workers are told."""

    def finish(self) -> None:
        """Do nothing: workers are told to finish as a whole."""

    def stop(self) -> None:
        """Do nothing: workers are told to stop as a whole."""

    def _told(self) -> list[ScenarioSnapshot]:
        name = self.options.name
        told = (worker.scenario(name) for worker in self._fleet.workers)
        return [each for each in told if each is not None]
