"""Proxies: which of them requests to a server go through, if any.

The rules for the environment are those of other clients: ``HTTP_PROXY``, ``HTTPS_PROXY``
and ``ALL_PROXY`` in capitals or not, ``NO_PROXY`` with names, addresses and networks, and
none for this machine itself (so does Go, hence k6).
"""

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_k6api.model import OptionError, Secrets
from pytest_k6api.protocols.http.message.authority import (
    InvalidURL,
    Origin,
    read_authority,
    read_credentials,
)

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy.

    Attributes:
        is_socks: Whether it speaks SOCKS5 instead of HTTP.
        is_tls: Whether it is reached over TLS.
        host, port: Where it listens.
        user, password: For it; empty without.
    """

    is_socks: bool
    host: str
    port: int
    user: str = ""
    password: str = ""
    is_tls: bool = False

    @property
    def authorization(self) -> bytes:
        """The header field for HTTP with its line end; empty without a user."""
        if not self.user:
            return b""
        credentials = b64encode(f"{self.user}:{self.password}".encode())
        return b"Proxy-Authorization: Basic " + credentials + b"\r\n"

    def needs_tunnel(self, origin: Origin) -> bool:
        """Return whether a tunnel leads to `origin`; else requests are sent to the proxy itself."""
        return self.is_socks or origin.is_tls


def read_proxy(text: str, secrets: Secrets) -> Proxy:
    """Return the proxy at the URL `text`; without a scheme it is one for HTTP.

    Raises:
        OptionError: `text` cannot be read; the message shows no password.
    """
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    try:
        authority = read_authority(rest.rstrip("/"), _DEFAULT_PORTS[scheme])
    except (KeyError, InvalidURL):
        raise OptionError(
            f"cannot read the proxy {secrets.mask_url(url)!r}; write http://host:port,"
            " https://host:port or socks5://host:port, with user:password@ in front of the host where it wants them"
        ) from None
    user, password = read_credentials(authority.userinfo or "")
    return Proxy(
        is_socks=scheme.startswith("socks"),
        is_tls=scheme == "https",
        host=authority.host,
        port=authority.port,
        user=user,
        password=password,
    )


class Proxies:
    """The choice of a proxy for each server.

    Args:
        url: The proxy of all requests; ``""`` for none, None for the environment's.
        environment: The environment; ``NO_PROXY`` counts for `url`, too.
        secrets: The rule of masking.

    Raises:
        OptionError: `url` or one of the environment's cannot be read.
    """

    def __init__(self, url: str | None, environment: Mapping[str, str], secrets: Secrets) -> None:
        self._given = read_proxy(url, secrets) if url else None
        # Read now, so that a broken one is told before any load.
        self._by_variable = _read_environment(environment, secrets) if url is None else {}
        self._environment = dict(environment)
        self._chosen: dict[Origin, Proxy | None] = {}

    def find(self, origin: Origin) -> Proxy | None:
        """Return the proxy for requests to `origin`; None if they go there themselves."""
        if origin not in self._chosen:
            self._chosen[origin] = self._choose(origin)
        return self._chosen[origin]

    def _choose(self, origin: Origin) -> Proxy | None:
        if self._given is not None:
            return None if _is_bypassed(origin, _bypassed(self._environment)) else self._given
        return self._by_variable.get(proxy_variable(origin, self._environment))


def _read_environment(environment: Mapping[str, str], secrets: Secrets) -> dict[str, Proxy]:
    proxies = {}
    for scheme in ("http", "https", "all"):
        for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()):
            if environment.get(name):
                try:
                    proxies[name] = read_proxy(environment[name], secrets)
                except OptionError as error:
                    raise OptionError(f"{name}: {error}") from None
    return proxies


def proxy_variable(origin: Origin, environment: Mapping[str, str]) -> str:
    """Return the variable whose proxy applies to requests to `origin`; ``""`` if none does."""
    scheme = "https" if origin.is_tls else "http"
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    found = next((name for name in names if environment.get(name)), "")
    if not found or not origin.host or _is_this_machine(origin.host):
        return ""
    return "" if _is_bypassed(origin, _bypassed(environment)) else found


def _bypassed(environment: Mapping[str, str]) -> str:
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


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
