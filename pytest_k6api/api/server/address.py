"""Parse an address and bind listening sockets.

Sockets are bound in the caller's thread, so that pytest shows the error of a busy
port.
"""

import errno
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pytest_k6api.api.settings import ApiError, ApiSettings

_LAST_PORT: Final = 65535
_NEXT_PORTS: Final = 50
_BACKLOG: Final = 128
_HOST_MISSING: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; the host ``""`` stands for every interface, as in Go.

    Attributes:
        host: A name or an IP address, without brackets.
        port: 0 for any free one.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True if only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The IP addresses to bind.

        ``localhost`` is two of them, because clients try IPv6 first or IPv4 first
        as they like. (k6 binds whichever its resolver names first.)
        """
        if self.host == "localhost":
            return ("127.0.0.1", "::1")
        return (self.host,)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether `host` can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """Read ``host:port``, ``[IPv6]:port`` or ``:port``.

    Raises:
        ApiError: It is none of these.
    """
    host, separator, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    well_formed = separator and (bracketed or not set(host) & set(":[] /"))
    if not (well_formed and port.isascii() and port.isdecimal() and int(port) <= _LAST_PORT):
        raise ApiError(
            f"cannot read the address {text!r} of the control API; write 'host:port', such as"
            " 'localhost:6565' or '127.0.0.1:0', or '' to switch it off"
        )
    return Address(host[1:-1] if bracketed else host, int(port))


def bind(settings: ApiSettings, warn: Callable[[str], None]) -> tuple[Address, list[socket.socket]]:
    """Return the address taken, its port never 0, and its listening sockets.

    Args:
        settings: Address and token; the address must not be ``""``.
        warn: Called with a sentence if the default port was busy and another is used.

    Raises:
        ApiError: The address cannot be read or bound, or needs a token and has none.
    """
    wanted = parse_address(settings.address)
    if not wanted.is_loopback and settings.token is None:
        raise ApiError(
            f"the address {settings.address!r} of the control API can be reached from other"
            " machines; set a token too (--k6-token or K6_TOKEN), or listen on 'localhost'"
        )
    try:
        return _bind_all(wanted)
    except OSError as error:
        if settings.explicit or error.errno != errno.EADDRINUSE:
            raise ApiError(_refusal(settings.address, error)) from error
    taken, sockets = _bind_next(wanted)
    warn(
        f"the port of {settings.address} is busy: the control API listens on {taken} instead"
        " (give it an address of its own with --k6-address)"
    )
    return taken, sockets


def _refusal(address: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"the control API cannot listen on {address!r}: the port is busy; give it another"
            " with --k6-address (port 0 takes any free one), or stop what uses it"
        )
    return f"the control API cannot listen on {address!r}: {error.strerror or error}"


def _bind_next(wanted: Address) -> tuple[Address, list[socket.socket]]:
    following = range(wanted.port + 1, min(wanted.port + _NEXT_PORTS, _LAST_PORT) + 1)
    for port in (*following, 0):
        try:
            return _bind_all(Address(wanted.host, port))
        except OSError as error:
            last = error
    raise ApiError(_refusal(str(wanted), last)) from last


def _bind_all(address: Address) -> tuple[Address, list[socket.socket]]:
    """Bind every host of `address` to one port, or none of them.

    Raises:
        OSError: One of them cannot be bound. (A machine without IPv6 is no error.)
    """
    sockets: list[socket.socket] = []
    port = address.port
    try:
        for host in address.hosts:
            try:
                bound = _listen(host, port)
            except OSError as error:
                # A free port of IPv4 need not be free in IPv6, and that one was not asked for.
                if sockets and (error.errno in _HOST_MISSING or address.port == 0):
                    continue
                raise
            sockets.append(bound)
            port = bound.getsockname()[1]
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return Address(address.host, port), sockets


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else "::1" would take 127.0.0.1's port on systems that map IPv4 into IPv6.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "")
        bound.bind(where)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
