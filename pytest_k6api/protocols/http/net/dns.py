"""DNS: socket addresses of host names, looked up once for all virtual users."""

import ipaddress
import math
import random
import socket
from typing import Any

import trio

# k6's default: an answer is used for five minutes.
_TIME_TO_LIVE = 300.0

# What `socket.connect` takes: family and address; the address of IPv6 has two more fields.
Address = tuple[int, Any]


class Resolver:
    """A cache of DNS answers that asks at most once at a time for one host.

    Thousands of virtual users start in the same moment; the first one asks, in a
    thread, and the others wait for its answer, be it an error.
    """

    def __init__(self) -> None:
        # Which connection gets which address depends on when it is made: no seed would
        # repeat that.
        self._random = random.Random()
        # Until when they hold, and the addresses.
        self._answers: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    def known(self, host: str, port: int) -> list[Address] | None:
        """Return the addresses of `host` if they are known, else None."""
        key = (host, port)
        answer = self._answers.get(key)
        if answer is None:
            literal = _literal(host, port)
            if literal is None:
                return None
            answer = self._answers[key] = (math.inf, [literal])
        return answer[1] if trio.current_time() < answer[0] else None

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of `host`, IPv4 first as in k6; at least one.

        Raises:
            socket.gaierror: There are none.
        """
        key = (host, port)
        while (known := self.known(host, port)) is None:
            lookup = self._lookups.get(key)
            if lookup is None:
                return await self._look_up(key)
            await lookup.done.wait()
            if lookup.error is not None:
                # A copy: one error raised by thousands would drag along a
                # traceback of all of them.
                raise type(lookup.error)(*lookup.error.args)
        return known

    async def _look_up(self, key: tuple[str, int]) -> list[Address]:
        lookup = self._lookups[key] = _Lookup()
        host, port = key
        try:
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            lookup.error = error
            raise
        finally:
            # Also when this task was cancelled: the tasks that wait ask again then.
            del self._lookups[key]
            lookup.done.set()
        addresses: list[Address] = [(family, address) for family, _, _, _, address in found]
        addresses.sort(key=_is_ipv6)
        self._answers[key] = (trio.current_time() + _TIME_TO_LIVE, addresses)
        return addresses

    def in_turn(self, addresses: list[Address]) -> list[Address]:
        """Return `addresses` in the order to try them: IPv4 first, else by chance.

        So the connections of a load test spread over a name's addresses.

        Source: k6 v1.1.0, ``lib/types/dnsconfig.go``, ``DNSrandom``, ``DNSpreferIPv4``.
        """
        if len(addresses) == 1:
            return addresses
        shuffled = self._random.sample(addresses, len(addresses))
        shuffled.sort(key=_is_ipv6)
        return shuffled


def _is_ipv6(address: Address) -> bool:
    return address[0] != socket.AF_INET


class _Lookup:
    def __init__(self) -> None:
        self.done = trio.Event()
        self.error: OSError | None = None


def _literal(host: str, port: int) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return socket.AF_INET, (host, port)
    zone = address.scope_id or "0"
    try:
        scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    except OSError:
        raise socket.gaierror(socket.EAI_NONAME, "no such network interface") from None
    return socket.AF_INET6, (host.partition("%")[0], port, 0, scope)
