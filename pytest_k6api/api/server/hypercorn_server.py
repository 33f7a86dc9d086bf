"""Hypercorn on listening sockets, with limits that it lacks.

Its public ``serve`` has no way to count connections, to close an idle one for a new
one, or to end a send to a client that does not read: it shields sends from
cancellation, so that only closing the stream below ends them. Hence its connection
class is used here, which is not public: pyproject.toml has an upper bound on its
version, and ``tests/api/server/test_hypercorn_inside.py`` fails when the
classes used here change.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState
from hypercorn.utils import parse_socket_addr, wrap_app

from pytest_k6api.api.server.guarded_stream import LINGER_TIME, GuardedStream
from pytest_k6api.api.server.quick_moments import QuickMoments
from pytest_k6api.api.settings import ApiLimits

if TYPE_CHECKING:
    import h11

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Http1(H11Protocol):
    """HTTP/1 and nothing else."""

    async def _check_protocol(self, event: "h11.Request") -> None:
        """Let no connection become HTTP/2, whose connections escape the idle timer."""


class _Connection(TCPServer):
    """Hypercorn's connection, without TLS and HTTP/2.

    Attributes:
        idle_since: When it began to wait for a request; None while one is under way.
    """

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        stream: GuardedStream,
        moments: QuickMoments,
    ) -> None:
        # Hypercorn's annotation is for TLS streams; any other is asked for what ours has.
        tls: Any = stream
        super().__init__(app, config, context, {}, tls)
        self.idle_since: float | None = trio.current_time()
        self._moments = moments
        moments.begin()

    async def protocol_send(self, event: Event) -> None:
        """Do what the protocol says; take note of idleness."""
        if isinstance(event, Updated):
            self.idle_since = trio.current_time() if event.idle else None
            if not event.idle:
                self._moments.begin()
        await super().protocol_send(event)

    async def run(self) -> None:
        """Serve the connection until one side closes it."""
        peer = self.stream.socket
        try:
            client = parse_socket_addr(peer.family, peer.getpeername())
            server = parse_socket_addr(peer.family, peer.getsockname())
            async with TaskGroup() as tasks:
                self._task_group = tasks
                protocol: Any = _Http1(  # where Hypercorn has a wrapper that can become HTTP/2
                    self.app,
                    self.config,
                    self.context,
                    tasks,
                    ConnectionState({}),
                    False,  # no TLS
                    client,
                    server,
                    self.protocol_send,
                )
                self.protocol = protocol
                await self.idle_task.restart(tasks, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass  # the client has disconnected
        finally:
            await self._close()


class HypercornServer:
    """Serves one application on listening sockets until it is told to stop.

    Args:
        app: The ASGI application.
        limits: Limits of connections, sends and time.
        report: Called with an unforeseen exception of a connection.
    """

    def __init__(
        self, app: ASGIFramework, limits: ApiLimits, report: Callable[[Exception], None]
    ) -> None:
        self._app = wrap_app(app, 0, "asgi")
        self._limits = limits
        self._report = report
        self._connections: dict[_Connection, GuardedStream] = {}
        self._context = WorkerContext(None)
        self._config = _config(limits)
        self._moments = QuickMoments()

    async def run(self, sockets: list[socket.socket], stop: trio.Event) -> None:
        """Serve until `stop`, then for `ApiLimits.grace` seconds more what is under way."""
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(s)) for s in sockets]
        async with trio.open_nursery() as cutting:
            cutting.start_soon(self._moments.end_each)
            async with trio.open_nursery() as connections:
                async with trio.open_nursery() as accepting:
                    await accepting.start(
                        partial(
                            trio.serve_listeners,
                            self._serve_stream,
                            listeners,
                            handler_nursery=connections,
                        )
                    )
                    await stop.wait()
                    accepting.cancel_scope.cancel()
                for guarded in self._connections.values():
                    guarded.hurry()
                await self._context.terminated.set()
                connections.cancel_scope.deadline = trio.current_time() + self._limits.grace
                cutting.start_soon(self._cut_all_later)
            cutting.cancel_scope.cancel()

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        guarded = GuardedStream(stream, self._limits.send_time)
        if len(self._connections) >= self._limits.connections and not await self._make_room():
            await _refuse(guarded)
            return
        connection = _Connection(self._app, self._config, self._context, guarded, self._moments)
        self._connections[connection] = guarded
        try:
            await connection.run()
        except Exception as error:  # noqa: BLE001 - one connection must not end the others
            self._report(error)
        finally:
            self._connections.pop(connection, None)
            await guarded.cut()

    async def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; return whether there was one."""
        idle = {c: c.idle_since for c in self._connections if c.idle_since is not None}
        if not idle:
            return False
        longest = min(idle, key=idle.__getitem__)
        await self._connections.pop(longest).cut()
        return True

    async def _cut_all_later(self) -> None:
        # Hypercorn shields its sends: only closing the stream below ends one.
        await trio.sleep(self._limits.grace)
        for stream in list(self._connections.values()):
            await stream.cut()


async def _refuse(stream: GuardedStream) -> None:
    with trio.move_on_after(LINGER_TIME):
        try:
            await stream.send_all(_FULL)
            await stream.send_eof()
        except trio.BrokenResourceError:
            pass
    await stream.cut()


def _config(limits: ApiLimits) -> Config:
    config = Config()
    # Hypercorn's loggers would write to pytest's streams.
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = limits.idle_time
    config.keep_alive_max_requests = 1_000_000_000
    config.h11_max_incomplete_size = limits.header_bytes
    return config
