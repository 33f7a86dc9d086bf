"""States of a load test, in k6's numbers, of its scenarios, and of its workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class RunStatus(IntEnum):
    """The state of a load test.

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
    """The state of a load test at one moment, as ``GET /v1/status`` returns it.

    Attributes:
        status: The state.
        paused: Whether it is paused now, before its start or later.
        vus: VUs active now over all scenarios; 0 while paused.
        vus_max: VUs initialised now over all scenarios.
        vus_planned: VUs that the plans of the scenarios that run have now; a command changes none.
        stopped: Whether it was stopped before its planned end.
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
    vus_planned: int = 0


class ScenarioState(Enum):
    """The state of a scenario."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSnapshot:
    """The state of one scenario of a load test, at one moment.

    Attributes:
        name: The scenario's name.
        executor: k6's name of its executor.
        state: The state.
        progress: Share of its planned work that is done, 0 to 1; None without a planned end.
        vus: VUs active now (for arrival rates: executing an iteration).
        vus_max: VUs it may use.
        iterations: Iterations completed, failed ones included.
        interrupted: Iterations cut off.
        dropped: Iterations that were due and never started.
        rate: Iterations per second asked for now; None for executors without a rate.
        overrides: Values set by commands in place of the plan, such as ``{"vus": 5}``.
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


class WorkerState(Enum):
    """The state of a worker."""

    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    BLOCKED = "blocked"
    FINISHED = "finished"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker at one moment.

    Attributes:
        number: Its number, from 1; each process has its own.
        share: The number of its share of the load, from 1.
        place: Where it runs.
        state: Its state; BLOCKED if user code keeps its loop from answering.
        vus: VUs active now.
        rate: Iterations per second asked of it now; None without a rate.
        cpu: The share of a core that its process used since the report before the last.
        memory: Bytes of memory that it has.
        late: Seconds by which its loop woke late in the last second, at most.
        clock_offset: Seconds by which its wall clock reads more than the controller's.
        last_heard: Seconds since it was last heard of; None if it never was.
        lost: Why it was given up; empty if it was not.
        limits: A sentence for each way in which it was the limit of the load.
        lost_at: Test-run time at which it was given up, in seconds; None if it was not, or
            before the load.
        kept_until: Test-run time until which what it measured counts, if it was given up.
        follows: The number of the lost worker whose share it goes on with; None for none.
        began_at: Test-run time at which it went on with that; None before, or for none.
    """

    number: int
    share: int
    place: str
    state: WorkerState
    vus: int
    rate: float | None
    cpu: float
    memory: int
    late: float
    clock_offset: float
    last_heard: float | None
    lost: str
    limits: tuple[str, ...]
    lost_at: float | None = None
    kept_until: float | None = None
    follows: int | None = None
    began_at: float | None = None
