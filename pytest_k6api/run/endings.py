"""How a load test came to its end, in words and in exceptions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import trio

from pytest_k6api.model import RunStatus
from pytest_k6api.scheduling import RunOutcome
from pytest_k6api.vu import ScenarioContext


def announce(signal: str, *, again: bool) -> str:
    """Return what is told when `signal` ends a load test, the first time or `again`."""
    if again:
        return f"{signal}: ending at once; iterations are interrupted, teardown runs"
    return (
        f"{signal}: ending; iterations that run have their graceful stop to end, then teardown"
        " runs; a second one interrupts them at once"
    )


def why_early(outcome: RunOutcome | None, interrupted_by: str = "") -> str:
    """Return why a load test ended before its time; empty if it did not.

    Args:
        outcome: How its life went; None if it broke off.
        interrupted_by: The signal that interrupted it, if one did.
    """
    if outcome is None and interrupted_by:
        return f"stopped early: interrupted by {interrupted_by}"
    if outcome is None:
        return "aborted by an exception; results so far are kept"
    if outcome.status is not RunStatus.INTERRUPTED:
        return ""
    if not outcome.stop_reason:
        return "stopped early, no reason given"
    return f"stopped early: {outcome.stop_reason}"


def trouble_of(
    outcome: RunOutcome | None, scenarios: Iterable[ScenarioContext] = ()
) -> tuple[str, ...]:
    """Return what went wrong in setup and teardown, one sentence each.

    Args:
        outcome: How the life of the load test went; None if it broke off.
        scenarios: Those whose VU fixtures may have raised on their way down. One that
            raises on the way up has failed an iteration, which says it all.
    """
    errors = {"setup": outcome.setup_error, "teardown": outcome.teardown_error} if outcome else {}
    trouble = [f"{what} failed: {error}" for what, error in errors.items() if error]
    if failed := sum(scenario.outcomes.failed_teardowns for scenario in scenarios):
        trouble.append(f"{failed:,} VU fixture{'s' if failed > 1 else ''} failed to be torn down")
    return tuple(trouble)


class LeavingError(BaseException):
    """Carries what ends the session out of setup and teardown.

    ``pytest.exit()`` raises an Exception, and those are part of their outcome.
    """


@contextmanager
def one_error() -> Iterator[None]:
    """Let what is raised out of ``trio.run`` be one exception, as if there were no nurseries."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise gravest(group) from None
    except trio.TrioInternalError as error:
        # The signal that is for a loop which does not move hit the loop all the same.
        raise error.__cause__ or error from None


def gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what pytest is to see of `group`: one exception, as if there were no nurseries."""
    for error in group.exceptions:
        if isinstance(error, LeavingError) and error.__cause__ is not None:
            return error.__cause__
        if not isinstance(error, Exception):
            return gravest(error) if isinstance(error, BaseExceptionGroup) else error
    first = group.exceptions[0]
    return gravest(first) if isinstance(first, BaseExceptionGroup) else first
