"""A load test as the control API's thread sees it.

Every question crosses the `Bridge` into the load test's loop. Where there is no
loop, before the start and after the end, nothing changes any more, and the
question is answered here; where the loop does not move, from what was last
published.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from pytest_k6api.api import (
    PATIENCE,
    Delivery,
    FailureSnapshot,
    ScenarioChange,
    ScenarioSnapshot,
    StatusChange,
)
from pytest_k6api.metrics import MetricSnapshot, Snapshot
from pytest_k6api.model import ControlError, StatusSnapshot
from pytest_k6api.run.bridge import NotRunningError, UnresponsiveError
from pytest_k6api.run.describing import describe_failure
from pytest_k6api.run.load_test import LoadTest

Answer = TypeVar("Answer")

_STILL = 0.5
"""Seconds without a sign of the loop that are nothing to speak of."""


class RemoteLoadTest:
    """The control API's `LoadTestPort` of one load test.

    Args:
        load_test: The load test.
        end_session: Called in the API's thread when somebody wants the session to end.
    """

    def __init__(self, load_test: LoadTest, end_session: Callable[[], None]) -> None:
        self._load_test = load_test
        self._end_session = end_session
        self.id = load_test.id
        self.name = load_test.name

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``; None while it is not over."""
        return self._load_test.outcome

    @property
    def started_at(self) -> float | None:
        """Wall time of the start, in seconds since the epoch."""
        return self._load_test.started_at

    @property
    def ended_at(self) -> float | None:
        """Wall time of the end."""
        return self._load_test.ended_at

    @property
    def status(self) -> StatusSnapshot:
        """The status as last published."""
        return self._load_test.published.status

    @property
    def unresponsive(self) -> float:
        """Seconds for which the load test's loop has not moved; below 0.5 reads as 0."""
        if not self._load_test.bridge.is_open:
            return 0.0
        still = time.monotonic() - self._load_test.beat
        return still if still >= _STILL else 0.0

    @property
    def scenarios(self) -> Sequence[ScenarioSnapshot]:
        """The scenarios as last published."""
        return self._load_test.published.scenarios

    @property
    def failures(self) -> Sequence[FailureSnapshot]:
        """The grouped failures as last published."""
        # Texts are made here, in the API's thread, not in the load test's loop.
        return [describe_failure(failure) for failure in self._load_test.published.failures]

    @property
    def setup_data(self) -> str | None:
        """The setup data as JSON text; None when there is none."""
        return self._load_test.life.data

    async def read_status(self) -> StatusSnapshot:
        """Return the status as of now, or as last published."""
        return await self._ask(self._load_test.status, lambda: self.status)

    async def read_scenarios(self) -> Sequence[ScenarioSnapshot]:
        """Return the scenarios as of now, or as last published."""
        return await self._ask(self._load_test.scenarios, lambda: self.scenarios)

    async def snapshot(self) -> Snapshot:
        """Return everything measured, or what was last published."""
        return await self._ask(self._load_test.snapshot, lambda: self._load_test.published.snapshot)

    async def metric(self, metric_id: str, stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return one metric with any tag filter.

        Raises:
            MetricError: The filter or one of `stats` cannot be read.
        """
        if not self._load_test.bridge.is_open:
            return self._load_test.query(metric_id, stats)
        return await self._ask(
            lambda: self._load_test.query(metric_id, stats),
            lambda: self._load_test.published.snapshot.metrics.get(metric_id),
        )

    async def change(self, change: StatusChange) -> tuple[StatusSnapshot, Delivery]:
        """Carry out all of `change`, or nothing.

        Raises:
            ControlError: It cannot be carried out.
        """
        if change.stopped:
            if change.whole_session:
                self._end_session()
            return await self._stop()
        try:
            status = await self._load_test.bridge.ask_and_wait(
                self._load_test.change, change, patience=PATIENCE
            )
        except NotRunningError:
            if change == StatusChange():
                return self.status, Delivery.DONE
            raise _over("paused" if change.paused is not None else "scaled") from None
        except UnresponsiveError:
            return self.status, Delivery.LATER
        return status, Delivery.DONE

    async def change_scenario(self, name: str, change: ScenarioChange) -> ScenarioSnapshot:
        """Carry out all of `change` on the scenario `name`, or nothing.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        if name not in {scenario.name for scenario in self.scenarios}:
            raise KeyError(name)
        try:
            return await self._load_test.bridge.ask_and_wait(
                self._load_test.change_scenario, name, change, patience=PATIENCE
            )
        except NotRunningError:
            raise _over("changed") from None
        except UnresponsiveError:
            return next(scenario for scenario in self.scenarios if scenario.name == name)

    async def run_setup(self) -> str | None:
        """Run setup now and return the new setup data as JSON text.

        Raises:
            ControlError: Setup failed or timed out, or the load test is over.
        """
        return await self._run_life(self._load_test.life.run_setup, "setup")

    async def replace_setup_data(self, text: str | None) -> None:
        """Make the JSON `text` the setup data; None removes it."""
        life = self._load_test.life
        await self._ask(lambda: life.replace(text), lambda: None)

    async def run_teardown(self) -> None:
        """Run teardown now.

        Raises:
            ControlError: Teardown failed or timed out, or the load test is over.
        """
        await self._run_life(self._load_test.life.run_teardown, "teardown")

    async def _stop(self) -> tuple[StatusSnapshot, Delivery]:
        load_test = self._load_test

        def stop() -> StatusSnapshot:
            load_test.stop("the control API stopped it")
            return load_test.status()

        try:
            status = await load_test.bridge.ask(stop, patience=PATIENCE)
        except NotRunningError:
            return self.status, Delivery.DONE
        except UnresponsiveError:
            return replace(self.status, stopped=True), Delivery.LATER
        return status, Delivery.DONE

    async def _ask(self, fn: Callable[[], Answer], otherwise: Callable[[], Answer]) -> Answer:
        try:
            return await self._load_test.bridge.ask(fn, patience=PATIENCE)
        except (NotRunningError, UnresponsiveError):
            return otherwise()

    async def _run_life(self, fn: Callable[[], Awaitable[Answer]], what: str) -> Answer:
        title = f"Error executing {what}"
        try:
            return await self._load_test.bridge.ask_and_wait(fn, patience=PATIENCE)
        except NotRunningError:
            raise ControlError(
                title, f"the load test is over, so its {what} cannot run", status=500
            ) from None
        except UnresponsiveError:
            raise ControlError(
                title,
                f"the load test's loop does not move; {what} runs as soon as it does",
                status=500,
            ) from None


def _over(what: str) -> ControlError:
    title = "Pause error" if what == "paused" else "Execution config error"
    return ControlError(title, f"the load test is over and cannot be {what}", status=500)
