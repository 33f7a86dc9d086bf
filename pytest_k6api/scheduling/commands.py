"""Execution of commands to a running load test: pause, resume, scale.

A command is checked as a whole before any part of it is carried out. It returns at
once, or for a pause when no iteration runs; it never waits for something that
cannot happen. Error titles and texts are k6's where k6 has them. Commands that k6
supports in one executor only work in all of them here.

    the load test is           pause                     resume
    -------------------------  ------------------------  -------------------------
    paused before its start    refused: already paused   it starts
    about to start             it waits for a resume     refused: not paused
    in setup, or running       done when none iterates   refused: not paused
    paused                     refused: already paused   it continues
    stopped, or in teardown    refused: it has ended     refused: it has ended

A pause does not interrupt setup: the scenarios after it wait.

Source: k6 v1.1.0, ``internal/execution/scheduler.go``, ``SetPaused``, and
``lib/executor/externally_controlled.go``, ``UpdateConfig``.
"""

from collections.abc import Sequence

import trio

from pytest_k6api.model import Command, ControlError, ExecutorKind
from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.executors import Executor
from pytest_k6api.scheduling.scenario_runs import ScenarioRun
from pytest_k6api.vu import WakeEvent

_PAUSE_ERROR = "Pause error"
_EXECUTION_ERROR = "Execution config error"


class Control:
    """Executes commands to one load test; called in its Trio loop.

    Attributes:
        is_waiting: Whether the load test is paused before its start.
        has_started: Whether it has reached its setup.
        is_over: Whether it refuses all commands, because it has ended.
    """

    def __init__(self, runs: Sequence[ScenarioRun], clock: RunClock, wake: WakeEvent) -> None:
        self.is_waiting = False
        self.has_started = False
        self.is_over = False
        self._runs = runs
        self._clock = clock
        self._wake = wake
        self._is_paused = False
        self._was_paused = self._is_ending = False

    @property
    def is_paused(self) -> bool:
        """Whether the load test is paused now, before its start or in the middle."""
        return self.is_waiting or self._is_paused

    @property
    def reads_as_paused(self) -> bool:
        """Whether it is paused, or was when it was stopped, which k6 shows until the end."""
        return self.is_paused or self._was_paused

    async def execute(self, command: Command) -> None:
        """Carry out all of `command`, or nothing; a pause returns when no iteration runs.

        Without a scenario, VUs and rate are those of the first scenario that has not
        ended, in the order of start time and name; of an externally controlled one
        if there is one, as in k6.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        if command.scenario is None:
            await self._change_load_test(command)
        else:
            runs = {run.options.name: run for run in self._runs}
            await self._change_scenario(runs[command.scenario], command)

    async def _change_load_test(self, command: Command) -> None:
        executor = self._first_live() if command.changes_load else None
        paused = command.paused
        if paused is not None:
            self._check_pause(paused=paused)
        if executor is not None:
            executor.check(command)
        # Pause first: VUs that are added then start no iteration to wait for.
        if paused is not None:
            self._set_paused(paused=paused)
        if executor is not None:
            executor.apply(command)
        await trio.lowlevel.checkpoint()
        if paused:
            for run in self._runs:
                if run.executor is not None:
                    await run.executor.wait_until_idle()

    async def _change_scenario(self, run: ScenarioRun, command: Command) -> None:
        executor = run.executor
        if self.is_over or run.ended.is_set() or executor is None:
            raise ControlError(
                _EXECUTION_ERROR, f"the scenario '{run.options.name}' has ended", status=500
            )
        executor.check(command)
        if command.paused is not None:
            self._check_scenario_pause(run, paused=command.paused)
        if command.paused is True:
            executor.clock.stop()
        elif command.paused is False:
            executor.clock.resume()
        run.notice_clock()
        executor.apply(command)
        await trio.lowlevel.checkpoint()
        if command.paused:
            await executor.wait_until_idle()

    def hold(self) -> None:
        """Be paused, as the load test is that this instance goes on with."""
        if not self._is_paused:
            self._set_paused(paused=True)

    def release(self) -> None:
        """Resume a paused load test that is ending."""
        self._was_paused, self._is_ending = self.reads_as_paused, True
        self.is_waiting = False
        self._wake.set()
        if self._is_paused:
            self._go_on()

    def _first_live(self) -> Executor:
        live = [run.executor for run in self._runs if run.executor and not run.ended.is_set()]
        if self.is_over or not live:
            raise ControlError(
                _EXECUTION_ERROR, "there is no scenario left that could be changed", status=500
            )
        external = ExecutorKind.EXTERNALLY_CONTROLLED
        return next((each for each in live if each.options.executor is external), live[0])

    def _check_pause(self, *, paused: bool) -> None:
        refusal = None
        # A pause after a stop would delay the end.
        if self.is_over or self._is_ending:
            refusal = "the test execution has ended"
        elif self.is_waiting:
            refusal = "execution is already paused" if paused else None
        elif self._is_paused:
            refusal = "test execution was already paused" if paused else None
        elif not paused:
            refusal = "test execution wasn't paused"
        if refusal:
            raise ControlError(_PAUSE_ERROR, refusal, status=500)

    def _check_scenario_pause(self, run: ScenarioRun, *, paused: bool) -> None:
        name = run.options.name
        refusal = None
        if self._is_ending:
            refusal = "the test execution has ended"
        elif not run.is_running or run.executor is None:
            refusal = f"cannot pause the scenario '{name}' before it has started"
        elif paused and run.executor.clock.is_stopped:
            refusal = f"the scenario '{name}' was already paused"
        elif not paused and not run.executor.clock.is_stopped:
            refusal = f"the scenario '{name}' wasn't paused"
        if refusal:
            raise ControlError(_PAUSE_ERROR, refusal, status=500)

    def _set_paused(self, *, paused: bool) -> None:
        if self.is_waiting:
            self.is_waiting = False
            self._wake.set()
        elif paused and not self.has_started:
            self.is_waiting = True
        elif paused:
            self._is_paused = True
            self._clock.stop()
            self._notice_clock()
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._is_paused = False
        self._clock.resume()
        self._notice_clock()

    def _notice_clock(self) -> None:
        self._wake.set()
        for run in self._runs:
            run.notice_clock()
