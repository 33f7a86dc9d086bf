"""How a load test came to its end, in words and in exceptions. Pure."""

from pytest_k6api.load import RunOutcome
from pytest_k6api.model import RunStatus


def why_early(outcome: RunOutcome | None) -> str:
    """Return why a load test ended before its time; empty if it did not."""
    if outcome is None:
        return "aborted by an exception; results so far are kept"
    if outcome.status is not RunStatus.INTERRUPTED:
        return ""
    if not outcome.stop_reason:
        return "stopped early, no reason given"
    return f"stopped early: {outcome.stop_reason}"


def trouble_of(outcome: RunOutcome | None) -> tuple[str, ...]:
    """Return what went wrong in setup and teardown, one sentence each."""
    if outcome is None:
        return ()
    errors = {"setup": outcome.setup_error, "teardown": outcome.teardown_error}
    return tuple(f"{what} failed: {error}" for what, error in errors.items() if error)


class LeavingError(BaseException):
    """Carries what ends the session out of setup and teardown.

    ``pytest.exit()`` raises an Exception, and those are part of their outcome.
    """


def gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what pytest is to see of `group`: one exception, as if there were no nurseries."""
    for error in group.exceptions:
        if isinstance(error, LeavingError) and error.__cause__ is not None:
            return error.__cause__
        if not isinstance(error, Exception):
            return gravest(error) if isinstance(error, BaseExceptionGroup) else error
    first = group.exceptions[0]
    return gravest(first) if isinstance(first, BaseExceptionGroup) else first
