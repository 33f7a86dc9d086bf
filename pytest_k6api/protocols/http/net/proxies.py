"""The proxies that the environment names: which of them would apply to a server.

``vu.http`` has no proxies yet, and says so where one was meant. The rules are those
of the other clients: ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` in capitals or
not, ``NO_PROXY`` with names, addresses and networks, and none for this machine
itself (so does Go, hence k6).

Pure.
"""

import ipaddress
from collections.abc import Mapping

from pytest_k6api.protocols.http.message.authority import Origin


def proxy_variable(origin: Origin, environment: Mapping[str, str]) -> str:
    """Return the variable whose proxy applies to requests to `origin`; ``""`` if none does."""
    scheme = "https" if origin.is_tls else "http"
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    found = next((name for name in names if environment.get(name)), "")
    if not found or not origin.host or _is_this_machine(origin.host):
        return ""
    bypassed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return "" if _is_bypassed(origin, bypassed) else found


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _is_bypassed(origin: Origin, bypassed: str) -> bool:
    address = _address(origin.host)
    for entry in (text.strip().lower() for text in bypassed.split(",")):
        if entry == "*" or (address is not None and _is_in(address, entry)):
            return True
        name, _, port = entry.partition(":")
        name = name.removeprefix("*").removeprefix(".")
        is_meant = bool(name) and f".{origin.host.removesuffix('.')}".endswith(f".{name}")
        if is_meant and port in ("", str(origin.port)):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
