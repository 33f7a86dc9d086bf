"""A load test's run on workers: this process steers them, merges what they measure, and judges.

Setup and teardown run here, once. Workers are told everything that the scheduler of one
process would do: when the clock starts, when a scenario begins, commands, the end. The
lost worker's share is missing from then on, and what it told until then counts.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import trio

from pytest_k6api.distributed import (
    EndWanted,
    Finish,
    Fleet,
    FleetError,
    NewSetupData,
    Start,
    Stop,
    Worker,
    WorkerReport,
)
from pytest_k6api.metrics import SerializationError
from pytest_k6api.model import Command, ScenarioOptions, StatusSnapshot, Takeover, WorkerStatus
from pytest_k6api.run.endings import trouble_of
from pytest_k6api.run.loop_portal import LoopPortal
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.runs.merged_metrics import MergedMetrics
from pytest_k6api.run.runs.remote_executor import LEAD, RemoteExecutor
from pytest_k6api.run.runs.succession import Succession
from pytest_k6api.run.runs.supervised_run import SupervisedRun
from pytest_k6api.run.settings import RunSettings, UserCode, Workforce
from pytest_k6api.scheduling import ExecutorContext, ExecutorPlan, RunOutcome
from pytest_k6api.vu import receive_failures, receive_setup_failure

_TOLD_AFTER = 0.2
"""Seconds after a second of test-run time at which workers have told of it, as a rule."""


class DistributedRun(SupervisedRun):
    """One load test on workers, from its wiring to its end."""

    def __init__(
        self,
        plan: LoadTestPlan,
        code: UserCode,
        settings: RunSettings,
        portal: LoopPortal,
        workforce: Workforce,
    ) -> None:
        self._workforce = workforce
        self._fleet = Fleet(workforce.workers, self)
        self._forwarded: list[Command] = []
        self._early: list[Command] = []  # before setup, when workers may not be there
        self._one_command = trio.Lock()
        self._preparing = trio.CancelScope()
        self._has_load = False
        self._finished_shares: set[Worker] = set()
        self._failing: list[Worker] = []
        self._survived: list[Worker] = []
        self._executors: dict[str, RemoteExecutor] = {}
        self._succession = Succession(self._fleet, workforce, self._join, self._give_up)
        self._aborts = any(each.abort_on_fail for each in plan.thresholds)
        super().__init__(plan, code, settings, portal)
        self.setup_teardown.on_data = lambda text: self._fleet.tell(NewSetupData(text=text))

    def _collect(self, plan: LoadTestPlan, settings: RunSettings) -> MergedMetrics:
        self._metrics = metrics = MergedMetrics(plan, settings, lambda: self.elapsed)
        self._merger = metrics.merger
        return metrics

    def _make_executor(
        self, options: ScenarioOptions, plan: ExecutorPlan, context: ExecutorContext
    ) -> RemoteExecutor:
        executor = self._executors[options.name] = RemoteExecutor(
            options,
            plan,
            context,
            fleet=self._fleet,
            forward=self._forwarded.append,
            leave=self._leave_if_asked,
        )
        return executor

    def status(self) -> StatusSnapshot:
        """Return the status as of now, summed up over workers."""
        status = super().status()
        told = (worker.status for worker in self._fleet.workers)
        vus_max = sum(each.vus_max for each in told if each is not None)
        return replace(status, vus_max=max(status.vus_max, vus_max))

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Return the state of each worker."""
        return self._fleet.describe()

    def warnings(self) -> tuple[str, ...]:
        """Return warnings beside those of the engine, one sentence each."""
        losses = [each.loss for each in self._survived]
        return (*losses, *super().warnings(), *dict.fromkeys(self._warnings_of_workers()))

    def trouble(self, outcome: RunOutcome | None) -> tuple[str, ...]:
        """Return failures of setup, teardown, VU fixtures and workers, one sentence each."""
        finished = [each.finished for each in self._fleet.workers if each.finished]
        failed_teardowns = sum(each.failed_teardowns for each in finished)
        texts = [text for each in finished for text in (*each.trouble, each.error) if text]
        refusals = [
            f"worker {each.number}: {each.refusal}"
            for each in self._fleet.workers
            if each.refusal and each.is_prepared
        ]
        losses = [each.loss for each in self._failing]
        troubles = trouble_of(outcome, failed_teardowns)
        return (*losses, *troubles, *dict.fromkeys(texts), *refusals)

    def stop(self, reason: str) -> None:
        """End it now, for `reason`: iterations are interrupted, teardown still runs."""
        super().stop(reason)
        self._succession.end()
        self._preparing.cancel()
        self._fleet.tell(Stop(reason=reason))

    async def execute(self, command: Command) -> None:
        """Carry out all of `command` but a stop, or nothing; return when all workers have."""
        async with self._one_command:
            self._forwarded.clear()
            await super().execute(command)
            steps, self._forwarded[:] = list(self._forwarded), []
            if not self._scheduler.control.has_started:
                self._early += steps
                return
            if command.paused is not None:
                pause = Command(scenario=command.scenario, paused=command.paused)
                steps.insert(0, pause)
            for step in steps:
                await self._fleet.steer(
                    step, None if step.paused else self.elapsed, self._reached_at()
                )

    def take_report(self, worker: Worker, content: WorkerReport) -> None:
        """Take in what `worker` measured; nothing of one that was never to begin."""
        self._settings.on_output(content.output)
        name = str(worker.number)
        if not self._merger.awaits(name):
            return
        log, requests = self._generator.failures, self._metrics.requests
        try:
            self._merger.put(name, content.measured, worker.wall_clock.offset)
            self._metrics.slowest.take_in(content.slowest)
            receive_failures(content.failures, f"worker {name}", log, requests)
        except SerializationError as error:
            self._fleet.lose(worker, f"it sent {error}")
            return
        if worker.finished is not None:
            self._merger.leave(name)

    def note_end_wanted(self, worker: Worker, wanted: EndWanted) -> None:
        """End the load test, because user code on `worker` asks for it."""
        match wanted.how:
            case "stop":
                self._end_by_itself(self.stop, wanted.reason)
            case "refuse":
                self.stop(wanted.reason)
            case "finish":
                self._end_by_itself(self._finish, wanted.reason)
            case _:
                self._finished_shares.add(worker)
                is_all = self._finished_shares.issuperset(self._fleet.live)
                if is_all and not self._fleet.lacks_shares:
                    self._end_by_itself(self._finish, wanted.reason)

    def note_loss(self, worker: Worker) -> None:
        """Find a successor for `worker`, or end the load test: a part of its load is missing."""
        kept_until = self._merger.leave(str(worker.number))
        if worker.state and worker.content is not None:
            kept_until = worker.content.status.elapsed  # it told all, not whole seconds alone
        worker.note_loss(self.elapsed, kept_until)
        if worker.refusal and not worker.is_prepared and not worker.is_joining:
            return  # the reason is given where all are waited for
        self._settings.tell(worker.loss)
        if worker.finished is not None or (self._is_done(worker) and kept_until >= worker.idle_at):
            return  # all of its share is done, and told
        if self._workforce.start_successor is None:
            self._give_up(worker)
            return
        self._survived.append(worker)
        if not (self.status().stopped or self._is_done(worker)):
            self._succession.follow(worker)

    def _is_done(self, worker: Worker) -> bool:
        return worker in self._finished_shares or (
            worker.ended | worker.idle >= self._executors.keys()
        )

    def _give_up(self, worker: Worker, reason: str = "") -> None:
        if worker in self._survived:
            self._survived.remove(worker)
        self._failing.append(worker)
        worker.lost = "; ".join(filter(None, (worker.lost, reason)))
        if not self.status().stopped:
            self.ending.lost_worker = True
            self.stop(worker.loss)

    def _join(self, successor: Worker) -> None:
        if not self._has_load:
            successor.is_joining = False  # it starts with the others
            return
        self._start(successor)
        former = successor.follows
        assert former is not None
        self._settings.tell(f"{successor} goes on for worker {former.number}")

    def _start(self, worker: Worker) -> None:
        self._merger.join(str(worker.number), self.elapsed)
        former = worker.follows
        if former is not None:
            former.successor, worker.began_at = worker, self.elapsed
        start = Start(
            elapsed=self.elapsed,
            load_began_at=self._load_began_at,
            setup_data=self.setup_teardown.data,
            rows=worker.begins_after,
            takeover=self._takeover_from(former) if former else None,
            state=former.state if former else b"",
        )
        self._fleet.start(worker, lambda: self.elapsed, start, self._reached_at())
        for executor in self._executors.values():
            executor.announce(worker)

    def _reached_at(self) -> float:
        """Return the loop's time at which test-run time reads as it does: later where it waits."""
        moment = self._scheduler.clock.trio_time(self.elapsed)
        return trio.current_time() if math.isinf(moment) else moment

    def _takeover_from(self, former: Worker) -> Takeover:
        lost_at = self._load_began_at if former.lost_at is None else former.lost_at
        return Takeover(
            is_paused=self._scheduler.control.is_paused,
            scenarios={
                name: executor.hand_over(former, lost_at)
                for name, executor in self._executors.items()
            },
        )

    async def _run_phases(self, services: trio.Nursery) -> RunOutcome:
        await services.start(self._succession.run)
        await services.start(self._fleet.run)
        with self._preparing:
            await self._prepare()
        try:
            return await super()._run_phases(services)
        finally:
            self._succession.end()
            with trio.CancelScope(shield=True):
                await self._fleet.close()

    async def _prepare(self) -> None:
        try:
            force = self._workforce
            await self._fleet.prepare([*self._fleet.live], force.order, force.fingerprint)
        except FleetError as error:
            self._note_refusals()
            self.stop(str(error))
        else:
            await self._fleet.wait_for_shares(lambda _: True)

    def _note_refusals(self) -> None:
        for worker in self._fleet.workers:
            told = worker.refused
            if told is not None and told.traceback:
                receive_setup_failure(
                    told.text.removeprefix("setup failed: "),
                    told.location,
                    told.traceback,
                    f"worker {worker.number}",
                    self._generator.failures,
                )

    async def _set_up(self) -> None:
        async with self._one_command:
            for command in self._early:
                await self._fleet.steer(command)
        await super()._set_up()
        self._has_load = True
        # Test-run time waits until all have heard that it goes on.
        self._scheduler.clock.synchronise(self._load_began_at, trio.current_time() + LEAD)
        for executor in self._executors.values():
            executor.plan_start(self._load_began_at)
        for worker in self._fleet.live:
            self._start(worker)

    async def _tear_down(self) -> None:
        # Windows are judged for the last time now, so all that was measured has to be there.
        await self._fleet.wait_until(
            lambda worker: worker.finished is not None or not worker.is_running
        )
        await super()._tear_down()

    def _finish(self, reason: str) -> None:
        message = Stop(reason=reason) if self.status().stopped else Finish(reason=reason)
        super()._finish(reason)
        self._succession.end()
        self._preparing.cancel()
        self._fleet.tell(message)

    async def _wait_to_judge(self) -> None:
        if not self._aborts:
            await super()._wait_to_judge()
            return
        # What was measured in a second is known soon after its end.
        await trio.sleep(1.0 - self.elapsed % 1.0 + _TOLD_AFTER)

    def _record_turn(self, late: float, busy: float, elapsed: float) -> None:
        """Do nothing: workers record their own loops, and this one makes no load."""

    def _check_descriptors(self) -> None:
        """Do nothing: workers open the connections."""

    def _leave_if_asked(self) -> None:
        for worker in self._fleet.workers:
            if worker.finished is not None and worker.finished.exit is not None:
                name, text, code = worker.finished.exit
                exits = self._settings.exceptions.exits
                kind = next((each for each in exits if each.__name__ == name), exits[0])
                raise kind(text) if code is None else kind(text, code)

    def _warnings_of_workers(self) -> Iterator[str]:
        for worker in self._fleet.workers:
            if worker.content is not None:
                yield from worker.content.warnings
                for limit in worker.content.figures.limits:
                    yield f"worker {worker.number}: {limit}"
