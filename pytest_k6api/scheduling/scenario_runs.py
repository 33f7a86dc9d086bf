"""One scenario within a load test: its start, its state, its snapshot."""

import math

import trio

from pytest_k6api.model import (
    ScenarioOptions,
    ScenarioProgress,
    ScenarioSnapshot,
    ScenarioState,
    ScenarioTakeover,
)
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.executors import Executor
from pytest_k6api.vu import WakeEvent


class ScenarioRun:
    """Starts a scenario in its time and runs it.

    Attributes:
        options: Its options.
        executor: Its executor; None if this instance has no share in it.
        ended: Set when its last VU is closed.
    """

    def __init__(self, options: ScenarioOptions, executor: Executor | None) -> None:
        self.options = options
        self.executor = executor
        self.ended = trio.Event()
        self._has_begun = self._goes_on = False
        self._is_ending = False
        self._starts_at = math.inf
        self._wake = WakeEvent()

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended."""
        return self._has_begun and not self.ended.is_set()

    @property
    def state(self) -> ScenarioState:
        """Waiting, running, paused or ended."""
        if self.ended.is_set():
            return ScenarioState.ENDED
        if not self._has_begun or self.executor is None:
            return ScenarioState.WAITING
        return ScenarioState.PAUSED if self.executor.clock.is_standing else ScenarioState.RUNNING

    async def run(self, clock: RunClock, starts_at: float, after: "ScenarioRun | None") -> None:
        """Run the scenario at its start time.

        Args:
            clock: The load test's time.
            starts_at: Start time, or seconds after the end of `after`; infinity if only
                `begin_at` tells.
            after: Scenario that has to end before; None for none.
        """
        try:
            if after is not None:
                await after.ended.wait()
                starts_at += clock.elapsed
            self._starts_at = min(self._starts_at, starts_at)
            while not (self._is_ending or self._goes_on) and (
                clock.elapsed < self._starts_at or clock.is_standing
            ):
                await clock.wait_until(self._starts_at, self._wake)
            if self.executor is not None and not self._is_ending:
                self._has_begun = True
                await self.executor.run()
        finally:
            self.ended.set()

    def begin_at(self, elapsed: float) -> None:
        """Start at `elapsed` of the load test's time, if it is not planned to start before."""
        self._starts_at = min(self._starts_at, elapsed)
        self._wake.set()

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Go on with what another instance was lost with; see `Executor.take_over`."""
        if self.executor is not None:
            self.executor.take_over(takeover, progress)
        self._goes_on = takeover.goes_on
        self._is_ending = self._is_ending or takeover.is_over
        self._wake.set()

    def notice_clock(self) -> None:
        """Check the clock again: it was stopped or resumed."""
        self._wake.set()
        if self.executor is not None:
            self.executor.notice_clock()

    def finish(self) -> None:
        """Start no more iterations, and none at all if it has not begun."""
        self._end()
        if self.executor is not None:
            self.executor.finish()

    def stop(self) -> None:
        """Interrupt the iterations too."""
        self._end()
        if self.executor is not None:
            self.executor.stop()

    def snapshot(self) -> ScenarioSnapshot:
        """Return its state now."""
        executor = self.executor
        common = {"name": self.options.name, "executor": self.options.executor.value}
        if executor is None:
            return ScenarioSnapshot(
                **common,
                state=self.state,
                progress=1.0 if self.ended.is_set() else 0.0,
                vus=0,
                vus_max=0,
                iterations=0,
                interrupted=0,
                dropped=0,
                rate=None,
                overrides={},
            )
        return ScenarioSnapshot(
            **common,
            state=self.state,
            progress=executor.progress,
            vus=executor.vus,
            vus_max=executor.vus_max,
            iterations=executor.counts.completed,
            interrupted=executor.counts.interrupted,
            dropped=executor.counts.dropped,
            rate=executor.rate,
            overrides=dict(executor.overrides),
        )

    def _end(self) -> None:
        self._is_ending = True
        self._wake.set()
        if self.is_running and self.executor is not None:
            self.executor.clock.resume()
            self.executor.notice_clock()
