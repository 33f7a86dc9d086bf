"""Workers of a load test: messages to and from them, what carries these, and each worker as the controller sees it.

The controller asks, workers answer: results are reported on request, so that a controller
that is behind is sent no more than it takes. `messages` is the whole protocol; a carrier
brings its frames to a worker, here over a socket pair. No pytest: what a worker runs, and
how its process starts, is told from outside.
"""

from typing import TYPE_CHECKING

from pytest_k6api.distributed.carriers import (
    AgentGoneError,
    CarrierError,
    LocalProcess,
    WorkerCarrier,
    start_process,
)
from pytest_k6api.distributed.clock_offset import ClockOffset
from pytest_k6api.distributed.frames import decode_from_worker, decode_to_worker, encode
from pytest_k6api.distributed.messages import (
    PROTOCOL,
    Accepted,
    Begin,
    Echo,
    Echoed,
    EndScenario,
    EndWanted,
    Fingerprint,
    Finish,
    Finished,
    GeneratorFigures,
    Hello,
    Leave,
    MessageError,
    NewSetupData,
    Poll,
    PollAnswer,
    Prepare,
    Prepared,
    Refused,
    Release,
    RowsClaimed,
    ScenarioEnded,
    ScenarioIdle,
    Start,
    Steer,
    Steered,
    Stop,
    ToController,
    ToWorker,
    WorkerReport,
)
from pytest_k6api.distributed.user_output import LogLine, UserOutput, WarningLine
from pytest_k6api.distributed.worker_states import Worker
from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.distributed.cluster import DaskCluster
    from pytest_k6api.distributed.fleet import Fleet, FleetError, FleetOwner
    from pytest_k6api.distributed.shipped_suite import pack_suite
    from pytest_k6api.distributed.worker_link import WorkerLink

__all__ = [
    "PROTOCOL",
    "Accepted",
    "AgentGoneError",
    "Begin",
    "CarrierError",
    "ClockOffset",
    "DaskCluster",
    "Echo",
    "Echoed",
    "EndScenario",
    "EndWanted",
    "Fingerprint",
    "Finish",
    "Finished",
    "Fleet",
    "FleetError",
    "FleetOwner",
    "GeneratorFigures",
    "Hello",
    "Leave",
    "LocalProcess",
    "LogLine",
    "MessageError",
    "NewSetupData",
    "Poll",
    "PollAnswer",
    "Prepare",
    "Prepared",
    "Refused",
    "Release",
    "RowsClaimed",
    "ScenarioEnded",
    "ScenarioIdle",
    "Start",
    "Steer",
    "Steered",
    "Stop",
    "ToController",
    "ToWorker",
    "UserOutput",
    "WarningLine",
    "Worker",
    "WorkerCarrier",
    "WorkerLink",
    "WorkerReport",
    "decode_from_worker",
    "decode_to_worker",
    "encode",
    "pack_suite",
    "start_process",
]

# Processes are started before there is a loop for them.
__getattr__ = late_names(
    __name__,
    {
        ".cluster": ("DaskCluster",),
        ".fleet": ("Fleet", "FleetError", "FleetOwner"),
        ".shipped_suite": ("pack_suite",),
        ".worker_link": ("WorkerLink",),
    },
)
