"""Ways to a server: the first that answers is taken, whatever is made of it."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

import trio

from pytest_k6api.protocols.http.message.errors import NetworkError
from pytest_k6api.protocols.http.net.hosts import Address, IpAddress

# Seconds after which the next address of a name is tried beside the one before.
_HEAD_START = 0.25

# An address of the server, and one of this machine.
Way = tuple[Address, IpAddress | None]


class End(Protocol):
    """Where a connection leads: a server or a proxy."""

    @property
    def host(self) -> str:
        """Its name or address."""

    @property
    def port(self) -> int:
        """Its port."""


class Closable(Protocol):
    """Whatever is connected."""

    def close(self) -> None:
        """Close it at once."""


ClosableT = TypeVar("ClosableT", bound=Closable)
Attempt = Callable[[Way, int], Awaitable[ClosableT]]


class Reached(NamedTuple, Generic[ClosableT]):
    """What was connected.

    Attributes:
        connection: It.
        began: When connecting began, in perf_counter_ns.
        limit: When it would have been overdue.
    """

    connection: ClosableT
    began: int
    limit: int


async def reach_any(ways: list[Way], limit: int, attempt: Attempt[ClosableT]) -> ClosableT:
    """Return what took one of `ways`, the first of them if it answers.

    One that refuses is followed by the next at once, one that does not answer is
    left to go on and joined by the next (RFC 8305).
    """
    if len(ways) == 1:
        return await attempt(ways[0], limit)
    reached: list[ClosableT] = []
    errors: list[Exception] = []

    async def try_way(way: Way, has_failed: trio.Event) -> None:
        try:
            reached.append(await attempt(way, limit))
        except (OSError, trio.TooSlowError, NetworkError) as error:
            errors.append(error)
            has_failed.set()
        else:
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for way in ways:
                has_failed = trio.Event()
                nursery.start_soon(try_way, way, has_failed)
                with trio.move_on_after(_HEAD_START):
                    await has_failed.wait()
    finally:
        for unused in reached[1:]:
            unused.close()
    if not reached:
        raise errors[0]
    return reached[0]
