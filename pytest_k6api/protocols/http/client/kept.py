"""The connections that one client keeps: which a request gets, and which stay.

A connection over which one exchange goes at a time is the request's until that is over. One
with room for several is found again while others use it; and while it is being opened, requests
wait for it rather than open more.
"""

from collections.abc import Awaitable, Callable
from itertools import chain
from time import perf_counter_ns
from typing import Any

import trio

from pytest_k6api.protocols.http.client.connection import Connection
from pytest_k6api.protocols.http.client.options import HTTP1, ConnectionOptions, offered
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError
from pytest_k6api.protocols.http.message.prepared import PreparedRequest

Dial = Callable[[Origin, int, ConnectionOptions], Awaitable[Connection]]


class _Unused(dict[Origin, Connection]):
    """No idle connections, whatever is put here."""

    def setdefault(self, origin: Origin, connection: Any = None, /) -> Any:  # as dict's is typed
        """Keep nothing, and say so."""


class KeptConnections:
    """The open connections of one client, by server.

    Attributes:
        idle: The first choice for each server. The client takes a connection from here
            by itself, and puts it back.
        options: Properties of new connections.

    Args:
        dial: Opens a connection, until a moment in perf_counter_ns.
        options: See above.
        are_kept: Whether a connection takes another request when one is over.
    """

    __slots__ = ("_are_kept", "_dial", "_dialing", "_shared", "_spare", "idle", "options")

    def __init__(self, dial: Dial, options: ConnectionOptions, *, are_kept: bool = True) -> None:
        self.idle: dict[Origin, Connection] = {} if are_kept else _Unused()
        self._are_kept = are_kept
        self.options = options
        self._spare: dict[Origin, list[Connection]] = {}
        # All with room for several exchanges, whether or not they are idle; None where the
        # server has chosen a version without, so that nothing waits for the next one.
        self._shared: dict[Origin, list[Connection] | None] = {}
        self._dialing: dict[Origin, trio.Event] = {}
        self._dial = dial

    def __repr__(self) -> str:
        return f"<KeptConnections to {len(self.idle)} servers>"

    def keep(self, origin: Origin, connection: Connection) -> None:
        """Keep `connection` for the next request, if it takes one."""
        if not connection.is_reusable or not self._are_kept:
            connection.retire()
            return
        is_idle = self.idle.setdefault(origin, connection) is connection
        if not is_idle and connection not in (self._shared.get(origin) or ()):
            self._spare.setdefault(origin, []).append(connection)

    async def obtain(
        self, request: PreparedRequest, connection: Connection | None, deadline: int
    ) -> Connection:
        """Return a connection that is open as far as one can tell: a kept one, or a new one.

        Args:
            request: The request.
            connection: One that may have ended, and is used if it has not.
            deadline: When the request is overdue, in perf_counter_ns.

        Raises:
            NetworkError: There is none.
        """
        origin = request.origin
        may_err = request.is_repeatable  # it may find out by itself that the server has closed
        spare = self._spare.get(origin, [])
        while connection is not None or spare:
            candidate = connection or spare.pop()
            if not candidate.has_ended(may_err=may_err):
                return candidate
            candidate.retire()
            connection = None
        shared = self._find_room(origin, may_err=may_err)
        opening = self._dialing.get(origin)
        if shared is None and opening is not None:
            with trio.move_on_after(max(0.0, (deadline - perf_counter_ns()) / 1e9)):
                await opening.wait()
            if perf_counter_ns() >= deadline:
                raise NetworkError(TIMED_OUT)
            shared = self._find_room(origin, may_err=may_err)
        return shared or await self._open(origin, deadline)

    def _find_room(self, origin: Origin, *, may_err: bool) -> Connection | None:
        for shared in self._shared.get(origin) or ():
            if shared.has_room and not shared.has_ended(may_err=may_err):
                return shared
        return None

    async def _open(self, origin: Origin, deadline: int) -> Connection:
        is_first = self._shared.get(origin, ()) is not None and origin not in self._dialing
        if not is_first or offered(self.options.versions, is_tls=origin.is_tls) == (HTTP1,):
            connection = await self._dial(origin, deadline, self.options)
        else:
            event = self._dialing[origin] = trio.Event()
            try:
                connection = await self._dial(origin, deadline, self.options)
            finally:
                del self._dialing[origin]
                event.set()
        if connection.has_room:
            kept = self._shared.get(origin) or ()
            self._shared[origin] = [connection, *(each for each in kept if each.is_open)]
        else:
            self._shared.setdefault(origin, None)
        return connection

    def replace_options(self, **changed: Any) -> None:
        """Change some of `options`, and close the connections that have the old ones."""
        self.options = self.options._replace(**changed)
        self.close()

    def close(self) -> None:
        """Close all of them at once."""
        shared = filter(None, self._shared.values())
        for connection in chain(self.idle.values(), *self._spare.values(), *shared):
            connection.close()
        self.idle.clear()
        self._spare.clear()
        self._shared.clear()
