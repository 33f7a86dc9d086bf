"""The shared part of one load test's HTTP clients: TLS, DNS, routes, and the watch over deadlines."""

import socket
import ssl
from functools import cached_property
from time import perf_counter_ns

import trio

from pytest_k6api.protocols.http import h2, h3  # its modules are imported when it is spoken
from pytest_k6api.protocols.http.client.connection import Connection, Watched
from pytest_k6api.protocols.http.client.options import (
    HTTP1,
    HTTP2,
    HTTP3,
    ClientOptions,
    ConnectionOptions,
    offered,
)
from pytest_k6api.protocols.http.client.routes import Routes
from pytest_k6api.protocols.http.h1.connection import Http1Connection
from pytest_k6api.protocols.http.h1.forwarded import ForwardedHttp1Connection
from pytest_k6api.protocols.http.h1.head_cache import KnownHeads
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import NetworkError
from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.connect import Dialer, secure
from pytest_k6api.protocols.http.net.dns import Resolver
from pytest_k6api.protocols.http.net.proxies import Proxy
from pytest_k6api.protocols.http.net.tls import TlsSocket, version_name
from pytest_k6api.protocols.http.net.tls_context import ClientCertificate, make_context

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
            keeps_bodies=not self.options.discard_response_bodies,
            secrets=self.options.secrets,
            tracer=self.options.tracer,
        )
        self._dialer = Dialer(
            self.options.connect_timeout,
            Resolver(self.options.dns, self.options.hosts),
            self.options.proxies,
            lambda: self._proxy_context,
        )
        self._connections: set[Watched] = set()
        self._contexts: dict[object, ssl.SSLContext] = {}
        self._known_heads: KnownHeads = {}
        self._traffic: Traffic | None = None
        self._nursery: trio.Nursery | None = None

    def __repr__(self) -> str:
        return f"<HttpRuntime with {len(self._connections)} connections>"

    def tls(
        self, versions: tuple[str, ...], certificate: ClientCertificate | None = None
    ) -> ssl.SSLContext:
        """Return the TLS context that offers `versions`, made when it is first needed.

        Raises:
            OptionError: One of its files cannot be read.
        """
        context = self._contexts.get((versions, certificate))
        if context is None:
            context = make_context(self.options.verify, certificate, self.options.tls)
            context.set_alpn_protocols(versions)
            self._contexts[versions, certificate] = context
        return context

    @cached_property
    def _proxy_context(self) -> ssl.SSLContext:
        """How TLS is spoken with proxies: as with servers, but for versions of HTTP."""
        context = make_context(self.options.verify, self.options.certificate, self.options.tls)
        context.options |= ssl.OP_NO_RENEGOTIATION
        return context

    @cached_property
    def _http2(self) -> "h2.Http2Caches":
        """What connections of HTTP/2 share."""
        return h2.Http2Caches()

    @cached_property
    def _http3(self) -> "h3.Http3Dialer":
        """What opens connections of HTTP/3."""
        assert self._nursery is not None
        options = self.options
        return h3.Http3Dialer(
            self._dialer, self.traffic, options.verify, options.max_response_size, self._nursery
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send and receive for all clients, and abort overdue requests, until cancelled."""
        self._traffic = traffic = Traffic()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(traffic.run)
                self._nursery = nursery
                if self.options.http_versions == "3":
                    self._http3.prepare()  # what takes long is done before any request
                task_status.started()
                await self._watch()
        finally:
            self._traffic = self._nursery = None
            traffic.close()

    async def _watch(self) -> None:
        swept_at = perf_counter_ns()
        may_wait = True
        while True:
            await trio.sleep(_PERIOD)
            for _ in range(self.traffic.turns_late):
                await trio.lowlevel.checkpoint()
            now = perf_counter_ns()
            # One round, not more: a loop that stands still again and again has timeouts, too.
            if may_wait and now - swept_at > _STOOD_STILL * 1e9:
                may_wait = False
                continue
            self._sweep(now)
            self.traffic.clock.read()
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

    @property
    def traffic(self) -> Traffic:
        """The batches of all connections, while the runtime runs."""
        assert self._traffic is not None
        return self._traffic

    def watch(self, thing: Watched) -> None:
        """Wake `thing` at its deadline, until it is closed."""
        self._connections.add(thing)

    async def dial_http1(
        self, origin: Origin, deadline: int, options: ConnectionOptions
    ) -> Http1Connection:
        """Return a new connection to `origin` itself that speaks HTTP/1.1; see `dial`."""
        connection = await self.dial(
            origin, deadline, options._replace(versions="1.1", tunnels=True)
        )
        assert isinstance(connection, Http1Connection)
        return connection

    async def dial(self, origin: Origin, deadline: int, options: ConnectionOptions) -> Connection:
        """Return a new connection to `origin`.

        Args:
            origin: Where to.
            deadline: When the request is overdue, in perf_counter_ns.
            options: Its properties.

        Raises:
            NetworkError: There is none, because of DNS, TCP, a proxy, TLS or time.
            OptionError: The file of authorities cannot be read.
        """
        if self._traffic is None:
            # The load test has ended. What swallows its interruption in a loop, and comes here
            # again and again, must not keep the loop from abandoning it.
            await trio.lowlevel.checkpoint()
        names = offered(options.versions, is_tls=origin.is_tls)
        if HTTP3 in names:
            quic = await self._http3.dial(origin, deadline, options.certificate, options.address)
            self._connections.add(quic)
            return quic
        context = self.tls(names, options.certificate) if origin.is_tls else None
        # What a proxy is sent to pass on is HTTP/1.1.
        tunnels = options.tunnels or HTTP1 not in names
        sock, connecting, forwarder = await self._dialer.connect(
            origin, deadline, self.traffic, options.address, tunnels=tunnels
        )
        if context is None:
            # As in k6, a proxy's version is told where it is all that there is.
            version = f" {version_name(sock)}" if isinstance(sock, TlsSocket) else ""
            connection = self._connection(names[0], sock, version, forwarder)
        else:
            began = perf_counter_ns()
            tls = await secure(sock, context, origin.host, deadline)
            chosen = tls.alpn_protocol() or HTTP1
            if chosen not in names:
                tls.close()
                raise NetworkError(h2.NOT_CHOSEN)
            connection = self._connection(chosen, tls, f" {version_name(tls)}")
            connection.handshaking = connection.ready_at - began
        connection.connecting = connecting
        self._connections.add(connection)
        return connection

    def _connection(
        self,
        name: str,
        sock: socket.socket | TlsSocket,
        tls_version: str,
        forwarder: Proxy | None = None,
    ) -> "Http1Connection | h2.Http2Connection":
        size, traffic = self.options.max_response_size, self.traffic
        if forwarder is not None:
            return ForwardedHttp1Connection(
                forwarder, sock, f"HTTP/1.1{tls_version}", size, self._known_heads, traffic
            )
        if name == HTTP2:
            return h2.Http2Connection(sock, f"HTTP/2.0{tls_version}", size, self._http2, traffic)
        return Http1Connection(sock, f"HTTP/1.1{tls_version}", size, self._known_heads, traffic)
