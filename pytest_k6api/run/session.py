"""The load tests of one pytest session, each as the control API's thread sees it.

Reads and commands cross the `LoopPortal` into the load test's loop:

    the loop             reads                      commands
    -------------------  -------------------------  --------------------------------
    is about to start    last published state       wait for it
    runs                 read there                 carried out
    is blocked           last published state       wait for it, and the reply says so
    has just ended       wait for the results       refused: it has ended
    ended before         results                    refused: it has ended
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import trio

from pytest_k6api.api import (
    PATIENCE,
    ApiServer,
    ApiSettings,
    CommandResult,
    Delivery,
    ResultsPort,
)
from pytest_k6api.metrics import Snapshot
from pytest_k6api.model import Command, ControlError, ScenarioOptions
from pytest_k6api.run.load_test import LoadTest
from pytest_k6api.run.loop_portal import NotRunningError, NotStartedError, UnresponsiveError
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.results import LiveState
from pytest_k6api.run.settings import RunSettings, UserCode

if TYPE_CHECKING:
    from pytest_k6api.run.pages import LiveReport

Answer = TypeVar("Answer")

_PAUSE_ERROR = "Pause error"
_EXECUTION_ERROR = "Execution config error"
_NOT_STARTED = "the load test has not started yet"
_HAS_ENDED = "the load test has ended"


class RemoteLoadTest:
    """The control API's `LoadTestPort` of one load test.

    Args:
        load_test: The load test.
        end_session: Called in the API's thread to end the session.
        scenarios: The options of its scenarios.
        environment: On what it runs.
    """

    def __init__(
        self,
        load_test: LoadTest,
        end_session: Callable[[], None],
        scenarios: Sequence[ScenarioOptions] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._load_test = load_test
        self._scenarios = scenarios
        self._environment = environment or {}
        self._report: LiveReport | None = None
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
    def live(self) -> LiveState:
        """Its state as last published."""
        return self._load_test.results.live

    @property
    def unresponsive(self) -> float:
        """Seconds for which its event loop has been blocked; below 0.5 reads as 0."""
        return self._load_test.portal.unresponsive

    @property
    def setup_data(self) -> str | None:
        """The setup data as JSON text; None when there is none."""
        return self._load_test.setup_teardown.data

    async def read(self, question: Callable[[ResultsPort], Answer]) -> Answer:
        """Return the answer to `question` as of now, or as last published.

        Raises:
            Exception: Any exception of `question`.
        """
        results = self._load_test.results
        try:
            return await self._load_test.portal.call(question, results, patience=PATIENCE)
        except NotRunningError:
            await self._wait_until_settled()
        except UnresponsiveError:
            return question(results.live)
        return question(results if self._load_test.settled.is_set() else results.live)

    async def snapshot(self) -> Snapshot:
        """Return everything measured, or the last published snapshot."""
        results = self._load_test.results
        return await self._read_in_steps(results.snapshot_steps) or results.live.snapshot

    async def report(self) -> Mapping[str, object]:
        """Return it as pages show it; some seconds old."""
        if self._report is None:
            # What makes documents for pages is imported for the first page, in the API's thread.
            from pytest_k6api.run.pages import LiveReport

            self._report = LiveReport(
                self._load_test, self._scenarios, self._environment, self._read_in_steps
            )
        return await self._report.document()

    async def _read_in_steps(
        self, steps: Callable[[], Generator[None, None, Answer]]
    ) -> Answer | None:
        """Return the result of `steps` in the load test's loop; None if it is blocked or gone."""
        try:
            return await self._load_test.portal.call_in_steps(steps, patience=PATIENCE)
        except NotRunningError:
            await self._wait_until_settled()
        except UnresponsiveError:
            pass
        return None

    async def execute(self, command: Command) -> CommandResult:
        """Carry out all of `command`, or nothing; return the state afterwards.

        Raises:
            KeyError: There is no such scenario.
            ControlError: It cannot be carried out.
        """
        if command == Command():
            return await self.read(CommandResult.of)
        if command.scenario is not None:
            self._check_name(command.scenario)
        if command.stopped:
            if command.whole_session:
                self._end_session()
            return await self._stop()
        title = _EXECUTION_ERROR if command.paused is None else _PAUSE_ERROR
        try:
            return await self._command(title, self._load_test.execute, command)
        except UnresponsiveError:
            return replace(CommandResult.of(self.live), delivery=Delivery.LATER)

    async def run_setup(self) -> str | None:
        """Run setup now and return the new setup data as JSON text.

        Raises:
            ControlError: Setup failed or timed out, or the load test is over.
        """
        return await self._run_life(self._load_test.setup_teardown.run_setup, "setup")

    async def replace_setup_data(self, text: str | None) -> None:
        """Make the JSON `text` the setup data; None removes it."""
        life = self._load_test.setup_teardown
        try:
            await self._load_test.portal.call(life.replace, text, patience=PATIENCE)
        except NotRunningError:  # no loop that might write it, too
            life.replace(text)
        except UnresponsiveError:  # it is replaced when the loop moves
            pass

    async def run_teardown(self) -> None:
        """Run teardown now.

        Raises:
            ControlError: Teardown failed or timed out, or the load test is over.
        """
        await self._run_life(self._load_test.setup_teardown.run_teardown, "teardown")

    def _check_name(self, scenario: str) -> None:
        if all(known.name != scenario for known in self.live.scenarios):
            raise KeyError(scenario)

    async def _stop(self) -> CommandResult:
        load_test = self._load_test
        try:
            await load_test.portal.wait_until_opened(PATIENCE)
            # No task: the stop takes effect in the first turn of a loop that was blocked.
            return await load_test.portal.call(load_test.stop_by_command, patience=PATIENCE)
        except NotStartedError:
            raise ControlError(_EXECUTION_ERROR, _NOT_STARTED, status=409) from None
        except NotRunningError:
            await self._wait_until_settled()
            return CommandResult.of(self.live)
        except UnresponsiveError:
            status = replace(self.live.status, stopped=True)
            return replace(CommandResult.of(self.live), status=status, delivery=Delivery.LATER)

    async def _command(
        self, title: str, fn: Callable[..., Awaitable[Answer]], *args: object
    ) -> Answer:
        """Have `fn` awaited in the load test's loop, waiting for a start that is near.

        Raises:
            ControlError: There is no loop, or `fn` refused.
            UnresponsiveError: The loop does not move; it takes `fn` when it does.
        """
        portal = self._load_test.portal
        try:
            await portal.wait_until_opened(PATIENCE)
            return await portal.await_there(fn, *args, patience=PATIENCE)
        except NotStartedError:
            raise ControlError(title, _NOT_STARTED, status=409) from None
        except NotRunningError:
            raise ControlError(title, _HAS_ENDED, status=500) from None

    async def _run_life(self, fn: Callable[[], Awaitable[Answer]], what: str) -> Answer:
        title = f"Error executing {what}"
        try:
            return await self._command(title, fn)
        except UnresponsiveError:
            raise ControlError(
                title,
                f"event loop blocked by a scenario; {what} runs when it goes on",
                status=500,
            ) from None

    async def _wait_until_settled(self) -> None:
        """Wait for the final results of a loop that has ended."""
        if self._load_test.portal.opened.is_set():
            with trio.move_on_after(PATIENCE):
                await self._load_test.settled.wait()


