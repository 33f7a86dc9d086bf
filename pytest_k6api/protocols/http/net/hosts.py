"""Addresses that are given instead of asked of DNS: of servers by name, and of this machine.

Source: k6 v1.1.0, ``lib/types/hosts.go``, ``lib/types/ipaddr.go``; sockets of the file
system are an addition.
"""

import ipaddress
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_k6api.model import OptionError

# What `socket.connect` takes: family and address; the address of IPv6 has two more fields.
Address = tuple[int, Any]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNIX = "unix:"
_NAME = re.compile(r"(?P<host>(?:\*\.)?[^:*\s/]+|\[[^\]]+\])(?::(?P<port>\d{1,5}))?")
_ADDRESS = re.compile(
    r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[^:\[\]]+))(?::(?P<port>\d{1,5}))?|(?P<bare>[^\[\]]+)"
)
_HIGHEST_PORT = 65_535
_LONGEST_PATH = 107 if sys.platform == "linux" else 103  # bytes, of a Unix socket's path
# Of more addresses than this no load test has a use, and a list of them takes memory.
_MOST_LOCAL = 65_536


class HostTable:
    """Addresses of servers by their names; k6's option ``hosts``.

    Args:
        entries: By ``name`` or ``name:port``, with ``*.`` in front for all names below:
            ``address``, ``address:port``, or ``unix:/path`` for a socket of the file system.

    Raises:
        OptionError: An entry cannot be read.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._by_name: dict[tuple[str, int | None], tuple[str, int | None]] = {}
        for name, address in entries.items():
            host, port = _read_name(name)
            self._by_name[host, port] = _read_address(name, address)

    def find(self, host: str, port: int) -> Address | None:
        """Return the address for `host` and `port`; None to ask DNS."""
        if not self._by_name:
            return None
        for name in _names(host.removesuffix(".")):
            for key in ((name, port), (name, None)):
                if key in self._by_name:
                    return _address(*self._by_name[key], port)
        return None


class LocalAddresses:
    """Addresses of this machine that connections come from, one for each virtual user.

    Args:
        text: Addresses, ranges and networks with commas between, such as
            ``10.0.0.1-10.0.0.9,10.0.1.0/28``; ``""`` leaves the choice to the system.

    Raises:
        OptionError: `text` cannot be read.
    """

    def __init__(self, text: str = "") -> None:
        self._addresses: list[IpAddress] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            for address in _read_range(part):
                if len(self._addresses) == _MOST_LOCAL:
                    raise OptionError(f"{text!r} has more than {_MOST_LOCAL:,} addresses")
                self._addresses.append(address)

    def of_vu(self, number: int) -> IpAddress | None:
        """Return the address of the VU `number`, counted from 1; None for the system's choice."""
        if not self._addresses:
            return None
        return self._addresses[(number - 1) % len(self._addresses)]


def _names(host: str) -> Iterator[str]:
    """Yield the keys that `host` may be found by: itself, then the wildcards, nearest first."""
    yield host
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"


def _read_name(text: str) -> tuple[str, int | None]:
    found = _NAME.fullmatch(text.strip().lower())
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port or 0) > _HIGHEST_PORT:
        raise OptionError(
            f"cannot read the host {text!r}; write a name such as shop.test, shop.test:8443 or"
            " *.shop.test"
        )
    return found["host"].strip("[]").removesuffix("."), port


def _read_address(name: str, text: str) -> tuple[str, int | None]:
    text = text.strip()
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if path.startswith("/") and len(path.encode()) <= _LONGEST_PATH:
            return text, None
        raise OptionError(
            f"cannot read the address {text!r} of {name!r}; write unix: and a whole path of at"
            f" most {_LONGEST_PATH} bytes, such as unix:/run/shop.sock"
        )
    if found := _ADDRESS.fullmatch(text):
        address, port = _literal(found["six"] or found["four"] or found["bare"]), found["port"]
        if address is not None and (port is None or _is_port(port)):
            return str(address), None if port is None else int(port)
    raise OptionError(
        f"cannot read the address {text!r} of {name!r}; write an IP address, with a port or"
        " without, such as 127.0.0.1, 127.0.0.1:8443 or [::1]:8443, or unix:/path"
    )


def _address(found: str, own_port: int | None, port: int) -> Address:
    if found.startswith(_UNIX):
        return socket.AF_UNIX, found.removeprefix(_UNIX)
    port = port if own_port is None else own_port
    if ":" in found:
        return socket.AF_INET6, (found, port, 0, 0)
    return socket.AF_INET, (found, port)


def _read_range(text: str) -> Iterator[IpAddress]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        if "/" in text:
            return iter(ipaddress.ip_network(text, strict=False))
        begin, end = ipaddress.ip_address(first), ipaddress.ip_address(last if dash else first)
        return _between(begin, end)
    except ValueError:
        raise OptionError(
            f"cannot read {text!r}; write an IP address, a range such as 10.0.0.1-10.0.0.9 or a"
            " network such as 10.0.0.0/28"
        ) from None


def _between(begin: IpAddress, end: IpAddress) -> Iterator[IpAddress]:
    if begin.version != end.version or int(end) < int(begin):
        raise ValueError(f"{begin} is not before {end}")
    return (begin + step for step in range(int(end) - int(begin) + 1))


def _literal(text: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_port(text: str) -> bool:
    return text.isdecimal() and text.isascii() and 0 < int(text) <= _HIGHEST_PORT
