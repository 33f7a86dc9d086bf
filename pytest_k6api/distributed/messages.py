"""Messages between a controller and its workers. Pure.

    controller                                worker
    ---------------------------------------   ----------------------------------------
                                              Hello, once; or Refused
    Prepare (a load test by its node id)      Accepted, then Prepared or Refused
    Start (the clock, the setup data)
    Begin (a scenario, at a time)             ScenarioIdle, when nothing of its iterations is left
    EndScenario, where all are idle           ScenarioEnded, when its last VU is closed
    Steer (a command)                         Steered, when it is carried out
    Poll                                      PollAnswer, what came since
                                              RowsClaimed, before rows of feeders are handed out
    NewSetupData, Finish, Stop                EndWanted, where user code asks for the end
                                              Finished, with the last report
    Release (leave the load test)
    Leave (the session)
    Echo                                      Echoed, from a thread, also while the loop is blocked

Every message has a tag, so an unknown one is told as such. `PROTOCOL` grows when either side
would misread the other; a `Hello` can be read in every version. `frames` has their bytes.
"""

from collections.abc import Mapping

import msgspec

from pytest_k6api.distributed.user_output import UserOutput
from pytest_k6api.metrics import TracedRequest
from pytest_k6api.model import (
    Command,
    K6ApiError,
    ScenarioSnapshot,
    StatusSnapshot,
    Takeover,
)

PROTOCOL = 3


class MessageError(K6ApiError):
    """Bytes are no message, are damaged, or are of another version."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What controller and worker have to have in common.

    Attributes:
        versions: Versions by the name of what they are of.
        options: A digest of the options of all load tests.
        items: A digest of the node ids of all load tests.
        by_option: A digest of the values in all load tests, by option: tells which differ.
    """

    versions: dict[str, str]
    options: str
    items: str
    by_option: Mapping[str, str] = {}


class GeneratorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker's process is doing.

    Attributes:
        cpu: Seconds of processor time that it has used.
        memory: Bytes of memory that it has.
        late: Seconds by which its loop woke late since the last report, at most.
        busy: The share of a core that its loop used so far, 0 to 1.
        limits: A sentence for each way in which it was the limit.
    """

    cpu: float
    memory: int
    late: float
    busy: float
    limits: tuple[str, ...] = ()


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has to report.

    Attributes:
        number: Its number, from 1: that of the poll.
        measured: What was measured since the report before, packed.
        failures: The failures so far, packed.
        status: The state of its run.
        scenarios: The state of each scenario, in the order of start time and name.
        figures: How the process is doing.
        slowest: Its slowest requests, if requests are traced.
        warnings: Remarks on its run, one sentence each.
        state: How far it has come, packed, if that is wanted.
        output: What user code wrote since the report before.
    """

    number: int
    measured: bytes
    failures: bytes
    status: StatusSnapshot
    scenarios: tuple[ScenarioSnapshot, ...]
    figures: GeneratorFigures
    slowest: tuple[TracedRequest, ...] = ()
    warnings: tuple[str, ...] = ()
    state: bytes = b""
    output: UserOutput = UserOutput()


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Set the load test `item` up.

    Attributes:
        item: Its node id.
        number: Tells this order from those before it.
        share: The number of the share that the worker runs, from 1.
        shares: How many there are.
        base_url: The base of its relative URLs; empty without one.
        values: The values of fixtures that are set up in the controller, by name, packed.
        withheld: Names of fixtures that are set up in the controller, and whose values
            stay there.
        wants_samples: Whether outputs or hooks of the controller take samples themselves.
        wants_state: Whether reports tell how far it has come, for a successor.
    """

    item: str
    number: int = 0
    share: int = 1
    shares: int = 1
    base_url: str = ""
    values: Mapping[str, bytes] = {}
    withheld: tuple[str, ...] = ()
    wants_samples: bool = False
    wants_state: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Setup is over.

    Attributes:
        elapsed: Test-run time at the worker's own time `at`.
        at: The worker's own time, in seconds.
        load_began_at: Test-run time from which samples are load.
        setup_data: The setup data as JSON text.
        rows: How many rows of feeders were claimed by workers before it, by the feeders' keys.
        takeover: What became of the load test, for a successor; None for others.
        state: What the worker before told last of how far it has come.
    """

    load_began_at: float
    elapsed: float = 0.0
    at: float = 0.0
    setup_data: str | None = None
    rows: Mapping[str, int] = {}
    takeover: Takeover | None = None
    state: bytes = b""


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Start `scenario` at the test-run time `elapsed`."""

    scenario: str
    elapsed: float


class EndScenario(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing of `scenario` is left to do anywhere."""

    scenario: str


