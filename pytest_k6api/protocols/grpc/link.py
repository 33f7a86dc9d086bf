"""The connections of one channel: HTTP/2 to one server, opened when a call needs them."""

from collections.abc import Awaitable, Callable
from time import perf_counter_ns

import trio

from pytest_k6api.protocols.grpc.endings import Endings
from pytest_k6api.protocols.http import Connection, NetworkError, Origin
from pytest_k6api.protocols.http.client.connection import QUIET
from pytest_k6api.protocols.http.h2 import Http2Connection

_PERIOD = 0.05  # seconds between attempts of a call that waits for a server


class Link:
    """The connections of one virtual user to one server.

    Attributes:
        origin: The server.
        endings: Reads the ends of its calls.

    Args:
        dial: Opens a connection, until a moment in perf_counter_ns.
        origin: The server.
    """

    def __init__(
        self, dial: Callable[[Origin, int], Awaitable[Connection]], origin: Origin
    ) -> None:
        self.origin = origin
        self._dial = dial
        self._connections: list[Http2Connection] = []
        self._opening: trio.Event | None = None
        self.endings = Endings()

    def __repr__(self) -> str:
        return f"<Link to {self.origin.url} with {len(self._connections)} connections>"

    async def connection(self, deadline: int, *, waits: bool) -> Http2Connection:
        """Return a connection with room for a call, an open one if there is.

        Args:
            deadline: When the call is overdue, in perf_counter_ns.
            waits: Whether to try again until then if there is none.

        Raises:
            NetworkError: There is none.
        """
        while True:
            found = self.find(perf_counter_ns())
            if found is not None:
                return found
            if self._opening is not None:
                await self._opening.wait()
                continue
            try:
                return await self._open(deadline)
            except NetworkError:
                if not waits or perf_counter_ns() >= deadline:
                    raise
                await trio.sleep(_PERIOD)

    def find(self, now: int) -> Http2Connection | None:
        """Return an open connection with room for a call; None if there is none.

        Args:
            now: The time, in perf_counter_ns.
        """
        for connection in self._connections:
            if connection.has_news or now - connection.ended_at > QUIET or not connection.is_open:
                return self._find_with_care()
            if connection.has_room:
                return connection
        return None

    def _find_with_care(self) -> Http2Connection | None:
        """Do the same, and look what has become of each connection before."""
        for connection in [*self._connections]:
            if connection.has_ended(may_err=False):
                connection.retire()
                self._connections.remove(connection)
            elif connection.has_room:
                return connection
        return None

    async def _open(self, deadline: int) -> Http2Connection:
        event = self._opening = trio.Event()
        try:
            connection = await self._dial(self.origin, deadline)
        finally:
            self._opening = None
            event.set()
        assert isinstance(connection, Http2Connection)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close the connections at once."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
