"""The shared part of one load test's HTTP clients: TLS, DNS, routes, and the watch over deadlines."""

import os
import socket
import ssl
from collections.abc import Iterator
from functools import cached_property
from time import perf_counter_ns

import trio

from pytest_k6api.protocols.http.client.connection import Connection
from pytest_k6api.protocols.http.client.options import ClientOptions
from pytest_k6api.protocols.http.client.routes import Routes
from pytest_k6api.protocols.http.h1.connection import Http1Connection
from pytest_k6api.protocols.http.h1.head_cache import KnownHeads
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.connect import Dialer, secure
from pytest_k6api.protocols.http.net.proxies import proxy_variable
from pytest_k6api.protocols.http.net.tcp import tell_arrivals
from pytest_k6api.protocols.http.net.tls import TlsSocket, make_context, version_name

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
        self.routes = Routes(
            timeout=self.options.timeout,
            redirects=self.options.max_redirects,
            secrets=self.options.secrets,
        )
        self._dialer = Dialer(self.options.connect_timeout)
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
        context = make_context(self.options.verify)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def warnings(self) -> Iterator[str]:
        """Yield warnings about the requests so far, one sentence each."""
        for origin in self.routes.origins:
            variable = proxy_variable(origin, os.environ)
            if variable:
                yield (
                    f"{variable} is set for {origin.url}, but vu.http has no proxies yet: its"
                    " requests go to the server itself; with the host in NO_PROXY this is not told"
                )
                return

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
        swept_at = perf_counter_ns()
        may_wait = True
        while True:
            await trio.sleep(_PERIOD)
            now = perf_counter_ns()
            # One round, not more: a loop that stands still again and again has timeouts, too.
            if may_wait and now - swept_at > _STOOD_STILL * 1e9:
                may_wait = False
                continue
            self._sweep(now)
            if self._traffic is not None:
                self._traffic.clock.read()
            swept_at, may_wait = now, True

    def _sweep(self, now: int) -> None:
        self._dialer.sweep(now)
        closed = []
        for connection in self._connections:
            if connection.deadline <= now:
                connection.wake()
            elif not connection.is_open:
                closed.append(connection)
        self._connections.difference_update(closed)

    async def dial(self, origin: Origin, deadline: int) -> Connection:
        """Return a new connection to `origin`.

        Args:
            origin: Where to.
            deadline: When the request is overdue, in perf_counter_ns.

        Raises:
            NetworkError: There is none, because of DNS, TCP, TLS or time.
            OptionError: The file of authorities cannot be read.
        """
        context = self.tls if origin.is_tls else None
        sock, connecting = await self._dialer.connect(origin, deadline, self._traffic)
        if self._traffic is not None:
            tell_arrivals(sock)
        if context is None:
            connection = self._http1(sock, "HTTP/1.1")
        else:
            began = perf_counter_ns()
            tls = await secure(sock, context, origin.host, deadline)
            # ALPN chooses here: the context offers what there are connections for.
            connection = self._http1(tls, f"HTTP/1.1 {version_name(tls)}")
            connection.handshaking = connection.ready_at - began
        connection.connecting = connecting
        self._connections.add(connection)
        return connection

    def _http1(self, sock: socket.socket | TlsSocket, protocol: str) -> Http1Connection:
        return Http1Connection(
            sock, protocol, self.options.max_response_size, self._known_heads, self._traffic
        )
