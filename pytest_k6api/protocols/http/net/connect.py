"""Opens connections: resolves names, connects TCP, completes the TLS handshake, all in time.

A connection to a known address needs no cancel scope and none of Trio's waits:
`Traffic` wakes its task when it is there, the sweeper when it is overdue.
"""

import errno
import os
import socket
import ssl
import sys
from collections.abc import Callable
from functools import cached_property
from time import perf_counter_ns
from typing import NamedTuple

import trio
from trio.lowlevel import Abort, Task, current_task, wait_task_rescheduled

from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import (
    DIAL_TIMED_OUT,
    TCP,
    TIMED_OUT,
    NetworkError,
    RequestFailure,
    explain_dial,
    explain_transfer,
)
from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.descriptors import check_descriptor, first_reserved_descriptor
from pytest_k6api.protocols.http.net.dns import Resolver
from pytest_k6api.protocols.http.net.hosts import IpAddress
from pytest_k6api.protocols.http.net.proxies import Proxies, Proxy
from pytest_k6api.protocols.http.net.reach import Attempt, ClosableT, End, Reached, Way, reach_any
from pytest_k6api.protocols.http.net.tcp import tell_arrivals
from pytest_k6api.protocols.http.net.tls import NestedTlsSocket, TlsSocket
from pytest_k6api.protocols.http.net.tunnels import open_tunnel

_IPV4 = 4
_BIND_ADDRESS_NO_PORT = 24  # Linux, IP_BIND_ADDRESS_NO_PORT, which Python does not name
_QUEUE_PERIOD = 0.005


class Dialed(NamedTuple):
    """A connected socket.

    Attributes:
        sock: The socket; with TLS over it if it leads to a proxy that wants that.
        connecting: Nanoseconds that TCP took, and TLS to a proxy and its tunnel if there are such.
        forwarder: The proxy that requests are sent to; None if the server itself reads them.
    """

    sock: socket.socket | TlsSocket
    connecting: int
    forwarder: Proxy | None


