"""What an item runs: as it was found, and as a plan that is complete and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_k6api.model import LoadTestOptions, ScenarioOptions

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


@dataclass(frozen=True, slots=True)
class CapturedScenario:
    """A scenario function as it was found, with its marks.

    Attributes:
        name: The scenario's name.
        function: The function; unbound if it is a method.
        marks: Its marks, the one that counts most last.
        binding: ``staticmethod`` or ``classmethod``, if it is such a method.
    """

    name: str
    function: Callable[..., Any]
    marks: tuple[pytest.Mark, ...]
    binding: type | None = None

    def bind(self, function: Callable[..., Any], instance: object) -> Callable[..., Any]:
        """Return `function`, this one or what it wraps, as a method of `instance` if it is one."""
        if instance is None or self.binding is staticmethod:
            return function
        bound: Callable[..., Any] = MethodType(
            function, type(instance) if self.binding is classmethod else instance
        )
        return bound


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
    tolerated: "tuple[Selection, ...]"
    captured: CapturedLoadTest
