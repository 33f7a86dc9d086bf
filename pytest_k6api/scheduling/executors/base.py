"""Interfaces of executors: the VU that they run, the context that they share, the counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_k6api.model import (
    Command,
    ControlError,
    Recorder,
    ScenarioOptions,
    ScenarioProgress,
    ScenarioTakeover,
)
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.segments import ExecutionSegment
from pytest_k6api.scheduling.vu_pool import VUPool
from pytest_k6api.vu import LoopTicks, StuckTasks


class ActiveVU(Protocol):
    """One virtual user while it belongs to a scenario."""

    @property
    def iteration(self) -> int:
        """The number of its iteration that runs or has ended last, from 0; -1 before the first."""

    def go_on(self, iterations: int) -> None:
        """Go on after `iterations` of a VU with the same number; before the first iteration."""

    async def run_iteration(self, due_at: float | None = None) -> bool:
        """Run one iteration and record it; return whether it failed, or got no response.

        The executor waits for the rest of `min_iteration_duration` afterwards.

        Args:
            due_at: Trio time at which it was due; None without a due time.

        Raises:
            trio.Cancelled: It was interrupted and recorded no iteration.
        """

    def abandon(self, line: str) -> None:
        """Give up running code, because its task was abandoned at `line` of the user's code."""

    def interrupt(self) -> None:
        """Drop all later records of the running iteration, which is about to be cancelled."""

    async def close(self) -> int:
        """Tear down its fixtures, close its connections; return how many fixtures failed to end."""


VUFactory = Callable[[ScenarioOptions, int], ActiveVU]
"""Makes the virtual user with the number given, of the scenario given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorContext:
    """Objects that all executors of a load test share.

    Attributes:
        clock: The load test's time.
        vu_pool: The numbers of its VUs.
        make_vu: Makes a VU when its number is activated for a scenario.
        recorder_for: Returns the recorder of a scenario for samples outside of its VUs.
        segment: The part of the load that this instance runs.
        ticks: Counts the passes of Trio's loop.
        stuck: Abandons cancelled tasks that do not end.
        on_idle: Called with the name of a scenario that awaits others, and whether it has nothing
            left to do here, each time that this changes.
    """

    clock: RunClock
    vu_pool: VUPool
    make_vu: VUFactory
    recorder_for: Callable[[str], Recorder]
    segment: ExecutionSegment
    ticks: LoopTicks
    stuck: StuckTasks
    on_idle: Callable[[str, bool], None] = lambda _name, _is_idle: None


@dataclass(slots=True)
class ScenarioCounts:
    """Counts of one scenario, read by the status, the API and the verdict.

    Attributes:
        completed: Iterations that ran to their end, failed ones included.
        interrupted: Iterations that were interrupted.
        dropped: Iterations that were due and never started.
        backed_off: Pauses after iterations that failed at once, again and again.
        backed_off_for: Seconds of all these pauses.
        failed_teardowns: VU fixtures that raised in their teardown, or did not end.
    """

    completed: int = 0
    interrupted: int = 0
    dropped: int = 0
    backed_off: int = 0
    backed_off_for: float = 0.0
    failed_teardowns: int = 0


class Executor(Protocol):
    """Runs one scenario by its plan, and carries out commands to it.

    All methods but the coroutines are called in Trio's thread and return at once.
    """

    @property
    def options(self) -> ScenarioOptions:
        """The scenario's options."""

    @property
    def counts(self) -> ScenarioCounts:
        """Counts of its iterations so far."""

    @property
    def clock(self) -> RunClock:
        """Seconds since the scenario started."""

    @property
    def vus(self) -> int:
        """Active VUs."""

    @property
    def vus_max(self) -> int:
        """VUs that it may use."""

    @property
    def rate(self) -> float | None:
        """Target rate in iterations per second; None if it has no rate."""

    @property
    def progress(self) -> float | None:
        """Share of the planned work that is done, 0 to 1; None if it has no end."""

    @property
    def overrides(self) -> dict[str, float]:
        """Values set by commands that override the plan."""

    async def run(self) -> None:
        """Run the scenario from its first iteration until its last VU is closed."""

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs, while the clock stands still."""

    def notice_clock(self) -> None:
        """Check the clock again: it was stopped or resumed."""

    def check(self, command: Command) -> None:
        """Check that `apply` can carry out `command`.

        Raises:
            ControlError: It cannot.
        """

    def apply(self, command: Command) -> None:
        """Carry out `command`, after `check`."""

    def report(self) -> ScenarioProgress:
        """Return how far it has come, for a successor."""

    def take_over(self, takeover: ScenarioTakeover, progress: ScenarioProgress) -> None:
        """Go on, when it runs, with what another instance was lost with.

        Args:
            takeover: What became of the load test since then.
            progress: What that instance told last.
        """

    def end_idleness(self) -> None:
        """End, because all instances have nothing left to do."""

    def finish(self) -> None:
        """Start no more iterations; those that run have the graceful stop to end."""

    def stop(self) -> None:
        """Start no more iterations and interrupt those that run."""


CONFIG_ERROR = "Config update error"
"""k6's title for a change that makes no sense."""

# k6 limits ramps to 100 million VUs; a million exceeds the memory of any machine.
_MOST_VUS = 1_000_000


def check_vus(vus: int, vus_max: int, *, least_max: int) -> None:
    """Refuse numbers of VUs as k6 does.

    Args:
        vus: Active VUs.
        vus_max: VUs that may be used.
        least_max: The planned `vus_max`.

    Raises:
        ControlError: They are out of range, or do not match.

    Source: k6 v1.1.0, ``lib/executor/externally_controlled.go``, ``UpdateConfig``.
    """
    wrong = None
    if vus < 0:
        wrong = "invalid configuration supplied: the number of VUs can't be negative"
    elif vus > vus_max:
        wrong = (
            f"invalid configuration supplied: the number of active VUs ({vus}) must be less than"
            f" or equal to the number of maxVUs ({vus_max})"
        )
    elif vus_max < least_max:
        wrong = (
            "the new number of max VUs cannot be lower than the starting number of max VUs"
            f" ({least_max})"
        )
    elif vus_max > _MOST_VUS:
        wrong = f"the number of max VUs ({vus_max}) can't be more than {_MOST_VUS}"
    if wrong:
        raise ControlError(CONFIG_ERROR, wrong)
