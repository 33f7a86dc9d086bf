"""A virtual user that only sleeps, and a load test made of such: for tests in virtual time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing

from pytest_k6api.model import (
    Command,
    Layer,
    Recorder,
    SampleBuffer,
    ScenarioOptions,
    TagContext,
    TagTable,
    resolve_scenario,
)
from pytest_k6api.model.metrics import DROPPED_ITERATIONS
from pytest_k6api.scheduling import WHOLE, ExecutionSegment, RunOutcome, Scheduler


@dataclass
class Start:
    """One iteration that began."""

    at: float
    vu: int
    scenario: str
    due_at: float | None


class SleepingVU:
    """A virtual user whose iterations sleep."""

    def __init__(self, load: "Load", scenario: str, number: int) -> None:
        self.id = number
        self._load = load
        self._scenario = scenario
        self._iteration = 0
        self._is_cut = False
        load.alive += 1

    @property
    def iteration(self) -> int:
        return self._iteration - 1

    def go_on(self, iterations: int) -> None:
        self._iteration = iterations

    async def run_iteration(self, due_at: float | None = None) -> bool:
        load = self._load
        load.starts.append(Start(load.now, self.id, self._scenario, due_at))
        iteration, self._iteration = self._iteration, self._iteration + 1
        lasts = load.iteration
        seconds = lasts(self.id, iteration) if callable(lasts) else lasts
        if seconds:
            await trio.sleep(seconds)
        if not self._is_cut:
            load.finished += 1
        return load.fails(self.id, iteration)

    def abandon(self, line: str) -> None:
        self._load.abandoned.append(line)

    def interrupt(self) -> None:
        assert not self._is_cut
        self._is_cut = True
        self._load.cut += 1

    async def close(self) -> int:
        if self._load.closing:
            await trio.sleep(self._load.closing)
        self._load.closed.append(self.id)
        self._load.alive -= 1
        return 0


@dataclass
class Load:
    """A load test under test, and all that its virtual users did.

    Attributes:
        iteration: Seconds that an iteration takes, or a function of VU and number.
        closing: Seconds that it takes to end a VU.
        fails: Tells of VU and number whether an iteration fails.
    """

    scenarios: Sequence[ScenarioOptions]
    iteration: float | Callable[[int, int], float] = 0.1
    closing: float = 0.0
    fails: Callable[[int, int], bool] = lambda _vu, _number: False
    setup: Callable[[], Awaitable[None]] | None = None
    teardown: Callable[[], Awaitable[None]] | None = None
    paused: bool = False
    segment: ExecutionSegment = WHOLE
    make: Callable[["Load", str, int], SleepingVU] = SleepingVU
    starts: list[Start] = field(default_factory=list)
    finished: int = 0
    cut: int = 0
    closed: list[int] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    alive: int = 0

    def __post_init__(self) -> None:
        self.buffer = SampleBuffer()
        table = TagTable()
        self.recorders = {
            options.name: Recorder(self.buffer, TagContext(table, {"scenario": options.name}))
            for options in self.scenarios
        }
        self.scheduler = Scheduler(
            self.scenarios,
            lambda options, number: self.make(self, options.name, number),
            self.recorders.__getitem__,
            setup=self.setup,
            teardown=self.teardown,
            paused=self.paused,
            segment=self.segment,
        )

    async def run(self) -> RunOutcome:
        """Run it; nothing may be left running afterwards."""
        self.began = trio.current_time()
        outcome = await self.scheduler.run()
        assert self.alive == 0
        return outcome

    async def tell(self, **command: Any) -> None:
        """Give it a command while it runs."""
        await self.scheduler.control.execute(Command(**command))

    def run_to_end(self) -> RunOutcome:
        """Run it in virtual time of its own."""
        return trio.run(self.run, clock=trio.testing.MockClock(autojump_threshold=0))

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return trio.current_time() - self.began

    @property
    def start_times(self) -> list[float]:
        """When iterations began, in milliseconds, ascending."""
        return [round(1000 * start.at) for start in self.starts]

    @property
    def dropped_samples(self) -> list[float]:
        """The values of the samples of dropped_iterations."""
        return [value for metric, _, value in self.buffer.samples if metric is DROPPED_ITERATIONS]


def scenario(executor: str, name: str = "test_it", **options: object) -> ScenarioOptions:
    """Return the plan of a scenario, checked and completed as those of users are."""
    return resolve_scenario(name, [Layer.read("test", {"executor": executor, **options})])
