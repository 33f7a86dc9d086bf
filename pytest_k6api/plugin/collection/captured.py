"""The functions that an item runs, as they were collected."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any


@dataclass(frozen=True, slots=True)
class CapturedScenario:
    """The function of a scenario.

    Attributes:
        name: The scenario's name.
        function: The function; unbound if it is a method.
        binding: ``staticmethod`` or ``classmethod``, if it is such a method.
    """

    name: str
    function: Callable[..., Any]
    binding: type | None = None

    def bind(self, function: Callable[..., Any], instance: object) -> Callable[..., Any]:
        """Return `function`, this one or the one it wraps, bound to `instance` if it is a method."""
        if instance is None or self.binding is staticmethod:
            return function
        bound: Callable[..., Any] = MethodType(
            function, type(instance) if self.binding is classmethod else instance
        )
        return bound


@dataclass(frozen=True, slots=True)
class CapturedLoadTest:
    """The functions of one scenario, or of the scenarios of a class."""

    scenarios: tuple[CapturedScenario, ...]
    cls: type | None = None
