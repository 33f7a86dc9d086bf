"""The load test that requests are about before there is one.

It reads as k6 reads right after its start (created, no VUs, nothing measured)
and refuses every command, so that no handler needs to ask whether there is one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NoReturn

from pytest_k6api.api.ports import Answer, CommandResult, ResultsPort
from pytest_k6api.metrics import GroupSnapshot, LoadTimeline, MetricSnapshot, Snapshot
from pytest_k6api.model import (
    Command,
    ControlError,
    RunStatus,
    ScenarioSnapshot,
    StatusSnapshot,
    TagTable,
    WorkerStatus,
    path_id,
)
from pytest_k6api.vu import Failure

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


class NoLoadTest:
    """Stands in for the first load test, as its own results; see `LoadTestPort`.

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
    workers: Sequence[WorkerStatus] = ()
    failures: Sequence[Failure] = ()
    setup_data: str | None = None

    def __init__(self, end_session: Callable[[], None]) -> None:
        self._end_session = end_session

    @property
    def live(self) -> ResultsPort:
        """Nothing."""
        return self

    def query(self, _metric_id: str, _stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return None."""

    def load_timeline(self, _since: int = 0, /) -> LoadTimeline:
        """Return an empty timeline."""
        return LoadTimeline(TagTable())

    async def read(self, question: Callable[[ResultsPort], Answer]) -> Answer:
        """Return the answer of a load test without results."""
        return question(self)

    async def snapshot(self) -> Snapshot:
        """Return an empty snapshot."""
        root = GroupSnapshot(id=path_id(""), path="", name="")
        return Snapshot(elapsed=0.0, metrics={}, root=root)

    async def report(self) -> Mapping[str, object]:
        """Return an empty document."""
        return {}

    async def execute(self, command: Command) -> CommandResult:
        """Refuse any command but the end of the session; an empty one is fine."""
        if command.scenario is not None:
            raise KeyError(command.scenario)
        if command.stopped and command.whole_session:
            self._end_session()
            return replace(CommandResult.of(self), status=replace(_STATUS, stopped=True))
        if command != Command():
            _refuse()
        return CommandResult.of(self)

    async def _refuse(self, *_: object) -> NoReturn:
        _refuse()

    run_setup = replace_setup_data = run_teardown = _refuse


def _refuse() -> NoReturn:
    raise ControlError("No load test", "no load test of this session has started yet", status=409)
