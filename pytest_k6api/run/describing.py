"""Scenarios and failures in the words of the control API."""

from pytest_k6api.api import FailureSnapshot, ScenarioSnapshot
from pytest_k6api.load import Failure, ScenarioStatus


def describe_scenario(status: ScenarioStatus) -> ScenarioSnapshot:
    """Return one scenario as the API shows it."""
    return ScenarioSnapshot(
        name=status.name,
        executor=status.executor,
        state=status.state.value,
        progress=status.progress,
        vus=status.vus,
        vus_max=status.vus_max,
        iterations=status.iterations,
        interrupted=status.interrupted,
        dropped=status.dropped,
        rate=status.rate,
        overrides=dict(status.overrides),
    )


def describe_failure(failure: Failure) -> FailureSnapshot:
    """Return one group of failures as the API shows it."""
    return FailureSnapshot(
        kind=failure.kind.value,
        scenario=failure.scenario,
        message=failure.message,
        place=failure.place,
        count=failure.count,
        first_at=failure.first_at,
        last_at=failure.last_at,
        details=failure.details,
    )
