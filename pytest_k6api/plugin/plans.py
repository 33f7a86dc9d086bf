"""What an item runs: as it was found, and as a plan that is complete and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_k6api.model import LoadTestOptions, ScenarioOptions

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


@dataclass(frozen=True, slots=True)
class CapturedScenario:
    """A scenario function as it was found, with its marks; unbound if it is a method."""

    name: str
    function: Callable[..., Any]
    marks: tuple[pytest.Mark, ...]


@dataclass(frozen=True, slots=True)
class CapturedLoadTest:
    """What an item runs: one scenario, or those of a class."""

    scenarios: tuple[CapturedScenario, ...]
    cls: type | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """A scenario, complete and checked."""

    options: ScenarioOptions
    captured: CapturedScenario


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestPlan:
    """A load test, complete and checked; fixture values are still to come."""

    name: str
    scenarios: tuple[ScenarioPlan, ...]
    options: LoadTestOptions
    thresholds: "tuple[Threshold, ...]"
    listed: "tuple[Selection, ...]"
    captured: CapturedLoadTest