class Steer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Carry out `command`, and then count test-run time on from `elapsed` at `at`, if given."""

    number: int
    command: Command
    elapsed: float | None = None
    at: float = 0.0


class NewSetupData(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The setup data is `text` from now on; None for none."""

    text: str | None


class Poll(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Report, as the report `number`; those before are taken."""

    number: int


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Start no more iterations; running ones have the graceful stop."""

    reason: str = ""


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Interrupt all iterations."""

    reason: str = ""


class Release(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Leave the load test: its last report is taken, or nobody waits for it."""


class Leave(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The session is over: tear everything down and end."""


class Echo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answer at once."""

    number: int


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The worker is there.

    Attributes:
        protocol: Its `PROTOCOL`.
        process: Its process id.
        fingerprint: What it has to have in common with the controller.
    """

    protocol: int
    process: int = 0
    fingerprint: Fingerprint | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The worker cannot run the load test, for the reason `text`, an error at `location` if it has one."""

    text: str
    location: str = ""
    traceback: str = ""


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All that comes from here on is about the order `number`, and nothing before was."""

    number: int


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The load test is set up, and waits for its start."""


class ScenarioIdle(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing of `scenario` is left to do here, or there is again.

    Attributes:
        scenario: Its name.
        is_idle: Whether nothing is left.
        elapsed: Test-run time at which it became so.
    """

    scenario: str
    is_idle: bool
    elapsed: float


class ScenarioEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last VU that the worker has of `scenario` is closed."""

    scenario: str


class Steered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The command `number` is carried out, as far as it concerned this worker."""

    number: int
    status: StatusSnapshot
    scenarios: tuple[ScenarioSnapshot, ...]


class PollAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to a poll."""

    content: WorkerReport


class RowsClaimed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The worker may hand out the first `until` rows of its share of `feeder`."""

    feeder: str
    until: int


class EndWanted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """User code asks for the end of the load test.

    Attributes:
        reason: Why.
        how: ``stop`` at once, ``finish`` gracefully, or ``refuse`` what cannot be run.
    """

    reason: str
    how: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run of this worker is over.

    Attributes:
        content: All that it has to report.
        exit: An exception of user code that ends the session: its type, its message, and the exit
            code of ``pytest.exit()``; None without one.
        error: The error that ended it; empty without one.
        failed_teardowns: VU fixtures that failed to be torn down.
        trouble: Other failures, one sentence each.
    """

    content: WorkerReport
    exit: tuple[str, str, int | None] | None = None
    error: str = ""
    failed_teardowns: int = 0
    trouble: tuple[str, ...] = ()


class Echoed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to the request `number`.

    Attributes:
        number: That number.
        at: The worker's own time, in seconds.
        wall: Its wall time, in seconds since the epoch.
    """

    number: int
    at: float
    wall: float


ToWorker = (
    Prepare
    | Start
    | Begin
    | EndScenario
    | Steer
    | NewSetupData
    | Poll
    | Finish
    | Stop
    | Release
    | Leave
    | Echo
)
ToController = (
    Hello
    | Refused
    | Accepted
    | Prepared
    | ScenarioIdle
    | ScenarioEnded
    | Steered
    | PollAnswer
    | RowsClaimed
    | EndWanted
    | Finished
    | Echoed
)
