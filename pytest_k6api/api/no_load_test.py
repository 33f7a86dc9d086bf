"""The load test that requests are about before there is one.

It reads as k6 reads right after its start (created, no VUs, nothing measured)
and refuses every command, so that no handler needs to ask whether there is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NoReturn

from pytest_k6api.api.ports import CommandResult, FailureSnapshot
from pytest_k6api.metrics import GroupSnapshot, MetricSnapshot, Snapshot
from pytest_k6api.model import (
    Command,
    ControlError,
    RunStatus,
    ScenarioSnapshot,
    StatusSnapshot,
    path_id,
)

_STATUS: Final = StatusSnapshot(
    status=RunStatus.CREATED,
    paused=False,
    vus=0,
    vus_max=0,
    stopped=False,
    running=False,
    tainted=False,
    elapsed=0.0,
)
_SNAPSHOT: Final = Snapshot(
    elapsed=0.0, metrics={}, root=GroupSnapshot(id=path_id(""), path="", name="")
)


def _refuse() -> NoReturn:
    raise ControlError("No load test", "no load test of this session has started yet", status=409)


class NoLoadTest:
    """Stands in for the first load test; see `LoadTestPort` for what each member means.

    Args:
        end_session: Lets the session end after the test that runs.
    """

    id = ""
    name = ""
    outcome: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    status = _STATUS
    unresponsive = 0.0
    scenarios: Sequence[ScenarioSnapshot] = ()
    failures: Sequence[FailureSnapshot] = ()
    setup_data: str | None = None

    def __init__(self, end_session: Callable[[], None]) -> None:
        self._end_session = end_session

    async def read_status(self) -> StatusSnapshot:
        """Return k6's state at its start."""
        return _STATUS

    async def read_scenarios(self) -> Sequence[ScenarioSnapshot]:
        """Return none."""
        return ()

    async def snapshot(self) -> Snapshot:
        """Return nothing measured."""
        return _SNAPSHOT

    async def metric(self, _metric_id: str, _stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return None: nothing was measured."""
        return None

    async def execute(self, command: Command) -> CommandResult:
        """Refuse any command but the end of the session; an empty one is fine."""
        if command.scenario is not None:
            raise KeyError(command.scenario)
        if command.stopped and command.whole_session:
            self._end_session()
            return CommandResult(status=replace(_STATUS, stopped=True), scenarios=())
        if command != Command():
            _refuse()
        return CommandResult(status=_STATUS, scenarios=())

    async def run_setup(self) -> str | None:
        """Refuse."""
        _refuse()

    async def replace_setup_data(
        self,
        text: str | None,  # noqa: ARG002 - the port's signature
    ) -> None:
        """Refuse."""
        _refuse()

    async def run_teardown(self) -> None:
        """Refuse."""
        _refuse()
