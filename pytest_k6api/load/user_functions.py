"""A function of the user, as the plugin captured it: the function and its arguments."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_k6api.model import OptionError

OWN_NAMES = frozenset({"vu", "setup_data"})
"""Parameters that are filled in for each virtual user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFunction:
    """A scenario, setup, teardown or VU fixture, and the fixtures that it asks for.

    Attributes:
        function: Async or not; bound, if it is a method.
        values: The values of the fixtures that it asks for, by parameter. VU
            fixtures among them are `VUFixture` objects, replaced for each VU;
            what stands under ``vu`` and ``setup_data`` is replaced too.
        parameters: What it asks for, in order, less what has a default and no value.

    Raises:
        OptionError: It asks for what is not among `values`.
    """

    function: Callable[..., Any]  # a user's function takes and returns what it likes
    values: Mapping[str, object] = field(default_factory=dict)
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self._asked_for()))

    def _asked_for(self) -> list[str]:
        asked = []
        for name, parameter in inspect.signature(self.function).parameters.items():
            if name in self.values or name in OWN_NAMES:
                asked.append(name)
            elif parameter.default is inspect.Parameter.empty and parameter.kind not in (
                inspect.Parameter.VAR_POSITIONAL,
                inspect.Parameter.VAR_KEYWORD,
            ):
                raise OptionError(
                    f"{self.name} asks for {name!r}, which is no fixture that was found"
                )
        return asked

    @property
    def name(self) -> str:
        """The function's name, for messages."""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return getattr(function, "__name__", repr(function))

    @property
    def is_async(self) -> bool:
        """Whether calling it gives a coroutine or an async generator."""
        function = self.function
        return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)

    def fill(self, own: Mapping[str, object]) -> dict[str, object]:
        """Return its arguments, those in `own` before the captured ones."""
        return {name: own[name] if name in own else self.values[name] for name in self.parameters}
