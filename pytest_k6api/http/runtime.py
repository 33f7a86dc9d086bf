"""What the HTTP clients of one load test share: TLS, DNS, routes, and the watch over time."""

import os
import socket
import ssl
from functools import cached_property
from time import perf_counter_ns

import trio
from trio.lowlevel import wait_writable

from pytest_k6api.http.connection import Connection
from pytest_k6api.http.errors import (
    DIAL_TIMED_OUT,
    TIMED_OUT,
    NetworkError,
    explain_dial,
    explain_transfer,
)
from pytest_k6api.http.known_heads import KnownHeads
from pytest_k6api.http.options import ClientOptions
from pytest_k6api.http.resolving import Address, Resolver
from pytest_k6api.http.routes import Origin, Routes
from pytest_k6api.http.tls import make_context, shake_hands, version_name
from pytest_k6api.http.traffic import Traffic

# How often the sweeper looks: a request is aborted at most this late.
_PERIOD = 0.05
# If the loop stood still for this long, responses may wait unread in their
# sockets; their readers get one round before anything is called overdue.
_STOOD_STILL = 4 * _PERIOD


class HttpRuntime:
    """The shared part of all HTTP clients of one load test.

    Start `run` once in the load test's nursery; without it nothing times out.
    """

    def __init__(self, options: ClientOptions | None = None) -> None:
        self.options = options or ClientOptions()
        self.routes = Routes(timeout=self.options.timeout, redirects=self.options.max_redirects)
        self._resolver = Resolver()
        self._connections: set[Connection] = set()
        self._known_heads: KnownHeads = {}
        self._traffic: Traffic | None = None

    def __repr__(self) -> str:
        return f"<HttpRuntime with {len(self._connections)} connections>"

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS context, made when it is first needed.

        Raises:
            OptionError: The file of authorities cannot be read.
        """
        return make_context(self.options.verify)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send and receive for all clients, and abort overdue requests, until cancelled."""
        if not Traffic.is_available:
            task_status.started()
            await self._watch()
        self._traffic = traffic = Traffic()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(traffic.run)
                task_status.started()
                await self._watch()
        finally:
            self._traffic = None
            traffic.close()

    async def _watch(self) -> None:
        looked_at = perf_counter_ns()
        while True:
            await trio.sleep(_PERIOD)
            now = perf_counter_ns()
            if now - looked_at < _STOOD_STILL * 1e9:
                self._sweep(now)
            looked_at = now

    def _sweep(self, now: int) -> None:
        closed = []
        for connection in self._connections:
            if connection.deadline <= now:
                connection.wake()
            elif not connection.is_open:
                closed.append(connection)
        self._connections.difference_update(closed)

    async def dial(self, origin: Origin, deadline: int) -> Connection:
        """Return a new connection to `origin`.

        Connections are rare beside requests, so cancel scopes are fine here.

        Args:
            origin: Where to.
            deadline: When the request is overdue, in perf_counter_ns.

        Raises:
            NetworkError: There is none, because of DNS, TCP, TLS or time.
            OptionError: The file of authorities cannot be read.
        """
        context = self.tls if origin.is_tls else None
        sock, connecting = await self._connect_in_time(origin, deadline)
        protocol = "HTTP/1.1"
        began = perf_counter_ns()
        if context is not None:
            sock = tls = await _secure_in_time(sock, context, origin.host, deadline)
            protocol = f"HTTP/1.1 {version_name(tls)}"
        connection = Connection(
            sock, protocol, self.options.max_response_size, self._known_heads, self._traffic
        )
        connection.connecting = connecting
        if context is not None:
            connection.handshaking = connection.ready_at - began
        self._connections.add(connection)
        return connection

    async def _connect_in_time(self, origin: Origin, deadline: int) -> tuple[socket.socket, int]:
        left = (deadline - perf_counter_ns()) / 1e9
        with trio.move_on_after(max(0.0, min(left, self.options.connect_timeout))):
            try:
                addresses = await self._resolver.resolve(origin.host, origin.port)
                began = perf_counter_ns()
                return await _connect_to_any(addresses), perf_counter_ns() - began
            except OSError as error:
                raise NetworkError(explain_dial(error)) from error
        raise NetworkError(TIMED_OUT if left <= self.options.connect_timeout else DIAL_TIMED_OUT)


async def _connect_to_any(addresses: list[Address]) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return await _connect(address)
        except OSError:  # the last address's error is the one to report
            continue
    return await _connect(addresses[-1])


async def _connect(address: Address) -> socket.socket:
    family, peer = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(peer)
        except BlockingIOError:
            await wait_writable(sock)
            _check_connected(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_connected(sock: socket.socket) -> None:
    problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if problem:
        raise OSError(problem, os.strerror(problem))


async def _secure_in_time(
    sock: socket.socket, context: ssl.SSLContext, host: str, deadline: int
) -> ssl.SSLSocket:
    try:
        with trio.move_on_after(max(0.0, (deadline - perf_counter_ns()) / 1e9)):
            return await _secure(sock, context, host)
    except OSError as error:
        raise NetworkError(explain_transfer(error, "read")) from error
    raise NetworkError(TIMED_OUT)


async def _secure(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    tls = None
    try:
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        await shake_hands(tls)
    except BaseException:
        (sock if tls is None else tls).close()
        raise
    return tls
