"""Iterations of one virtual user: the code around the user's function, as executors call it.

An iteration costs little beside what the user's function does
(``benchmarks/bench_iteration.py``): no task, no cancel scope. To interrupt one, an
executor calls `interrupt`, so that later samples are dropped, and cancels the scope
that the VU runs in. An iteration that a schedule started late is recorded with its
lateness, unless it was interrupted.
"""

import json

import trio

from pytest_k6api.model import ITERATION_ROWS, SampleBuffer
from pytest_k6api.model.metrics import (
    ITERATION_LATENESS,
    ITERATIONS_SKIPPED,
    RESPONSE_TIME_FROM_DUE,
)
from pytest_k6api.vu.callers import make_caller, target_of
from pytest_k6api.vu.context import Ruling, ScenarioContext, find_stop
from pytest_k6api.vu.failures.failure import FailureKind
from pytest_k6api.vu.fixtures import VUFixtures, resolve_vu_fixtures
from pytest_k6api.vu.stuck_tasks import Abandoned
from pytest_k6api.vu.user_functions import NotAwaitedError, UserFunction
from pytest_k6api.vu.vu import become, current_vu

CLOSE_TIMEOUT = 30.0
"""Seconds that the VU fixtures of one virtual user may take to be torn down."""


class VirtualUser:
    """One virtual user: runs the scenario's function once for each call.

    Made inside of a Trio run; used by one task at a time.

    Args:
        number: The VU's number in its load test, from 1.
        scenario: Context of its scenario.
    """

    __slots__ = (
        "_arguments",
        "_call",
        "_caller",
        "_failed_teardowns",
        "_fixtures",
        "_groups",
        "_is_closing",
        "_kept",
        "_recorder",
        "_renews",
        "_scenario",
        "_setup_data",
        "id",
        "vu",
    )

    def __init__(self, number: int, scenario: ScenarioContext) -> None:
        function, options = scenario.function, scenario.options
        self.id = number
        self._scenario = scenario
        self._caller = caller = make_caller(
            function,
            number,
            load=scenario.load,
            tag_context=scenario.tag_context,
            scenario=options.name,
            env=options.env,
        )
        self.vu = caller.vu
        self.vu.iteration = -1  # the first is 0
        self._groups = caller.context.groups
        self._recorder = caller.context.groups.recorder
        self._call = target_of(function, caller)
        self._arguments: dict[str, object] | None = None
        self._fixtures = VUFixtures(resolve_vu_fixtures(function), self._own, caller.call)
        self._is_closing = False
        self._failed_teardowns = 0
        self._renews = caller.context.client.no_vu_connection_reuse
        self._kept: SampleBuffer | None = None
        self._setup_data: dict[str, object] = {}

    @property
    def iteration(self) -> int:
        """The number of its iteration that runs or has ended last, from 0; -1 before the first."""
        return self.vu.iteration

    def go_on(self, iterations: int) -> None:
        """Go on after `iterations` of a VU with the same number; before the first iteration."""
        self.vu._go_on(iterations)

    async def run_iteration(self, due_at: float | None = None) -> bool:
        """Run the scenario's function once, record its outcome, and return whether it failed.

        It failed if it raised, or if its last request that failed got no response.
        Exceptions are counted and kept for the report. The executor waits for the rest
        of `min_iteration_duration`; an interruption there does not affect the iteration.

        Args:
            due_at: Due time of the iteration in Trio's time, if a schedule has one; the
                lateness is recorded.

        Source: k6 v1.1.0, ``internal/js/runner.go``, ``ActiveVU.RunOnce``.
        """
        now = self._groups.now
        self._enter()
        self.vu.iteration += 1
        self.vu._paced_at = came = began = now()
        late = trio.current_time() - due_at if due_at is not None else None
        failed = 0
        try:
            if self._arguments is None:
                await self._fixtures.set_up()
                self._arguments = self._fixtures.arguments(self._scenario.function)
                began = now()
            await self._call(**self._arguments)
        except BaseException as error:
            failed = self._take_error(error)
            if failed < 0:
                raise
        ended = now()
        if self._renews:
            self._caller.context.client.close()
        if self._kept is not None:
            self._record_bytes()
            return False
        recorder = self._recorder
        duration_us = int((ended - began) * 1e6 + 0.5)
        recorder.buffer.rows[ITERATION_ROWS].append(
            (
                self._groups.root.id,
                duration_us,
                failed,
                recorder.bytes_sent,
                recorder.bytes_received,
            )
        )
        if late is not None:
            self._record_lateness(late, late + ended - came)
        return failed == 1 or (recorder.failed is not None and recorder.got_no_response)

    def interrupt(self) -> None:
        """Drop all later records of the running iteration, which is about to be cancelled."""
        if self._kept is None:
            self._kept = self._recorder.cut()

    def abandon(self, line: str) -> None:
        """Give up running code, because its task was abandoned at `line` of the user's code."""
        if not self._is_closing:
            self._record_bytes()
        if not self._caller.abandon():
            self._scenario.load.stuck.note(Abandoned(self._scenario.options.name, line))

    async def close(self) -> int:
        """Tear down the VU's fixtures, also in a cancelled scope, and close its connections.

        Returns:
            How many fixtures raised, or took longer than `CLOSE_TIMEOUT`.
        """
        self._enter()
        self._arguments = None
        self._is_closing = True
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True) as scope:
            await self._fixtures.tear_down(self._report_fixture)
        if scope.cancelled_caught:
            self._report_fixture(
                TimeoutError(f"tearing down VU fixtures took longer than {CLOSE_TIMEOUT:g} seconds")
            )
        self._caller.close()
        self._record_bytes()
        self._recorder.cut()  # an abandoned thread may still write
        return self._failed_teardowns

    def _own(self, function: UserFunction) -> dict[str, object]:
        if "setup_data" in function.parameters and not self._setup_data:
            # Decoded once: each VU has a copy of its own, which a later PUT does not change.
            text = self._scenario.setup_data()
            self._setup_data = {"setup_data": json.loads(text) if text is not None else None}
        return {"vu": self._caller.vu_for(function), **self._setup_data}

    def _enter(self) -> None:
        vu, recorder = self.vu, self._recorder
        if current_vu.get(None) is not vu:
            become(vu)
        if self._kept is not None:  # after an interrupted iteration: record again
            recorder.buffer = self._kept
            self._kept = None
        groups = self._groups
        if groups.open:
            groups.open.clear()
        recorder.context = groups.root
        recorder.bytes_sent = recorder.bytes_received = 0
        recorder.failed = None

    def _record_lateness(self, late: float, took: float) -> None:
        tags_id = self._groups.root.id
        self._recorder.buffer.samples += (
            (ITERATION_LATENESS, tags_id, max(0, round(late * 1e6))),
            (RESPONSE_TIME_FROM_DUE, tags_id, round(took * 1e6)),
        )

    def _record_bytes(self) -> None:
        recorder = self._recorder
        if recorder.bytes_sent or recorder.bytes_received:
            buffer = recorder.buffer if self._kept is None else self._kept
            buffer.rows[ITERATION_ROWS].append(
                (
                    self._groups.root.id,
                    None,
                    None,
                    recorder.bytes_sent,
                    recorder.bytes_received,
                )
            )

    def _take_error(self, error: BaseException) -> int:
        # 1 for a failure, 0 for a skip, -1 for an exception that is raised again.
        load = self._scenario.load
        match load.exceptions.judge(error):
            case Ruling.FAILED:
                if self._kept is None:
                    is_set_up = self._arguments is not None
                    kind = FailureKind.ITERATION if is_set_up else FailureKind.VU_FIXTURE
                    load.failures.add(kind, error, self.vu)
                    if isinstance(error, NotAwaitedError):
                        (load.refuse or load.stop)(str(error))
                return 1
            case Ruling.SKIPPED:
                if stop := find_stop(error):
                    load.grant(stop)
                if self._kept is None:
                    self._recorder.buffer.samples.append(
                        (ITERATIONS_SKIPPED, self._groups.root.id, 1.0)
                    )
                return 0
            case Ruling.INTERRUPTED:
                self._record_bytes()
        return -1

    def _report_fixture(self, error: BaseException) -> None:
        load = self._scenario.load
        if load.exceptions.judge(error) is Ruling.NOT_OURS:
            raise error
        self._failed_teardowns += 1
        load.failures.add(FailureKind.VU_FIXTURE, error, self.vu)
