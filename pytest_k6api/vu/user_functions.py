"""A function of the user as the plugin captured it, with the values of its fixtures."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_k6api.model import K6ApiError, OptionError


class NotAwaitedError(K6ApiError):
    """An ordinary function returned a coroutine, which nothing awaits, so nothing ran."""


OWN_NAMES = frozenset({"vu", "setup_data"})
"""Parameters whose values differ for each virtual user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFunction:
    """A scenario, setup, teardown or VU fixture, and the fixtures that it requests.

    Attributes:
        function: Async or not; bound, if it is a method.
        values: The values of the fixtures that it requests, by parameter. VU
            fixtures among them are `VUFixture` objects, replaced for each VU, as are
            the values of ``vu`` and ``setup_data``.
        parameters: The requested parameters, in order, without those that have a
            default and no value.

    Raises:
        OptionError: It requests a fixture that is not among `values`.
    """

    function: Callable[..., Any]  # any signature
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

    def call(self, **arguments: object) -> object:
        """Call the function, an ordinary one, in the current thread.

        Raises:
            NotAwaitedError: It returned a coroutine or an async generator.
        """
        value = self.function(**arguments)
        if not (inspect.iscoroutine(value) or inspect.isasyncgen(value)):
            return value
        if inspect.iscoroutine(value):
            value.close()  # or Python warns that it was never awaited
        kind = "a coroutine" if inspect.iscoroutine(value) else "an async generator"
        raise NotAwaitedError(
            f"{self.name} is an ordinary function and returned {kind}, so nothing of it ran: its"
            " decorator is not async-aware; let that wrap it in an async function (async def"
            " wrapper(*args, **kwargs): return await function(*args, **kwargs)), or leave it out"
        )

    def fill(self, own: Mapping[str, object]) -> dict[str, object]:
        """Return its arguments, those in `own` before the captured ones."""
        return {name: own[name] if name in own else self.values[name] for name in self.parameters}
