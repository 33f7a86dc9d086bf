"""What executors need of a virtual user, what they share, and what all of them can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_k6api.model import Command, ControlError, Recorder, ScenarioOptions
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.segments import ExecutionSegment
from pytest_k6api.scheduling.vu_pool import VUPool
from pytest_k6api.vu import LoopTicks, StuckTasks


class ActiveVU(Protocol):
    """One virtual user while it belongs to a scenario."""

    async def run_iteration(self, due_at: float | None = None) -> bool:
        """Run one iteration and record it; return whether it failed, or got no response.

        What is left of `min_iteration_duration` afterwards is the executor's to wait.

        Args:
            due_at: Trio time at which it should have begun; None if it had no time.

        Raises:
            trio.Cancelled: It was cut off; then it recorded no iteration.
        """

    def abandon(self, line: str) -> None:
        """Give up what runs, because its task was abandoned at `line` of the user's code."""

    def interrupt(self) -> None:
        """Drop whatever is recorded from now on; the running iteration is about to be cancelled."""

    async def close(self) -> int:
        """Tear down its fixtures, close its connections; return how many fixtures failed to end."""


VUFactory = Callable[[ScenarioOptions, int], ActiveVU]
"""Makes the virtual user of a scenario that has the number given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorContext:
    """What all executors of a load test share.

    Attributes:
        clock: The load test's time.
        vu_pool: The numbers of its VUs.
        make_vu: Makes a VU when its number is activated for a scenario.
        recorder_for: Returns the recorder for what belongs to a scenario, but to none of its VUs.
        segment: The part of the load that is this instance's.
        ticks: Counts the passes of Trio's loop.
        stuck: Sees to it that cancelled tasks end.
    """

    clock: RunClock
    vu_pool: VUPool
    make_vu: VUFactory
    recorder_for: Callable[[str], Recorder]
    segment: ExecutionSegment
    ticks: LoopTicks
    stuck: StuckTasks


@dataclass(slots=True)
class ScenarioCounts:
    """Counts of one scenario: the only ones, which status, API and verdict read.

    Attributes:
        completed: Ran to their end, failed ones included.
        interrupted: Were cut off.
        dropped: Were due and never began.
        backed_off: Were followed by a pause, because they and those before failed at once.
        backed_off_for: The seconds of all these pauses.
        failed_teardowns: VU fixtures that raised when they were torn down, or did not end.
    """

    completed: int = 0
    interrupted: int = 0
    dropped: int = 0
    backed_off: int = 0
    backed_off_for: float = 0.0
    failed_teardowns: int = 0


class Executor(Protocol):
    """Runs one scenario as it was planned, and as it is told while it runs.

    All methods but the coroutines are called in Trio's thread and act at once.
    """

    @property
    def options(self) -> ScenarioOptions:
        """The plan."""

    @property
    def counts(self) -> ScenarioCounts:
        """Counts of its iterations so far."""

    @property
    def clock(self) -> RunClock:
        """Seconds since the scenario began."""

    @property
    def vus(self) -> int:
        """VUs active now."""

    @property
    def vus_max(self) -> int:
        """VUs it may use."""

    @property
    def rate(self) -> float | None:
        """Iterations per second asked for now; None if it has no rate."""

    @property
    def progress(self) -> float | None:
        """Share of the planned work that is done, 0 to 1; None if it has no end."""

    @property
    def overrides(self) -> dict[str, float]:
        """What was set by hand and overrides the plan."""

    async def run(self) -> None:
        """Run the scenario from its first iteration until its last VU is closed."""

    async def wait_until_idle(self) -> None:
        """Wait until no iteration runs, while the clock stands still."""

    def notice_clock(self) -> None:
        """Look at the clock again: it began or ceased to stand still."""

    def check(self, command: Command) -> None:
        """Find out whether `apply` would carry out `command`.

        Raises:
            ControlError: It would not.
        """

    def apply(self, command: Command) -> None:
        """Carry out `command`, which was checked."""

    def finish(self) -> None:
        """Start no more iterations; those that run have the graceful stop to end."""

    def stop(self) -> None:
        """Start no more iterations and interrupt those that run."""


CONFIG_ERROR = "Config update error"
"""k6's title for a change that makes no sense."""

# k6 holds ramps below 100 million VUs; more than this fits into no machine's memory.
_MOST_VUS = 1_000_000


def check_vus(vus: int, vus_max: int, *, least_max: int) -> None:
    """Refuse numbers of VUs as k6 does.

    Args:
        vus: The VUs that shall be active.
        vus_max: The VUs that may be used.
        least_max: What `vus_max` was planned to be.

    Raises:
        ControlError: They do not go together.

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
