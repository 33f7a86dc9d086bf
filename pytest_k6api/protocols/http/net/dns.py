"""DNS: socket addresses of host names, looked up once for all virtual users."""

import ipaddress
import math
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import trio

from pytest_k6api.model import OptionError, parse_duration
from pytest_k6api.protocols.http.net.hosts import Address, HostTable

Select = Literal["first", "random", "roundRobin"]
Policy = Literal["preferIPv4", "preferIPv6", "onlyIPv4", "onlyIPv6", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRules:
    """Rules for answers of DNS; k6's option ``dns``, with its defaults.

    Attributes:
        ttl: Seconds for which an answer is used; infinite for the whole load test.
        select: Which of several addresses a connection gets.
        policy: Which family of addresses is used.

    Source: k6 v1.1.0, ``lib/types/dnsconfig.go``.
    """

    ttl: float = 300.0
    select: Select = "random"
    policy: Policy = "preferIPv4"

    def __str__(self) -> str:
        ttl = "inf" if math.isinf(self.ttl) else f"{self.ttl:g}s"
        return f"ttl={ttl},select={self.select},policy={self.policy}"

    def usable(self, addresses: Iterable[Address]) -> list[Address]:
        """Return those of `addresses` that the policy allows, the preferred ones first."""
        if self.policy == "any":
            return list(addresses)
        is_first, is_excluded = _FAMILIES[self.policy]
        allowed = [each for each in addresses if not is_excluded or each[0] == is_first]
        return sorted(allowed, key=lambda each: each[0] != is_first)

    def preferred(self, usable: list[Address]) -> list[Address]:
        """Return those of `usable`, which has at least one, that are tried before the others."""
        if self.policy == "any":
            return usable
        return [each for each in usable if each[0] == usable[0][0]]


_FAMILIES = {
    "preferIPv4": (socket.AF_INET, False),
    "preferIPv6": (socket.AF_INET6, False),
    "onlyIPv4": (socket.AF_INET, True),
    "onlyIPv6": (socket.AF_INET6, True),
}


def read_dns(text: str) -> DnsRules:
    """Return the rules that `text` describes, such as ``ttl=1m,select=first,policy=any``.

    Raises:
        OptionError: It cannot be read.
    """
    members: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        read = _READERS.get(name)
        if read is None:
            raise OptionError(
                f"{name!r} in {text!r} is none of {', '.join(_READERS)}; write such as {DnsRules()}"
            )
        members[name] = read(value)
    return DnsRules(**members)  # type: ignore[arg-type]  # as the readers return them


def _read_ttl(text: str) -> float:
    if text == "inf":
        return math.inf
    seconds = 0.0 if text == "0" else parse_duration(text)
    if seconds < 0:
        raise OptionError(f"ttl={text!r} is less than 0; write such as 5m, 0 or inf")
    return seconds


def _read_select(text: str) -> Select:
    return cast("Select", _choice("select", text, get_args(Select)))


def _read_policy(text: str) -> Policy:
    return cast("Policy", _choice("policy", text, get_args(Policy)))


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise OptionError(f"{name}={text!r} is none of {', '.join(choices)}")


_READERS: dict[str, Callable[[str], object]] = {
    "ttl": _read_ttl,
    "select": _read_select,
    "policy": _read_policy,
}


class Resolver:
    """A cache of DNS answers that asks at most once at a time for one host.

    Thousands of virtual users start in the same moment; the first one asks, in a
    thread, and the others wait for its answer, be it an error.

    Args:
        rules: How answers are used.
        hosts: Answers that are given.
    """

    def __init__(self, rules: DnsRules | None = None, hosts: HostTable | None = None) -> None:
        self._rules = rules or DnsRules()
        self._hosts = hosts or HostTable({})
        # Which connection gets which address depends on when it is made: no seed would
        # repeat that.
        self._random = random.Random()
        self._turns: Counter[str] = Counter()
        # Until when they hold, and the addresses.
        self._answers: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    def known(self, host: str, port: int) -> list[Address] | None:
        """Return the addresses of `host` if they are known, else None."""
        key = (host, port)
        answer = self._answers.get(key)
        if answer is None:
            given = self._hosts.find(host, port) or _literal(host, port)
            if given is None:
                return None
            answer = self._answers[key] = (math.inf, [given])
        return answer[1] if trio.current_time() < answer[0] else None

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of `host` that the rules allow; at least one.

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
            if lookup.addresses:  # also where answers are used once
                return lookup.addresses
        return known

    async def _look_up(self, key: tuple[str, int]) -> list[Address]:
        lookup = self._lookups[key] = _Lookup()
        host, port = key
        try:
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = self._rules.usable((family, place) for family, _, _, _, place in found)
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "no address of an allowed family")
            lookup.addresses = addresses
            self._answers[key] = (trio.current_time() + self._rules.ttl, addresses)
        except OSError as error:
            lookup.error = error
            raise
        finally:
            # Also when this task was cancelled: the tasks that wait ask again then.
            del self._lookups[key]
            lookup.done.set()
        return addresses

    def in_turn(self, host: str, addresses: list[Address]) -> list[Address]:
        """Return `addresses` of `host` in the order to try them: the preferred family first.

        So the connections of a load test spread over a name's addresses.
        """
        if len(addresses) == 1 or self._rules.select == "first":
            return addresses
        if self._rules.select == "random":
            return self._rules.usable(self._random.sample(addresses, len(addresses)))
        preferred = self._rules.preferred(addresses)
        turn = self._turns[host] % len(preferred)
        self._turns[host] += 1
        rest = addresses[len(preferred) :]
        return [*preferred[turn:], *preferred[:turn], *rest]


class _Lookup:
    def __init__(self) -> None:
        self.done = trio.Event()
        self.error: OSError | None = None
        self.addresses: list[Address] = []


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
