"""Opens QUIC connections: what they go by, and the handshake with the first address that answers."""

import re
import socket
import ssl
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter_ns

import trio
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.packet import QuicFrameType

from pytest_k6api.protocols.http.h3.certificates import Authorities
from pytest_k6api.protocols.http.h3.connection import Http3Connection, Http3Shared
from pytest_k6api.protocols.http.h3.errors import (
    BAD_CERTIFICATE,
    NEEDS_TLS,
    NEEDS_UDP,
    NO_PROXY,
)
from pytest_k6api.protocols.http.h3.quic import QuicSocket
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import NetworkError
from pytest_k6api.protocols.http.multiplexed import STREAM_WINDOW
from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.connect import Dialer
from pytest_k6api.protocols.http.net.hosts import IpAddress
from pytest_k6api.protocols.http.net.reach import Way
from pytest_k6api.protocols.http.net.tcp import tell_arrivals
from pytest_k6api.protocols.http.net.tls import server_name
from pytest_k6api.protocols.http.net.tls_context import ClientCertificate

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL
)
_CONNECTION_WINDOW = 16 * STREAM_WINDOW
# Seconds without a datagram, as good as never: it is the server that gives connections up.
_IDLE_TIMEOUT = 24 * 3600.0


class Http3Dialer:
    """Makes the HTTP/3 connections of one load test.

    Args:
        dialer: Looks addresses up, and goes through them.
        traffic: Sends and receives.
        verify: As `make_context` has it.
        max_size: The most bytes that a response's body may have; None for no limit.
        nursery: Has the task that looks after timers.
    """

    def __init__(
        self,
        dialer: Dialer,
        traffic: Traffic,
        verify: bool | str,
        max_size: int | None,
        nursery: trio.Nursery,
    ) -> None:
        self._dialer, self._traffic = dialer, traffic
        self._verify, self._max_size = verify, max_size
        self._configurations: dict[tuple[str, ClientCertificate | None], QuicConfiguration] = {}
        self._shared = Http3Shared()
        nursery.start_soon(self._shared.timers.run)

    def __repr__(self) -> str:
        return f"<Http3Dialer with {self._shared.timers!r}>"

    def prepare(self) -> None:
        """Read the authorities, which takes some time.

        Raises:
            OptionError: Their file cannot be read.
        """
        _ = self._authorities

    async def dial(
        self,
        origin: Origin,
        deadline: int,
        certificate: ClientCertificate | None,
        local: IpAddress | None,
    ) -> Http3Connection:
        """Return a new connection to `origin`.

        Args:
            origin: Where to.
            deadline: When the request is overdue, in perf_counter_ns.
            certificate: Of the client; None without.
            local: The address of this machine to connect from; None for the system's choice.

        Raises:
            NetworkError: There is none, because of DNS, UDP, QUIC, its TLS or time.
        """
        if not origin.is_tls:
            raise NetworkError(NEEDS_TLS)
        if self._dialer.leads_through_proxy(origin):
            raise NetworkError(NO_PROXY)
        configuration = self._configuration(origin.host, certificate)
        attempt = partial(self._connect, configuration, server_name(origin.host))
        reached = await self._dialer.reach(origin, deadline, local, attempt)
        return reached.connection

    async def _connect(
        self, configuration: QuicConfiguration, name: str, way: Way, limit: int
    ) -> Http3Connection:
        (family, peer), _ = way
        if family == socket.AF_UNIX:
            raise NetworkError(NEEDS_UDP)
        udp = self._dialer.open_socket(way, socket.SOCK_DGRAM)
        try:
            udp.connect(peer)
            tell_arrivals(udp)
            sock = QuicSocket(udp, configuration)
        except BaseException:
            udp.close()
            raise
        began = perf_counter_ns()
        try:
            await sock.shake_hands(limit)
            self._check(sock, name)
            await sock.wait_for_streams(limit)
        except BaseException:
            sock.close()
            raise
        connection = Http3Connection(sock, self._max_size, self._shared, self._traffic)
        connection.connecting = sock.answered_at - began
        connection.handshaking = connection.ready_at - sock.answered_at
        return connection

    def _check(self, sock: QuicSocket, name: str) -> None:
        """End the connection if the server is not to be trusted."""
        flaw = self._authorities.find_flaw(sock.certificates, name)
        if flaw is not None:
            sock.close(BAD_CERTIFICATE, QuicFrameType.CRYPTO)
            raise NetworkError(flaw)

    def _configuration(self, host: str, certificate: ClientCertificate | None) -> QuicConfiguration:
        known = self._configurations.get((host, certificate))
        if known is None:
            # Also an address, which is no name for SNI (RFC 6066): Caddy's certificate for it
            # is found by that alone, because a socket of UDP does not know its own.
            known = replace(self._plain, server_name=server_name(host))
            if certificate is not None:
                _load(certificate, known)
            self._configurations[host, certificate] = known
        return known

    @cached_property
    def _authorities(self) -> Authorities:
        return Authorities(self._verify)

    @cached_property
    def _plain(self) -> QuicConfiguration:
        """What connections go by, but for the server's name and the client's certificate."""
        return QuicConfiguration(
            alpn_protocols=["h3"],
            idle_timeout=_IDLE_TIMEOUT,
            max_data=_CONNECTION_WINDOW,
            max_stream_data=STREAM_WINDOW,
            probe_datagram_size=False,
            verify_mode=ssl.CERT_NONE,  # the authorities are asked, before anything is said
        )


def _load(certificate: ClientCertificate, configuration: QuicConfiguration) -> None:
    chain = Path(certificate.cert_file).read_bytes()
    key = _KEY.search(Path(certificate.key_file or certificate.cert_file).read_bytes())
    configuration.load_cert_chain(
        b"\n".join(_CERTIFICATE.findall(chain)),
        None if key is None else key[0],
        certificate.password or None,
    )