class LoadTestSession:
    """All load tests of a session, in the order of their start.

    Args:
        settings: Settings of their runs.
        api: Address, token and limits of the control API.
        warn: Called with a sentence for the user.
        end: Called in the API's thread to end the session after the test that runs.
    """

    def __init__(
        self,
        settings: RunSettings,
        api: ApiSettings,
        *,
        warn: Callable[[str], None],
        end: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.finished: list[LoadTest] = []
        self._end = end
        self.address = ""
        self._remotes: tuple[RemoteLoadTest, ...] = ()
        self._server = ApiServer(self, api, warn=warn)

    @property
    def load_tests(self) -> Sequence[RemoteLoadTest]:
        """The load tests as the control API sees them."""
        return self._remotes

    @property
    def current(self) -> RemoteLoadTest | None:
        """The load test that runs, else the last that ran; None before the first."""
        return self._remotes[-1] if self._remotes else None

    def end(self) -> None:
        """Let the pytest session end after the test that runs; called in the API's thread."""
        self._end()

    def open(self) -> None:
        """Start the control API.

        Raises:
            ApiError: It cannot listen at its address.
        """
        self.address = self._server.start()

    def close(self) -> None:
        """Stop the control API."""
        self._server.stop()

    def prepare(self, plan: LoadTestPlan, code: UserCode, settings: RunSettings) -> LoadTest:
        """Return a load test that is ready to run, and let the control API see it."""
        load_test = LoadTest(len(self._remotes) + 1, plan, code, settings)
        # A new tuple, never a change to the old one: the API's thread may be reading it.
        remote = RemoteLoadTest(load_test, self._end, plan.scenarios, settings.environment)
        self._remotes = (*self._remotes, remote)
        return load_test
