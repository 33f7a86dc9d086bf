"""The life of a load test, in k6's numbers, and how its scenarios stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class RunStatus(IntEnum):
    """Where in its life a load test is.

    Source: k6 v1.1.0, ``lib/execution.go``, ``ExecutionStatus``.
    """

    CREATED = 0
    INIT_VUS = 1
    INIT_EXECUTORS = 2
    INIT_DONE = 3
    PAUSED_BEFORE_RUN = 4
    STARTED = 5
    SETUP = 6
    RUNNING = 7
    TEARDOWN = 8
    ENDED = 9
    INTERRUPTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """What ``GET /v1/status`` tells, at one moment.

    Attributes:
        status: Where in its life the load test is.
        paused: Whether it is paused now, before its start or in the middle.
        vus: VUs active now over all scenarios; 0 while paused.
        vus_max: VUs initialised now over all scenarios.
        stopped: Whether somebody or something stopped it before its time.
        running: Whether it was started and has not ended.
        tainted: Whether a threshold failed at its last evaluation.
        elapsed: Seconds of test-run time: since before setup, less pauses, until the end.
    """

    status: RunStatus
    paused: bool
    vus: int
    vus_max: int
    stopped: bool
    running: bool
    tainted: bool
    elapsed: float


class ScenarioState(Enum):
    """Where in its life a scenario is."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSnapshot:
    """One scenario of a load test, at one moment.

    Attributes:
        name: The scenario's name.
        executor: k6's name of its executor.
        state: Where in its life it is.
        progress: Share of its planned work that is done, 0 to 1; None where it has no end.
        vus: VUs active now (for arrival rates: executing an iteration).
        vus_max: VUs it may use.
        iterations: Iterations completed, failed ones included.
        interrupted: Iterations cut off.
        dropped: Iterations that were due and never started.
        rate: Iterations per second asked for now; None for executors without a rate.
        overrides: What was set by hand and overrides the plan, such as ``{"vus": 5}``.
    """

    name: str
    executor: str
    state: ScenarioState
    progress: float | None
    vus: int
    vus_max: int
    iterations: int
    interrupted: int
    dropped: int
    rate: float | None
    overrides: Mapping[str, float]