class Dial:
    """A connection that is being made; `Traffic` and the sweeper wake its task.

    Attributes:
        deadline: When it is overdue, in perf_counter_ns.
        is_open: Whether a task waits for it.
        is_overdue: Whether the sweeper woke the task.
    """

    __slots__ = ("_task", "deadline", "is_open", "is_overdue")

    def __init__(self, deadline: int) -> None:
        self.deadline = deadline
        self.is_open = True
        self.is_overdue = False
        self._task: Task | None = None

    def __repr__(self) -> str:
        return f"<Dial {'under way' if self.is_open else 'over'}>"

    async def wait(self) -> None:
        """Wait to be woken."""
        self._task = current_task()
        try:
            await wait_task_rescheduled(self._abort)
        finally:
            self.is_open = False

    def wake(self) -> None:
        """Resume the task so that it checks the socket; no-op if it does not wait."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def expire(self) -> None:
        """Resume the task so that it gives up."""
        self.is_overdue = self._task is not None
        self.wake()

    def _abort(self, _raise_cancel: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


class Dialer:
    """Makes the connections of one load test.

    Attributes:
        dials: Those under way, and some that are over.

    Args:
        timeout: Seconds that a TCP connection may take, looking its address up included.
        resolver: Looks addresses up.
        proxies: Which servers are reached through a proxy.
        proxy_context: Returns how TLS is spoken with proxies.
    """

    def __init__(
        self,
        timeout: float,
        resolver: Resolver,
        proxies: Proxies,
        proxy_context: Callable[[], ssl.SSLContext],
    ) -> None:
        self.dials: set[Dial] = set()
        self._timeout = round(timeout * 1e9)
        self._resolver = resolver
        self._proxies = proxies
        self._proxy_context = proxy_context

    def sweep(self, now: int) -> None:
        """Wake the dials that are overdue at `now`, in perf_counter_ns; forget those that are over."""
        self.dials = {dial for dial in self.dials if dial.is_open}
        for dial in self.dials:
            if dial.deadline <= now:
                dial.expire()

    @cached_property
    def _first_reserved(self) -> int:
        # When it is first needed: the limit is raised when the load test starts.
        return first_reserved_descriptor()

    async def connect(
        self,
        origin: Origin,
        deadline: int,
        traffic: Traffic,
        local: IpAddress | None = None,
        *,
        tunnels: bool = False,
    ) -> Dialed:
        """Return a socket to `origin`, through a proxy where one applies.

        Args:
            origin: Where to.
            deadline: When the request is overdue, in perf_counter_ns.
            traffic: Tells when a socket is connected.
            local: The address of this machine to connect from; None for the system's choice.
            tunnels: Whether a proxy leads through a tunnel even where it could read requests.

        Raises:
            NetworkError: There is none, because of DNS, TCP, the proxy or time.
        """
        proxy = self._proxies.find(origin)

        async def attempt(way: Way, limit: int) -> socket.socket:
            return await self._connect(way, limit, traffic)

        try:
            reached = await self.reach(proxy or origin, deadline, local, attempt)
        except NetworkError as error:
            is_timeout = error.failure in {TIMED_OUT, DIAL_TIMED_OUT}
            if proxy is not None and not is_timeout:  # k6's code and word for it
                error.failure = RequestFailure(TCP, f"proxyconnect: {error.failure.text}")
            raise
        sock, began, limit = reached.connection, reached.began, reached.limit
        connecting = perf_counter_ns() - began
        if proxy is None:
            return Dialed(sock, connecting, None)
        way = await self._enter(sock, proxy, limit)
        is_tunnel = tunnels or proxy.needs_tunnel(origin)
        if is_tunnel:
            overdue = TIMED_OUT if deadline <= limit else DIAL_TIMED_OUT
            await _tunnel(way, proxy, origin, limit, overdue)
        return Dialed(way, perf_counter_ns() - began, None if is_tunnel else proxy)

    def leads_through_proxy(self, origin: Origin) -> bool:
        """Return whether `origin` is reached through a proxy."""
        return self._proxies.find(origin) is not None

    async def reach(
        self, end: End, deadline: int, local: IpAddress | None, attempt: Attempt[ClosableT]
    ) -> Reached[ClosableT]:
        """Return what `attempt` makes of the first address of `end` that answers.

        Args:
            end: Where to.
            deadline: When the request is overdue, in perf_counter_ns.
            local: The address of this machine to connect from; None for the system's choice.
            attempt: Connects one way until a moment in perf_counter_ns.

        Raises:
            NetworkError: There is none, because of DNS, the network or time.
        """
        limit = perf_counter_ns() + self._timeout
        overdue = TIMED_OUT if deadline <= limit else DIAL_TIMED_OUT
        limit = min(limit, deadline)
        try:
            addresses = self._resolver.known(end.host, end.port)
            if addresses is None:
                with trio.fail_after(_seconds_until(limit)):
                    addresses = await self._resolver.resolve(end.host, end.port)
            began = perf_counter_ns()
            ways = [(address, local) for address in self._resolver.in_turn(end.host, addresses)]
            return Reached(await reach_any(ways, limit, attempt), began, limit)
        except (trio.TooSlowError, TimeoutError) as error:
            is_ours = isinstance(error, trio.TooSlowError)
            raise NetworkError(overdue if is_ours else DIAL_TIMED_OUT) from error
        except OSError as error:
            raise NetworkError(explain_dial(error)) from error

    async def _enter(
        self, sock: socket.socket, proxy: Proxy, limit: int
    ) -> socket.socket | TlsSocket:
        """Return the way to `proxy` on `sock`, which is connected to it."""
        if not proxy.is_tls:
            return sock
        try:
            return await secure(sock, self._proxy_context(), proxy.host, limit)
        except NetworkError as error:
            failure = error.failure
            if failure is not TIMED_OUT:
                text = f"proxyconnect: {failure.text}"
                error.failure = RequestFailure(failure.code, text)
            raise

    def open_socket(self, way: Way, kind: socket.SocketKind) -> socket.socket:
        """Return a non-blocking socket for `way`, which is not connected yet.

        Raises:
            OSError: There is none, or it cannot come from that address of this machine.
        """
        (family, _), local = way
        sock = socket.socket(family, kind)
        try:
            check_descriptor(sock, self._first_reserved)
            sock.setblocking(False)
            if local is not None and family != socket.AF_UNIX:
                _bind(sock, local)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _connect(self, way: Way, limit: int, traffic: Traffic) -> socket.socket:
        (family, peer), _ = way
        sock = self.open_socket(way, socket.SOCK_STREAM)
        try:
            tell_arrivals(sock)
            if family == socket.AF_UNIX:
                await _connect_in_file_system(sock, peer, limit)
                return sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                sock.connect(peer)
            except BlockingIOError:
                await self._wait_until_connected(sock, limit, traffic)
                _check_connected(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _wait_until_connected(
        self, sock: socket.socket, limit: int, traffic: Traffic
    ) -> None:
        dial = Dial(limit)
        self.dials.add(dial)
        traffic.add_dial(sock.fileno(), dial)
        try:
            await dial.wait()
        finally:
            traffic.remove_dial(sock.fileno())
        if dial.is_overdue:
            raise trio.TooSlowError


async def secure(
    sock: socket.socket | TlsSocket, context: ssl.SSLContext, host: str, deadline: int
) -> TlsSocket:
    """Return `sock` with TLS over it.

    Raises:
        NetworkError: The handshake failed, or was not over by `deadline`; `sock` is closed then.
    """
    try:
        with trio.move_on_after(_seconds_until(deadline)):
            if isinstance(sock, TlsSocket):
                tls: TlsSocket = NestedTlsSocket(sock, context, host)
            else:
                tls = TlsSocket(sock, context, host)
            await tls.shake_hands()
            return tls
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise NetworkError(explain_transfer(error, "read")) from error
        raise
    sock.close()
    raise NetworkError(TIMED_OUT)


async def _tunnel(
    sock: socket.socket | TlsSocket,
    proxy: Proxy,
    origin: Origin,
    limit: int,
    overdue: RequestFailure,
) -> None:
    """Have `proxy` lead `sock` to `origin`; close it if that fails."""
    try:
        with trio.fail_after(_seconds_until(limit)):
            await open_tunnel(sock, proxy, origin)
    except BaseException as error:
        sock.close()
        if isinstance(error, trio.TooSlowError):
            raise NetworkError(overdue) from error
        if isinstance(error, OSError):
            raise NetworkError(explain_transfer(error, "read")) from error
        raise


def _bind(sock: socket.socket, local: IpAddress) -> None:
    family = socket.AF_INET if local.version == _IPV4 else socket.AF_INET6
    if family != sock.family:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    if sys.platform == "linux":
        # The port is chosen when the connection is made, or ports would run out.
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    sock.bind((str(local), 0))


async def _connect_in_file_system(sock: socket.socket, path: str, limit: int) -> None:
    with trio.fail_after(_seconds_until(limit)):
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:  # its queue is full, and nothing tells of its end
                await trio.sleep(_QUEUE_PERIOD)
            else:
                return


def _check_connected(sock: socket.socket) -> None:
    problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if problem:
        raise OSError(problem, os.strerror(problem))


def _seconds_until(moment: int) -> float:
    return max(0.0, (moment - perf_counter_ns()) / 1e9)
