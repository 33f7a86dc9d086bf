"""VU fixtures: every virtual user has its own value.

pytest finds them, so a `VUFixture` is the value of an ordinary fixture: the user's
function and the values of the fixtures that it requests, other VU fixtures among
them. They are set up in order in a VU's first iteration, and torn down in reverse
when the VU ends, also after an interruption.

A VU fixture that fails also fails the iteration; the next iteration tries it again
and keeps the fixtures before it. A VU fixture cannot hold a nursery or a cancel
scope open across its ``yield``: its teardown runs elsewhere in the VU's task.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any

import trio

from pytest_k6api.vu.user_functions import UserFunction

_ENDED = object()


class VUFixture:
    """A VU fixture of one test.

    Args:
        function: The user's function or generator function, async or not.
        values: The values of the fixtures that it requests, by parameter.

    Raises:
        OptionError: It requests a fixture that is not among `values`.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., object], values: Mapping[str, object]) -> None:
        self.function = UserFunction(function=function, values=values)

    def __repr__(self) -> str:
        return f"<VU fixture {self.function.name}>"


def resolve_vu_fixtures(function: UserFunction) -> tuple[VUFixture, ...]:
    """Return the VU fixtures that `function` needs, each after those that it requests."""
    order: dict[VUFixture, None] = {}
    _collect(function, order)
    return tuple(order)


def _collect(function: UserFunction, order: dict[VUFixture, None]) -> None:
    for value in function.values.values():
        if isinstance(value, VUFixture) and value not in order:
            _collect(value.function, order)
            order[value] = None


class VUFixtures:
    """The VU fixtures of one virtual user, set up or not.

    Args:
        fixtures: The VU fixtures, each after those that it requests.
        own: Returns the values of ``vu`` and ``setup_data`` for a function.
        call: Calls an ordinary function where the VU's ordinary functions run.
    """

    __slots__ = ("_call", "_fixtures", "_made", "_own", "_teardowns")

    def __init__(
        self,
        fixtures: tuple[VUFixture, ...],
        own: Callable[[UserFunction], Mapping[str, object]],
        call: Callable[..., Awaitable[Any]],
    ) -> None:
        self._fixtures = fixtures
        self._own = own
        self._call = call
        self._made: dict[VUFixture, object] = {}
        self._teardowns: list[Callable[[], Awaitable[None]]] = []

    async def set_up(self) -> None:
        """Set up the fixtures that are not set up yet."""
        for fixture in self._fixtures:
            if fixture not in self._made:
                self._made[fixture] = await self._start(fixture.function)

    def arguments(self, function: UserFunction) -> dict[str, object]:
        """Return the arguments for `function`; its fixtures must be set up."""
        made = {
            name: self._made[value]
            for name, value in function.values.items()
            if isinstance(value, VUFixture)
        }
        return function.fill({**made, **self._own(function)})

    async def tear_down(self, report: Callable[[BaseException], None]) -> None:
        """Tear all down, last first; an exception is reported and stops no other teardown."""
        self._made.clear()
        cancelled: trio.Cancelled | None = None
        while self._teardowns:
            try:
                await self._teardowns.pop()()
            except trio.Cancelled as error:
                # The others still run, up to their first wait.
                cancelled = error
            except BaseException as error:  # noqa: BLE001  # `report` raises those that pass through
                report(error)
        if cancelled is not None:
            raise cancelled

    async def _start(self, function: UserFunction) -> object:
        arguments = self.arguments(function)
        if inspect.isasyncgenfunction(function.function):
            return await self._start_async_generator(function.function(**arguments), function.name)
        if inspect.isgeneratorfunction(function.function):
            return await self._start_generator(function.function(**arguments), function.name)
        if function.is_async:
            return await function.function(**arguments)
        return await self._call(function.call, **arguments)

    async def _start_async_generator(
        self, generator: AsyncGenerator[object, None], name: str
    ) -> object:
        value = await anext(generator, _ENDED)
        if value is _ENDED:
            raise RuntimeError(f"the VU fixture {name!r} ended without a yield")

        async def finish() -> None:
            if await anext(generator, _ENDED) is not _ENDED:
                await generator.aclose()
                raise RuntimeError(f"the VU fixture {name!r} yields more than once")

        self._teardowns.append(finish)
        return value

    async def _start_generator(self, generator: Generator[object, None, None], name: str) -> object:
        call = self._call
        value = await call(next, generator, _ENDED)
        if value is _ENDED:
            raise RuntimeError(f"the VU fixture {name!r} ended without a yield")

        async def finish() -> None:
            if await call(next, generator, _ENDED) is not _ENDED:
                await call(generator.close)
                raise RuntimeError(f"the VU fixture {name!r} yields more than once")

        self._teardowns.append(finish)
        return value
