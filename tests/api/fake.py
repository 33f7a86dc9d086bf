"""A session and a load test that behave like real ones, without running anything.

The fakes implement the ports of ``pytest_k6api.api`` and keep their promises: a
change is carried out whole or not at all, a command that the loop cannot take
is left for it, an ended test refuses. Tests move a fake through its life with
`FakeLoadTest.enter`; phases have the names of the recorded exchanges of k6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import trio

from pytest_k6api.api import (
    CommandResult,
    Delivery,
    LoadTestPort,
    ResultsPort,
)
from pytest_k6api.metrics import GroupSnapshot, LoadTimeline, MetricSnapshot, Snapshot
from pytest_k6api.model import (
    Command,
    ControlError,
    MetricError,
    RunStatus,
    ScenarioSnapshot,
    ScenarioState,
    StatusSnapshot,
    TagTable,
    WorkerStatus,
    path_id,
)
from pytest_k6api.vu import Failure

Answer = TypeVar("Answer")

PHASES = {
    "created": RunStatus.CREATED,
    "init-vus": RunStatus.INIT_VUS,
    "paused-before-run": RunStatus.PAUSED_BEFORE_RUN,
    "setup": RunStatus.SETUP,
    "running": RunStatus.RUNNING,
    "paused-mid-run": RunStatus.RUNNING,
    "stopping": RunStatus.TEARDOWN,
    "teardown": RunStatus.TEARDOWN,
    "ended-linger": RunStatus.ENDED,
    "interrupted-linger": RunStatus.INTERRUPTED,
}
_STATES = {RunStatus.RUNNING: ScenarioState.RUNNING, RunStatus.ENDED: ScenarioState.ENDED}
_STARTED = range(RunStatus.STARTED, RunStatus.ENDED)
_OVER = (RunStatus.ENDED, RunStatus.INTERRUPTED)
_EMPTY_ROOT = GroupSnapshot(id=path_id(""), path="", name="")


@dataclass
class FakeScenario:
    """One scenario of a fake load test: its VUs, its rate, what was set by hand."""

    name: str = "default"
    executor: str = "constant-vus"
    vus: int = 2
    rate: float | None = None
    paused: bool = False
    overrides: dict[str, float] = field(default_factory=dict)


class FakeLoadTest:
    """A load test as the API sees it; attributes may be set by tests at any time.

    Attributes:
        vus: VUs that run while it runs.
        vus_max: VUs that may be initialised; `initialised` are.
        waiting: Whether its scenario's start time is still to come.
        blocked: Seconds for which the loop has not moved; commands wait for `unblock`.
        setup: Stands for the user's function; returns JSON, or raises `ControlError`.
        session_ended: Whether somebody asked to end the whole session.
    """

    def __init__(
        self, phase: str = "running", *, vus: int = 2, vus_max: int = 5, test_id: str = "t1"
    ) -> None:
        self.id = test_id
        self.name = "tests/test_shop.py::test_browse"
        self.shown: Mapping[str, object] = {}
        self.timeline = LoadTimeline(TagTable())
        self.outcome: str | None = None
        self.started_at: float | None = 1_800_000_000.0
        self.ended_at: float | None = None
        self.vus = vus
        self.vus_max = self.starting_max = self.initialised = vus_max
        self.paused = self.stopped = self.tainted = False
        self.elapsed = 3.5
        self.blocked = 0.0
        self.waiting = False
        self.metrics: dict[str, MetricSnapshot] = {}
        self.root = _EMPTY_ROOT
        self.failures: Sequence[Failure] = ()
        self.workers: Sequence[WorkerStatus] = ()
        self.scenario = FakeScenario(vus=vus)
        self.setup: Callable[[], str | None] | None = None
        self.teardown: Callable[[], None] = lambda: None
        self.setup_data: str | None = None
        self.setup_runs = self.teardown_runs = 0
        self.session_ended = False
        self.phase = RunStatus.CREATED
        self._left: list[Command] = []
        self.enter(phase)

    def enter(self, phase: str) -> None:
        """Move to `phase`, one of `PHASES`, with what belongs to it."""
        self.phase = PHASES[phase]
        if phase.startswith("paused"):
            self.paused = True
        if phase in ("stopping", "interrupted-linger"):
            self.stopped = True
        if self.phase in _OVER:
            self.outcome = "interrupted" if self.phase == RunStatus.INTERRUPTED else "passed"
            self.ended_at = 1_800_000_060.0

    def unblock(self) -> None:
        """Let the loop move: it takes what was left for it."""
        self.blocked = 0.0
        left, self._left = self._left, []
        for command in left:
            self._apply(command)

    @property
    def status(self) -> StatusSnapshot:
        is_active = self.phase == RunStatus.RUNNING and not (self.paused or self.waiting)
        return StatusSnapshot(
            status=self.phase,
            paused=self.paused,
            vus=self.vus if is_active else 0,
            vus_max=self.initialised,
            stopped=self.stopped,
            running=self.phase in _STARTED,
            tainted=self.tainted,
            elapsed=self.elapsed,
        )

    @property
    def unresponsive(self) -> float:
        return self.blocked

    @property
    def scenarios(self) -> Sequence[ScenarioSnapshot]:
        scenario = self.scenario
        state = _STATES.get(self.phase, ScenarioState.WAITING)
        return (
            ScenarioSnapshot(
                name=scenario.name,
                executor=scenario.executor,
                state=ScenarioState.PAUSED if scenario.paused or self.paused else state,
                progress=0.25,
                vus=self.status.vus,
                vus_max=self.vus_max,
                iterations=40,
                interrupted=1,
                dropped=0,
                rate=scenario.rate,
                overrides=dict(scenario.overrides),
            ),
        )

    @property
    def live(self) -> ResultsPort:
        return self

    async def read(self, question: Callable[[ResultsPort], Answer]) -> Answer:
        await trio.lowlevel.checkpoint()
        return question(self)

    async def snapshot(self) -> Snapshot:
        await trio.lowlevel.checkpoint()
        return Snapshot(
            elapsed=self.elapsed, metrics=dict(self.metrics), root=self.root, tainted=self.tainted
        )

    def load_timeline(self, _since: int = 0, /) -> LoadTimeline | None:
        return None if self.blocked else self.timeline

    def query(self, metric_id: str, stats: Sequence[str] = ()) -> MetricSnapshot | None:
        if " " in metric_id.partition("{")[0]:
            raise MetricError(f"no metric can be called {metric_id!r}")
        if "{" in metric_id and not metric_id.endswith("}"):
            raise MetricError(f"cannot read the metric {metric_id!r}: a brace is open")
        found = self.metrics.get(metric_id)
        if found is None:
            return None
        known = {**found.extra, **found.sample}
        for name in stats:
            if name not in known and not name.startswith("p("):
                raise MetricError(f"{metric_id}: a {found.kind.value} has no {name!r}")
        percentiles = {name: 7.5 for name in stats if name not in known}
        return replace(found, extra={**found.extra, **percentiles})

    async def report(self) -> Mapping[str, object]:
        await trio.lowlevel.checkpoint()
        return self.shown

    async def execute(self, command: Command) -> CommandResult:
        await trio.lowlevel.checkpoint()
        if command.scenario not in (None, self.scenario.name):
            raise KeyError(command.scenario)
        if self.blocked:
            self._left.append(command)
            return self._result(Delivery.LATER)
        self._apply(command)
        return self._result(Delivery.DONE)

    def _result(self, delivery: Delivery) -> CommandResult:
        return CommandResult(status=self.status, scenarios=self.scenarios, delivery=delivery)

    def _apply(self, command: Command) -> None:
        if command.scenario is not None:
            self._apply_to_scenario(command)
            return
        if command.stopped:
            self.stopped = True
            self.session_ended = self.session_ended or command.whole_session
            return
        self._check_pause(command.paused)
        self._check_vus(command)
        if command.paused is not None:
            self.paused = command.paused
        self.vus = self.vus if command.vus is None else command.vus
        self.vus_max = self.vus_max if command.vus_max is None else command.vus_max
        if self.phase == RunStatus.RUNNING:
            self.initialised = self.vus_max

    def _check_pause(self, wanted: bool | None) -> None:
        if wanted is None:
            return
        if self.phase in _OVER and not self.paused:
            raise ControlError("Pause error", "the load test has ended", status=500)
        if wanted and self.paused:
            before = self.phase == RunStatus.PAUSED_BEFORE_RUN
            detail = (
                "execution is already paused" if before else "test execution was already paused"
            )
            raise ControlError("Pause error", detail, status=500)
        if not wanted and not self.paused:
            raise ControlError("Pause error", "test execution wasn't paused", status=500)

    def _check_vus(self, command: Command) -> None:
        if not command.changes_vus:
            return
        vus = self.vus if command.vus is None else command.vus
        most = self.vus_max if command.vus_max is None else command.vus_max
        if self.phase in _OVER:
            self._refuse("the load test has ended")
        if vus < 0:
            self._refuse("invalid configuration supplied: the number of VUs can't be negative")
        if vus > most:
            self._refuse(
                f"invalid configuration supplied: the number of active VUs ({vus}) must be less"
                f" than or equal to the number of maxVUs ({most})"
            )
        if most < self.starting_max:
            self._refuse(
                "the new number of max VUs cannot be lower than the starting number of max VUs"
                f" ({self.starting_max})"
            )

    def _refuse(self, detail: str) -> None:
        raise ControlError("Config update error", detail, status=400)

    def _apply_to_scenario(self, command: Command) -> None:
        scenario = self.scenario
        if command.paused is not None:
            scenario.paused = command.paused
        for key, value in (("vus", command.vus), ("rate", command.rate)):
            if value is not None:
                scenario.overrides[key] = value
        for key in command.give_back:
            scenario.overrides.pop(key, None)

    async def run_setup(self) -> str | None:
        await trio.lowlevel.checkpoint()
        self.setup_runs += 1
        if self.setup is not None:
            self.setup_data = self.setup()
        return self.setup_data

    async def replace_setup_data(self, text: str | None) -> None:
        await trio.lowlevel.checkpoint()
        self.setup_data = text

    async def run_teardown(self) -> None:
        await trio.lowlevel.checkpoint()
        self.teardown_runs += 1
        self.teardown()


class FakeSession:
    """A session with the load tests it is given; the last one is current."""

    def __init__(self, *load_tests: LoadTestPort) -> None:
        self.load_tests: list[LoadTestPort] = list(load_tests)
        self.has_ended = False

    def end(self) -> None:
        self.has_ended = True

    @property
    def current(self) -> LoadTestPort | None:
        return self.load_tests[-1] if self.load_tests else None
