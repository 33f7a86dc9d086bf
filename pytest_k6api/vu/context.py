"""What all virtual users of a load test share, and what those of one scenario share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import trio

from pytest_k6api.model import K6ApiError, Recorder, SampleBuffer, ScenarioOptions, TagContext
from pytest_k6api.protocols.http import Client
from pytest_k6api.vu.failures.failure_log import FailureLog
from pytest_k6api.vu.stuck_tasks import StuckTasks
from pytest_k6api.vu.user_functions import UserFunction


class StopRequest(K6ApiError):
    """Raised by user code that has no more work: it ends the load test, and is no failure."""


def find_stop(error: BaseException) -> StopRequest | None:
    """Return the `StopRequest` that `error` is or wraps; None if there is none."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(find_stop, error.exceptions)), None)
    return error if isinstance(error, StopRequest) else None


class Ruling(Enum):
    """What an exception that ends an iteration says about it."""

    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    NOT_OURS = "not ours"  # such as KeyboardInterrupt: it passes through


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRules:
    """What exceptions mean, where pytest gives them a meaning of their own.

    pytest's outcomes derive from BaseException, so `except Exception` does not
    see them.

    Attributes:
        skips: End an iteration that is counted apart.
        failures: Fail an iteration, as every Exception does.
        exits: End the whole session, although some are Exceptions.
    """

    skips: tuple[type[BaseException], ...] = ()
    failures: tuple[type[BaseException], ...] = ()
    exits: tuple[type[BaseException], ...] = ()

    @property
    def caught(self) -> tuple[type[BaseException], ...]:
        """What a check catches when it asks its predicate."""
        return (Exception, *self.failures)

    def judge(self, error: BaseException) -> Ruling:
        """Return what `error` says about the iteration that raised it.

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
    """What all virtual users of one load test share, setup and teardown among them.

    Attributes:
        buffer: Where their rows go.
        tag_context: The tags of the whole load test, outside of scenarios and groups.
        make_client: Makes the HTTP client of one VU.
        failures: Where failures go.
        stop: Ends the load test at once, for the reason given; called in Trio's thread,
            perhaps often.
        finish: Ends it gracefully, when there is no more data; called once at the most.
            Abandoned out, it is `stop`.
        refuse: Ends it at once because it cannot be run as it is written. Abandoned out, it is
            `stop`.
        seed: Where the chance of all VUs begins.
        exceptions: What exceptions mean.
        stuck: Sees to it that cancelled tasks end.
    """

    buffer: SampleBuffer
    tag_context: TagContext
    make_client: Callable[[Recorder], Client]
    failures: FailureLog
    stop: Callable[[str], None]
    finish: Callable[[str], None] | None = None
    refuse: Callable[[str], None] | None = None
    seed: int = 0
    exceptions: ExceptionRules = field(default_factory=ExceptionRules)
    stuck: StuckTasks = field(default_factory=StuckTasks)
    _reasons: list[str] = field(default_factory=list, init=False)

    def grant(self, request: StopRequest) -> None:
        """End the load test because user code asked for it; only the first of many counts."""
        self._reasons.append(str(request))
        if len(self._reasons) == 1:
            (self.finish or self.stop)(self._reasons[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioContext:
    """What the virtual users of one scenario share.

    Attributes:
        load: What they share with all others.
        options: The scenario's plan.
        function: What a virtual user runs.
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
