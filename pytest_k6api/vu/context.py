"""Contexts that virtual users share: that of the load test, and that of one scenario."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import trio

from pytest_k6api.model import K6ApiError, Recorder, SampleBuffer, ScenarioOptions, TagContext
from pytest_k6api.protocols.http import Client
from pytest_k6api.vu.failures.failure_log import FailureLog
from pytest_k6api.vu.feeders.row_claims import RowClaims
from pytest_k6api.vu.stuck_tasks import StuckTasks
from pytest_k6api.vu.user_functions import UserFunction

VU_ADVICE: Mapping[str, str] = {
    "client": "vu.http",
    "delete": "vu.http.delete(url)",
    "get": "vu.http.get(url)",
    "number": "vu.id",
    "patch": "vu.http.patch(url)",
    "post": "vu.http.post(url)",
    "put": "vu.http.put(url)",
    "request": "vu.http.request(method, url)",
    "session": "vu.http",
    "sse": "vu.http.sse(url)",
    "stream": "vu.http.stream(method, url)",
    "think": "vu.sleep(seconds)",
    "user_id": "vu.id",
    "wait": "vu.sleep(seconds)",
    "websocket": "vu.ws.connect(url)",
}
"""What to write, by names that other load generators and clients have for parts of `vu`."""


class StopRequest(K6ApiError):
    """Raised by user code that has no more work: it ends the load test, and is no failure.

    Attributes:
        is_about_share: Whether only the share of the load that this process runs is done.
    """

    is_about_share = False


def find_stop(error: BaseException) -> StopRequest | None:
    """Return the `StopRequest` that `error` is or wraps; None if there is none."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(find_stop, error.exceptions)), None)
    return error if isinstance(error, StopRequest) else None


class Ruling(Enum):
    """Meaning of an exception for the iteration that it ends."""

    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    NOT_OURS = "not ours"  # passes through, such as KeyboardInterrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRules:
    """Exceptions to which pytest gives a meaning of their own.

    pytest's outcomes derive from BaseException, so `except Exception` does not
    see them.

    Attributes:
        skips: Skip the iteration, which is counted apart.
        failures: Fail the iteration, as every Exception does.
        exits: End the whole session, although some are Exceptions.
    """

    skips: tuple[type[BaseException], ...] = ()
    failures: tuple[type[BaseException], ...] = ()
    exits: tuple[type[BaseException], ...] = ()

    @property
    def caught(self) -> tuple[type[BaseException], ...]:
        """Exceptions that a check catches when it calls its predicate."""
        return (Exception, *self.failures)

    def judge(self, error: BaseException) -> Ruling:
        """Return the meaning of `error` for the iteration that raised it.

        The gravest of a group counts: an interruption before a failure before a skip.
        """
        if isinstance(error, BaseExceptionGroup):
            rulings = {self.judge(inner) for inner in error.exceptions}
            order = (Ruling.NOT_OURS, Ruling.INTERRUPTED, Ruling.FAILED, Ruling.SKIPPED)
            return next(ruling for ruling in order if ruling in rulings)
        if isinstance(error, self.exits):
            return Ruling.NOT_OURS
        if isinstance(error, (StopRequest, *self.skips)):
            return Ruling.SKIPPED
        if isinstance(error, (Exception, *self.failures)):
            return Ruling.FAILED
        return Ruling.INTERRUPTED if isinstance(error, trio.Cancelled) else Ruling.NOT_OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadContext:
    """Objects that all virtual users of one load test share, setup and teardown included.

    Attributes:
        buffer: Buffer of their rows.
        tag_context: The tags of the whole load test, outside of scenarios and groups.
        make_client: Makes the HTTP client of one VU, by its recorder and its number.
        failures: Log of their failures.
        stop: Ends the load test at once, for the reason given; called in Trio's thread,
            any number of times.
        finish: Ends it gracefully when test data is used up; called at most once.
            Defaults to `stop`.
        finish_share: Ends the share of this process, as `finish` does. Defaults to `finish`.
        refuse: Ends it at once because its code cannot be run. Defaults to `stop`.
        seed: Seed of the RNGs of all VUs.
        exceptions: Meaning of exceptions.
        stuck: Abandons cancelled tasks that do not end.
        has_metadata: Whether rows of virtual users carry the numbers of VU and iteration.
        rows: The claims of this process on rows of feeders.
        position: Returns the position in the whole load of this process's element with the
            number given, both from 0; the same number where this process runs all of it.
    """

    buffer: SampleBuffer
    tag_context: TagContext
    make_client: Callable[[Recorder, int], Client]
    failures: FailureLog
    stop: Callable[[str], None]
    finish: Callable[[str], None] | None = None
    finish_share: Callable[[str], None] | None = None
    refuse: Callable[[str], None] | None = None
    seed: int = 0
    exceptions: ExceptionRules = field(default_factory=ExceptionRules)
    stuck: StuckTasks = field(default_factory=StuckTasks)
    has_metadata: bool = False
    rows: RowClaims = field(default_factory=RowClaims)
    position: Callable[[int], int] = lambda number: number
    _reasons: list[str] = field(default_factory=list, init=False)

    def grant(self, request: StopRequest) -> None:
        """End the load test because user code asked for it; only the first of many counts."""
        self._reasons.append(str(request))
        if len(self._reasons) == 1:
            finish = self.finish_share if request.is_about_share else None
            (finish or self.finish or self.stop)(self._reasons[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioContext:
    """Objects that the virtual users of one scenario share.

    Attributes:
        load: Context of the load test.
        options: Options of the scenario.
        function: The scenario's function.
        setup_data: Returns the setup data as JSON text; None when there is none.
        tag_context: The scenario's tags, outside of all groups.
    """

    load: LoadContext
    options: ScenarioOptions
    function: UserFunction
    setup_data: Callable[[], str | None] = lambda: None
    tag_context: TagContext = field(init=False)

    def __post_init__(self) -> None:
        tag_context = self.load.tag_context.with_tags(
            {**self.options.tags, "scenario": self.options.name}
        )
        object.__setattr__(self, "tag_context", tag_context)
