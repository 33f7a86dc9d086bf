"""Interfaces of a session and of a load test that the control API uses.

The API lives in a thread of its own; these protocols are all that it knows of the
rest. Properties answer at once, also while a scenario blocks the load test's loop.
Coroutines reach into that loop from the API's own. They do not hang: after
`PATIENCE` seconds a read answers from the last published state, and a command waits
for the blocked loop, as its result says (`Delivery.LATER`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from pytest_k6api.metrics import LoadTimeline, MetricSnapshot, Snapshot
from pytest_k6api.model import Command, ScenarioSnapshot, StatusSnapshot, WorkerStatus
from pytest_k6api.vu import Failure

Answer = TypeVar("Answer")

PATIENCE = 2.0
"""Seconds that the API waits for a load test's loop before it answers without it."""


class Delivery(Enum):
    """Outcome of a command: carried out, or waiting for the blocked loop."""

    DONE = "done"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """State of a load test after a command.

    Attributes:
        status: Its status.
        scenarios: Its scenarios.
        delivery: LATER if the command is still to be carried out.
    """

    status: StatusSnapshot
    scenarios: Sequence[ScenarioSnapshot]
    delivery: Delivery = Delivery.DONE

    @classmethod
    def of(cls, results: "ResultsPort") -> "CommandResult":
        """Return the state in `results`."""
        return cls(status=results.status, scenarios=results.scenarios)


class ResultsPort(Protocol):
    """Everything known of a load test at one moment."""

    @property
    def status(self) -> StatusSnapshot:
        """The status."""

    @property
    def scenarios(self) -> Sequence[ScenarioSnapshot]:
        """The scenarios, in the order of start time and name."""

    @property
    def workers(self) -> Sequence[WorkerStatus]:
        """The workers, in the order of their numbers; none where the load comes from one process."""

    @property
    def failures(self) -> Sequence[Failure]:
        """The grouped failures, most frequent first."""

    def load_timeline(self, since: int = 0, /) -> LoadTimeline | None:
        """Return a copy of the timeline; None in a published state, which has none.

        Args:
            since: A second: the copy is for documents of all points since then alone.
        """

    def query(self, metric_id: str, stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return one metric with any tag filter; None if it has no sample and no threshold.

        Args:
            metric_id: The name, with a filter in braces or without.
            stats: Further statistics, such as ``p(99.9)``; they are in its `extra` as
                they are written here, unless its `sample` has them.

        Raises:
            MetricError: The filter or one of `stats` cannot be read.
        """


class LoadTestPort(Protocol):
    """One load test, running or ended."""

    @property
    def id(self) -> str:
        """A short identifier that is unique in the session and fits into a URL."""

    @property
    def name(self) -> str:
        """The pytest node id."""

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``; None while it is not over."""

    @property
    def started_at(self) -> float | None:
        """Wall time of the start, in seconds since the epoch."""

    @property
    def ended_at(self) -> float | None:
        """Wall time of the end."""

    @property
    def live(self) -> ResultsPort:
        """Its state as last published, 20 times a second; failures every two seconds."""

    @property
    def unresponsive(self) -> float:
        """Seconds for which its event loop has been blocked; below 0.5 reads as 0."""

    @property
    def setup_data(self) -> str | None:
        """The setup data as JSON text; None when there is none."""

    async def read(self, question: Callable[[ResultsPort], Answer]) -> Answer:
        """Return the answer to `question` as of now, or as last published.

        Args:
            question: Called in the load test's loop, for less than a millisecond.

        Raises:
            Exception: Any exception of `question`.
        """

    async def snapshot(self) -> Snapshot:
        """Return everything measured, samples of the last 50 ms included."""

    async def report(self) -> Mapping[str, object]:
        """Return it as pages show it, ready for JSON, but for its timeline.

        It is some seconds old, so that any number of pages costs the load little.
        """

    async def execute(self, command: Command) -> CommandResult:
        """Carry out all of `command`, or nothing; return the state afterwards.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """

    async def run_setup(self) -> str | None:
        """Run setup now and return the new setup data as JSON text.

        Raises:
            ControlError: Setup failed or timed out.
        """

    async def replace_setup_data(self, text: str | None) -> None:
        """Make the JSON `text` the setup data; None removes it."""

    async def run_teardown(self) -> None:
        """Run teardown now.

        Raises:
            ControlError: Teardown failed or timed out.
        """


class SessionPort(Protocol):
    """The pytest session: its load tests, and the one that requests are about."""

    @property
    def load_tests(self) -> Sequence[LoadTestPort]:
        """All load tests so far, in the order of their start."""

    @property
    def current(self) -> LoadTestPort | None:
        """The load test that runs, else the last that ran; None before the first."""

    def end(self) -> None:
        """Let the session end after the test that runs."""
