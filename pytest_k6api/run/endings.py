"""The end of a load test: its causes as sentences, and as the exception that pytest sees."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from pytest_k6api.model import RunStatus, ScenarioOptions, ScenarioSnapshot, planned_duration
from pytest_k6api.scheduling import RunOutcome

_TOLERANCE = 0.5  # seconds by which clocks, and the ends of plans, may differ


@dataclass(slots=True)
class Ending:
    """Causes that ended a load test before its time.

    Attributes:
        interrupted_by: The signal that interrupted it, such as ``Ctrl-C``; empty if none did.
        ended_itself: The reason that its own code gave to ``vu.stop()``; None if it did not.
        failed_fast: Whether fail_fast ended it at its first failure.
        lost_worker: Whether the loss of a worker ended it, which fails it.
    """

    interrupted_by: str = ""
    ended_itself: str | None = None
    failed_fast: bool = False
    lost_worker: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it was ended by itself, and not interrupted."""
        return self.ended_itself is not None or self.failed_fast or self.lost_worker

    def why_early(self, outcome: RunOutcome | None) -> str:
        """Return why the load test was interrupted; empty if it was not.

        Args:
            outcome: The scheduler's outcome; None after an exception.
        """
        if self.ended_itself is not None or self.lost_worker:
            return ""
        if outcome is None and self.interrupted_by:
            return f"stopped early: interrupted by {self.interrupted_by}"
        if outcome is None:
            return "aborted by an exception; results so far are kept"
        if outcome.status is not RunStatus.INTERRUPTED:
            return ""
        if not outcome.stop_reason:
            return "stopped early, no reason given"
        return f"stopped early: {outcome.stop_reason}"


def why_unfinished(
    scenarios: Sequence[ScenarioSnapshot], plans: Sequence[ScenarioOptions], seconds: float
) -> str:
    """Return why no iteration was completed in a load test that nothing ended early.

    Args:
        scenarios: The scenarios at the end.
        plans: Their options.
        seconds: How long it took, on a clock that no library freezes.

    Returns:
        One sentence; empty if an iteration was completed, none was started, or they had the
        time of the plan.
    """
    interrupted = sum(each.interrupted for each in scenarios)
    planned = max(
        each.start_time + (each.max_duration if time is None else time)
        for each, time in ((each, planned_duration(each)) for each in plans)
    )
    has_completed = any(each.iterations for each in scenarios)
    if has_completed or not interrupted or seconds > planned - _TOLERANCE:
        return ""
    return (
        f"no iteration was completed: {interrupted:,} interrupted after {seconds:.1f} of"
        f" {planned:g} s, on a clock that jumped; where a scenario freezes time, it needs"
        " freeze_time(..., ignore=['trio', 'pytest_k6api'])"
    )


def announce(signal: str, *, again: bool) -> str:
    """Return the line for the terminal when `signal` ends a load test, once or `again`."""
    if again:
        return f"{signal}: ending at once; iterations are interrupted, teardown runs"
    return (
        f"{signal}: ending; iterations that run have their graceful stop to end, then teardown"
        " runs; a second one interrupts them at once"
    )


def trouble_of(outcome: RunOutcome | None, failed_teardowns: int) -> tuple[str, ...]:
    """Return failures of setup, teardown and VU fixtures, one sentence each.

    Args:
        outcome: The scheduler's outcome; None after an exception.
        failed_teardowns: VU fixtures that failed in their teardown. One that fails in its
            setup has failed an iteration already.
    """
    errors = {"setup": outcome.setup_error, "teardown": outcome.teardown_error} if outcome else {}
    trouble = [f"{what} failed: {error}" for what, error in errors.items() if error]
    if failed_teardowns:
        plural = "s" if failed_teardowns > 1 else ""
        trouble.append(f"{failed_teardowns:,} VU fixture{plural} failed to be torn down")
    return tuple(trouble)


class LeavingError(BaseException):
    """Carries an exception that ends the session out of setup and teardown.

    ``pytest.exit()`` raises an Exception, and those are part of their outcome.
    """


@contextmanager
def one_error() -> Iterator[None]:
    """Raise one exception out of ``trio.run``, as if there were no nurseries."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise gravest(group) from None
    except trio.TrioInternalError as error:
        # KeyboardInterrupt of a later signal hit Trio's own code.
        raise error.__cause__ or error from None


def gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception of `group` that pytest gets: one that ends the session first."""
    for error in group.exceptions:
        # One that was put into a group instead of being raised has no line of its own.
        error.__traceback__ = error.__traceback__ or group.__traceback__
        if isinstance(error, LeavingError) and error.__cause__ is not None:
            return error.__cause__
        if not isinstance(error, Exception):
            return gravest(error) if isinstance(error, BaseExceptionGroup) else error
    first = group.exceptions[0]
    return gravest(first) if isinstance(first, BaseExceptionGroup) else first
