"""One worker as the controller sees it: what it has said, and when."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pytest_k6api.distributed.carriers import WorkerCarrier
from pytest_k6api.distributed.clock_offset import ClockOffset
from pytest_k6api.distributed.frames import MessageReader
from pytest_k6api.distributed.messages import (
    Accepted,
    Echoed,
    Finished,
    Hello,
    Prepared,
    Refused,
    RowsClaimed,
    ScenarioEnded,
    ScenarioIdle,
    Steered,
    ToController,
    WorkerReport,
)
from pytest_k6api.model import ScenarioSnapshot, StatusSnapshot, WorkerState, WorkerStatus

_UNANSWERED = 1.5
"""Seconds without an answer to a poll from which a worker counts as blocked."""

_MEASURED = 0.5
"""Seconds over which a share of a core is measured, at least."""


class Worker:
    """One worker, for as long as its process lives.

    What belongs to one load test starts anew with `begin_load_test`.

    Attributes:
        number: Its number, from 1; each process has its own.
        share: The number of its share of the load, from 1.
        carrier: The way to it.
        begins_after: How many rows of feeders workers before it have claimed, by the feeders' keys.
        rows: How many it and they have claimed.
        frames: Cuts what comes from it into messages.
        clock: The offset of its own time to that of the controller's loop.
        wall_clock: The offset of its wall clock.
        hello: What it said first; None until then.
        heard_at: The controller's time at which it was last heard of.
        lost: Why it was given up; empty while it was not.
        follows: The worker that ran its share before, and was lost; None as a rule.
        successor: The worker that has gone on with its share since it was lost; None for none.
        awaits_successor: Whether one is being prepared.
        lost_at: Test-run time at which it was given up; None before the load.
        kept_until: Test-run time until which it has told of everything, when it was given up.
        echoes: How many echoes it was asked for.
        order: The number of the last order that it was given.
        is_listening: Whether it has accepted that order: what it says before is about another.
        is_joining: Whether it is being prepared for a share of a load test that has begun.
        began_at: Test-run time at which a successor was started; None before.
        state: What it told last of how far it has come, packed, for a successor.
        refused: Its refusal to run the load test; None if it can.
        is_prepared: Whether the load test is set up there.
        is_running: Whether it was told to start, and has not finished.
        ended: Names of the scenarios that have ended there.
        idle: Names of those of which it has nothing left to do, but others may.
        idle_at: Test-run time at which it became so last.
        steered: The number of the last command that it carried out.
        content: The last report.
        taken: The number of the last report that was taken in.
        asked_at: The controller's time of the poll that it has not answered.
        asked_echo: The number of the last echo request, and the controller's time and wall time of it.
        finished: Its last words on the load test; None until then.
        status: The state of its run as last heard; None before.
    """

    def __init__(
        self,
        number: int,
        carrier: WorkerCarrier,
        share: int = 0,
        rows: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.number = number
        self.share = share or number
        self.carrier = carrier
        self.begins_after, self.rows = dict(rows), dict(rows)
        self.frames = MessageReader()
        self.hello: Hello | None = None
        self.lost = ""
        self.lost_at: float | None = None
        self.kept_until = 0.0
        self.echoes = self.order = 0
        self.begin_load_test()

    def begin_load_test(self) -> None:
        """Forget what belongs to the load test before."""
        # Each load test has a loop of its own, whose clock begins anywhere.
        self.heard_at = -math.inf
        self.clock, self.wall_clock = ClockOffset(), ClockOffset()
        self.is_listening = self.is_joining = self.awaits_successor = False
        self.follows: Worker | None = None
        self.successor: Worker | None = None
        self.began_at: float | None = None
        self.state = b""
        self.refused: Refused | None = None
        self.is_prepared = self.is_running = False
        self.ended: set[str] = set()
        self.idle: set[str] = set()
        self.idle_at = 0.0
        self.steered = 0
        self.content: WorkerReport | None = None
        self.taken = 0
        self.asked_at: float | None = None
        self.finished: Finished | None = None
        self.asked_echo = (0, 0.0, 0.0)
        self._cpu_share = 0.0
        self._cpu_at: tuple[float, float] | None = None
        self.status: StatusSnapshot | None = None
        self._scenarios: Sequence[ScenarioSnapshot] = ()

    @property
    def refusal(self) -> str:
        """Why it cannot run the load test; empty if it can."""
        return self.refused.text if self.refused is not None else ""

    @property
    def is_lost(self) -> bool:
        """Whether it was given up."""
        return bool(self.lost)

    @property
    def loss(self) -> str:
        """When and how it was given up, and what of its work counts; empty while it was not."""
        if not self.lost:
            return ""
        if self.lost_at is None:
            share = (
                f" it could go on for worker {self.follows.number}" if self.follows else " the load"
            )
            return f"{self} was lost before{share}: {self.lost}"
        text = f"{self} was lost at {self.lost_at:.1f} s: {self.lost}"
        if self.successor is None or self.successor.began_at is None:
            return f"{text}; what it measured until {self.kept_until:.1f} s counts"
        return (
            f"{text}; nothing of its share counts from {self.kept_until:.1f} s to"
            f" {self.successor.began_at:.1f} s, when {self.successor} went on with it"
        )

    def __str__(self) -> str:
        return f"worker {self.number} ({self.carrier.name})"

    def note_loss(self, elapsed: float, kept_until: float) -> None:
        """Note that it was given up at `elapsed` of test-run time, and told all until `kept_until`."""
        if self.is_running:
            self.lost_at, self.kept_until = elapsed, kept_until
        # What it reported as done is done; what it told with an answer to a command is not measured.
        reported = self.content.scenarios if self.content else ()
        self.status = None
        self._scenarios = tuple(replace(each, vus=0, vus_max=0, rate=None) for each in reported)

    def scenario(self, name: str) -> ScenarioSnapshot | None:
        """Return the state of a scenario as last heard; None before."""
        return next((each for each in self._scenarios if each.name == name), None)

    def note(self, message: ToController) -> None:
        """Take what it has said, but for reports."""
        match message:
            case Hello():
                self.hello = message
            case Refused():
                self.refused = message
            case Accepted():
                self.is_listening = message.number == self.order
            case Prepared():
                self.is_prepared = True
            case ScenarioIdle() | ScenarioEnded():
                self._note_scenario(message)
            case RowsClaimed():
                self.rows[message.feeder] = message.until
            case Steered():
                self.steered = message.number
                self.note_state(message.status, message.scenarios)

    def _note_scenario(self, message: ScenarioIdle | ScenarioEnded) -> None:
        if isinstance(message, ScenarioEnded):
            self.ended.add(message.scenario)
            return
        self.idle_at = message.elapsed
        if message.is_idle:
            self.idle.add(message.scenario)
        else:
            self.idle.discard(message.scenario)

    def note_echo(self, echo: Echoed, now: float, wall: float) -> None:
        """Take the answer to the last echo request, which came at `now` and the wall time `wall`."""
        _, sent, sent_wall = self.asked_echo
        self.clock.add(sent=sent, received=now, theirs=echo.at)
        self.wall_clock.add(sent=sent_wall, received=wall, theirs=echo.wall)

    def note_state(self, status: StatusSnapshot, scenarios: Sequence[ScenarioSnapshot]) -> None:
        """Take the state that it has told."""
        self.status, self._scenarios = status, scenarios

    def note_report(self, content: WorkerReport, now: float) -> bool:
        """Take a report that came at `now`; return whether its parts are to be taken in."""
        self.asked_at = None
        self.note_state(content.status, content.scenarios)
        is_new = content.number > self.taken
        self.taken = max(self.taken, content.number)
        self.content = content
        self.state = content.state or self.state
        before, used = self._cpu_at, content.figures.cpu
        if before is not None and now - before[0] >= _MEASURED:
            self._cpu_share = (used - before[1]) / (now - before[0])
        if before is None or now - before[0] >= _MEASURED:
            self._cpu_at = now, used
        return is_new

    def describe(self, now: float) -> WorkerStatus:
        """Return its state at `now`, the controller's time."""
        figures = self.content.figures if self.content else None
        rates = [each.rate for each in self._scenarios if each.rate is not None]
        is_active = not self.is_lost and self.status is not None and self.finished is None
        return WorkerStatus(
            number=self.number,
            share=self.share,
            place=self.carrier.name,
            state=self._state(now),
            vus=self.status.vus if is_active and self.status else 0,
            rate=sum(rates) if rates and is_active else None,
            cpu=self._cpu_share if is_active else 0.0,
            memory=figures.memory if figures else 0,
            late=figures.late if figures and is_active else 0.0,
            clock_offset=self.wall_clock.offset,
            last_heard=now - self.heard_at if self.heard_at > -math.inf else None,
            lost=self.lost,
            lost_at=self.lost_at,
            kept_until=self.kept_until if self.lost_at is not None else None,
            follows=self.follows.number if self.follows else None,
            began_at=self.began_at,
            limits=figures.limits if figures else (),
        )

    def _state(self, now: float) -> WorkerState:
        if self.is_lost:
            return WorkerState.LOST
        if self.finished is not None:
            return WorkerState.FINISHED
        if self.asked_at is not None and now - self.asked_at > _UNANSWERED:
            return WorkerState.BLOCKED
        if self.is_running:
            return WorkerState.RUNNING
        return WorkerState.READY if self.hello is not None else WorkerState.STARTING

    def __repr__(self) -> str:
        return f"<Worker {self.number}, {self.carrier.name}{', lost' * self.is_lost}>"
