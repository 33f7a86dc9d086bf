"""The run of one share of a load test, in a worker: what the controller tells is done here.

It has a scheduler like any other run, which is led: the controller says when its clock
starts, when each scenario begins, and what changes. What is measured waits here until
the controller asks for it.
"""

import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
import trio

from pytest_k6api.distributed import (
    Begin,
    EndScenario,
    EndWanted,
    Finish,
    Finished,
    GeneratorFigures,
    NewSetupData,
    Poll,
    PollAnswer,
    Prepared,
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
    UserOutput,
    WorkerReport,
)
from pytest_k6api.model import ControlError, ScenarioProgress
from pytest_k6api.protocols.http import ConnectionRoom
from pytest_k6api.run.endings import one_error
from pytest_k6api.run.generator import keep_pumping
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.runs.load_generator import LoadGenerator
from pytest_k6api.run.runs.worker_metrics import WorkerMetrics
from pytest_k6api.run.settings import RunSettings, UserCode
from pytest_k6api.scheduling import Scheduler
from pytest_k6api.vu import FailureReporter, RowClaims, WakeEvent, asyncio_loop


class ShareState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a worker has come with its share, for a successor; the controller keeps it packed.

    Attributes:
        scenarios: The progress of the scenarios that run, by name.
    """

    scenarios: Mapping[str, ScenarioProgress] = {}

    def pack(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def unpack(cls, data: bytes) -> "ShareState":
        """Return what `pack` made `data` of; nothing done for no bytes."""
        return msgspec.msgpack.decode(data, type=cls) if data else cls()


class ControllerLine(Protocol):
    """The line to the controller, in this loop."""

    def send(self, message: ToController) -> None:
        """Send `message` soon."""

    def flush(self) -> None:
        """Wait until all that was sent is on its way, whatever becomes of this process."""

    async def receive(self) -> ToWorker | None:
        """Return the next message; None once the line is broken."""


class WorkerRun:
    """One share of a load test, from its wiring to its end.

    Args:
        plan: The plan of the whole load test.
        code: The functions of its scenarios.
        settings: The settings of the run, with the segment that is the share.
        line: The line to the controller.
        now: The clock that the controller knows the offset of, in seconds.
        trouble: Returns further failures at the end, one sentence each.
        output: Returns what user code wrote since it was called before.
        wants_samples: Whether outputs or hooks of the controller take samples themselves.
        wants_state: Whether reports tell how far it has come, for a successor.
    """

    def __init__(
        self,
        plan: LoadTestPlan,
        code: UserCode,
        settings: RunSettings,
        line: ControllerLine,
        *,
        now: Callable[[], float] = time.perf_counter,
        trouble: Callable[[], Iterable[str]] = lambda: (),
        output: Callable[[], UserOutput] = UserOutput,
        wants_samples: bool = False,
        wants_state: bool = False,
    ) -> None:
        self._wants_state = wants_state
        self._settings = settings
        self._line = line
        self._now = now
        self._trouble = trouble
        self._output = output
        self._setup_data: str | None = None
        self._last_report = 0
        self._start: Start | None = None
        self._is_started = trio.Event()
        self._has_begun = trio.Event()
        self._is_released = trio.Event()
        self._is_finishing = False
        self._room = ConnectionRoom()
        self._metrics = WorkerMetrics(
            plan, settings, lambda: self.elapsed, wants_samples=wants_samples
        )
        self._generator = self._generate(wants_samples=wants_samples)
        self._failures = FailureReporter(self._generator.failures, self._metrics.requests)
        self._generator.add_scenarios(plan.scenarios, code.scenarios, lambda: self._setup_data)
        self._scheduler = Scheduler(
            plan.scenarios,
            self._generator.make_vu,
            self._generator.recorder_for,
            setup=self._wait_for_start,
            segment=settings.segment,
            stuck=self._generator.stuck,
            on_scenario_end=lambda name: self._line.send(ScenarioEnded(scenario=name)),
            on_idle=self._tell_idleness,
            is_led=True,
        )

    def _generate(self, *, wants_samples: bool) -> LoadGenerator:
        def ask(how: str) -> Callable[[str], None]:
            return lambda reason: self._line.send(EndWanted(reason=reason, how=how))

        return LoadGenerator(
            self._settings,
            self._metrics.buffer,
            self._metrics.tag_context,
            lambda: self.elapsed,
            stop=ask("stop"),
            finish=ask("finish"),
            finish_share=self._finish_share,
            refuse=ask("refuse"),
            rows=RowClaims(self._claim),
            has_samples=wants_samples,
        )

    def _tell_idleness(self, scenario: str, is_idle: bool) -> None:
        self._line.send(ScenarioIdle(scenario=scenario, is_idle=is_idle, elapsed=self.elapsed))

    def _claim(self, feeder: str, until: int) -> None:
        self._line.send(RowsClaimed(feeder=feeder, until=until))
        self._line.flush()

    @property
    def elapsed(self) -> float:
        """Seconds of test-run time."""
        return self._scheduler.clock.elapsed

    async def run(self) -> None:
        """Do what the controller tells until it releases this load test.

        Raises:
            BaseException: An exception of user code that ends more than its load test;
                the controller has been told.
        """
        async with self._generator.stuck.watched(), asyncio_loop(), trio.open_nursery() as services:
            await services.start(self._generator.http.run)
            services.start_soon(self._keep_pumping)
            services.start_soon(self._keep_listening, services)
            self._room.check(self._scheduler.status().vus_max)
            self._line.send(Prepared())
            leaving, error_text = None, ""
            try:
                with one_error():
                    await self._scheduler.run()
            except self._settings.exceptions.exits as error:
                leaving = type(error).__name__, str(error), getattr(error, "returncode", None)
            except SystemExit as error:  # to pytest a test that fails
                error_text = f"SystemExit: {error}"
            except Exception as error:  # noqa: BLE001 - told to the controller, whatever it is
                error_text = self._settings.render(error)
            self._line.send(self._last_words(leaving, error_text))
            await self._is_released.wait()
            services.cancel_scope.cancel()

    async def _wait_for_start(self) -> None:
        await self._is_started.wait()
        start = self._start
        assert start is not None
        self._setup_data = start.setup_data
        self._generator.load.rows.skip(start.rows)
        if start.takeover is not None:
            state = ShareState.unpack(start.state)
            self._scheduler.take_over(start.takeover, state.scenarios)
        self._synchronise(start.elapsed, start.at)
        self._metrics.load_began(start.load_began_at)
        clock = self._scheduler.clock
        if trio.current_time() < clock.trio_time(start.elapsed) < math.inf:
            await clock.wait_until(start.elapsed, WakeEvent())
        self._has_begun.set()

    def _synchronise(self, elapsed: float, at: float) -> None:
        moment = trio.current_time() + (at - self._now())
        self._scheduler.clock.synchronise(elapsed, moment)

    async def _keep_listening(self, services: trio.Nursery) -> None:
        reason = "the controller is gone"
        while (message := await self._line.receive()) is not None:
            if isinstance(message, Release):
                reason = ""
                break  # what follows is about another load test
            if isinstance(message, Steer):
                services.start_soon(self._steer, message)
            else:
                self._take(message)
        self._scheduler.stop(reason)
        self._is_released.set()

    def _take(self, message: ToWorker) -> None:
        match message:
            case Start():
                self._start = message
                self._is_started.set()
            case Begin():
                self._scheduler.begin(message.scenario, message.elapsed)
            case EndScenario():
                self._scheduler.end_idleness(message.scenario)
            case NewSetupData():
                self._setup_data = message.text
            case Poll():
                self._line.send(PollAnswer(content=self._report(message.number)))
            case Finish():
                self._finish(message.reason)
            case Stop():
                self._scheduler.stop(message.reason)

    async def _steer(self, message: Steer) -> None:
        if self._start is not None:
            await self._has_begun.wait()
        with suppress(ControlError):  # what it is about has ended here, or has no share here
            await self._scheduler.control.execute(message.command)
        if message.elapsed is not None:
            self._synchronise(message.elapsed, message.at)
        status, scenarios = self._scheduler.status(), tuple(self._scheduler.scenarios())
        self._room.check(status.vus_max)
        self._line.send(Steered(number=message.number, status=status, scenarios=scenarios))

    def _finish(self, reason: str) -> None:
        # The rows of this share may be used up before those of all are; a second `finish` would
        # be a stop, which the controller asks for by name.
        if not self._is_finishing:
            self._is_finishing = True
            self._scheduler.finish(reason)

    def _finish_share(self, reason: str) -> None:
        self._finish(reason)
        self._line.send(EndWanted(reason=reason, how="share"))

    def _last_words(self, leaving: tuple[str, str, int | None] | None, error_text: str) -> Finished:
        return Finished(
            content=self._report(self._last_report + 1, is_last=True),
            exit=leaving,
            error=error_text,
            failed_teardowns=self._scheduler.failed_teardowns,
            trouble=tuple(self._trouble()),
        )

    def _report(self, number: int, *, is_last: bool = False) -> WorkerReport:
        self._last_report = number
        scenarios, status = tuple(self._scheduler.scenarios()), self._scheduler.status()
        self._room.check(status.vus_max)  # an arrival rate adds some by itself
        return WorkerReport(
            number=number,
            # What is told to be done has to be told to be measured, too.
            measured=self._metrics.take(is_last=is_last or self._wants_state),
            failures=self._failures.take(is_last=is_last),
            status=status,
            scenarios=scenarios,
            figures=GeneratorFigures(
                cpu=_cpu_used(),
                memory=_memory(),
                late=self._metrics.take_lateness(),
                busy=self._metrics.busy_share,
                limits=self._metrics.warnings(),
            ),
            slowest=self._metrics.slowest.slowest(),
            warnings=(*self._room.warnings, *self._scheduler.warnings()),
            state=self._state() if self._wants_state else b"",
            output=self._output(),
        )

    def _state(self) -> bytes:
        return ShareState(scenarios=self._scheduler.report()).pack()

    async def _keep_pumping(self) -> None:
        await self._is_started.wait()
        await keep_pumping(self._metrics.pump, self._metrics.record_turn)


def _cpu_used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not on Linux: the greatest so far
        greatest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return greatest if sys.platform == "darwin" else greatest * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
