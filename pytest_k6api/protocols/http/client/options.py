"""Settings of all HTTP clients of one load test, unless a request says otherwise."""

import logging
import math
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, NamedTuple

from pytest_k6api.model import SECRETS, OptionError, Secrets, Tracer, read_http_versions
from pytest_k6api.protocols.http.message.authority import InvalidURL, Origin
from pytest_k6api.protocols.http.message.urls import Target
from pytest_k6api.protocols.http.net.dns import DnsRules
from pytest_k6api.protocols.http.net.hosts import HostTable, IpAddress, LocalAddresses
from pytest_k6api.protocols.http.net.proxies import Proxies
from pytest_k6api.protocols.http.net.tls_context import ClientCertificate, TlsRules

try:
    _VERSION = version("pytest-k6api")
except PackageNotFoundError:  # pragma: no cover - a source tree that is not installed
    _VERSION = "unknown"

HTTP1, HTTP2, HTTP3 = "http/1.1", "h2", "h3"
"""Versions, as ALPN names them."""

_logger = logging.getLogger("pytest_k6api.protocols.http")


def _log(text: str) -> None:
    _logger.info("%s", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """The settings that the HTTP clients of one load test share.

    Attributes:
        base_url: What relative URLs are relative to, such as ``http://127.0.0.1:8000``.
        verify: Whether servers' certificates are checked; a path names a file of
            certificate authorities to trust instead of the system's.
        timeout: Seconds for one whole request, connecting included (k6's default).
        connect_timeout: Seconds for DNS and TCP together (k6's default).
        certificate: Of the clients, for servers that ask for one; None without.
        proxies: Which servers are reached through a proxy; none unless set.
        hosts: Addresses of servers that DNS is not asked for.
        dns: How answers of DNS are used.
        local_addresses: Addresses of this machine to connect from, by virtual user.
        tls: Versions and cipher suites of TLS.
        discard_response_bodies: Whether bodies are read without being kept, unless a
            request says otherwise.
        no_connection_reuse: Whether each request opens a connection.
        no_vu_connection_reuse: Whether a virtual user's connections are closed at the end
            of each iteration.
        max_redirects: How many redirects are followed; the response to the last
            one is returned as it is, as k6 does.
        max_response_size: Bytes that a response's body may have, decoded or not;
            None for no limit.
        http_versions: The versions of HTTP that connections may speak: ``auto``, ``1.1``,
            ``2``, ``2-prior-knowledge`` or ``3``.
        user_agent: The header ``User-Agent``; ``""`` sends none.
        http_debug: Show ``"failed"`` exchanges or ``"all"``; ``""`` for none.
        show_exchange: Called with the text of each exchange to show; logs it unless set.
        secrets: What is masked wherever requests are shown.
        tracer: Makes the trace contexts of requests; None if they are not traced.
    """

    base_url: str = ""
    verify: bool | str = True
    timeout: float = 60.0
    connect_timeout: float = 30.0
    certificate: ClientCertificate | None = None
    proxies: Proxies = field(default_factory=lambda: Proxies("", {}, SECRETS))
    hosts: HostTable = field(default_factory=lambda: HostTable({}))
    dns: DnsRules = field(default_factory=DnsRules)
    local_addresses: LocalAddresses = field(default_factory=LocalAddresses)
    tls: TlsRules = field(default_factory=TlsRules)
    discard_response_bodies: bool = False
    no_connection_reuse: bool = False
    no_vu_connection_reuse: bool = False
    max_redirects: int = 10
    max_response_size: int | None = 100 * 1024 * 1024
    http_versions: str = "auto"
    user_agent: str = f"pytest-k6api/{_VERSION}"
    http_debug: Literal["", "failed", "all"] = ""
    show_exchange: Callable[[str], None] = _log
    secrets: Secrets = SECRETS
    tracer: Tracer | None = None

    def __post_init__(self) -> None:
        checked_versions(read_http_versions(self.http_versions))
        if self.http_versions == "3":
            _check_quic(self)
        for name in ("timeout", "connect_timeout"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                raise OptionError(f"{name} is a finite number of seconds above 0, got {seconds!r}")
        if self.max_redirects < 0:
            raise OptionError(f"max_redirects is 0 or more, got {self.max_redirects!r}")
        if self.max_response_size is not None and self.max_response_size < 1:
            raise OptionError(
                f"max_response_size is a number of bytes above 0, or None for no limit,"
                f" got {self.max_response_size!r}"
            )
        if self.http_debug not in ("", "failed", "all"):
            raise OptionError(f"http_debug takes '', 'failed' or 'all', got {self.http_debug!r}")


def _check_quic(options: ClientOptions) -> None:
    """Check that HTTP/3 leads where relative URLs do.

    Raises:
        OptionError: It does not.
    """
    if options.tls.versions and options.tls.versions[1] != "tls1.3":
        raise OptionError(
            f"http_versions='3' needs TLS 1.3, got {'-'.join(options.tls.versions)}; leave the"
            " version of TLS out"
        )
    try:
        target = Target(options.base_url, options.secrets)
    except InvalidURL:  # there is none, or the first request tells
        return
    url = options.secrets.mask_url(options.base_url)
    if not target.is_tls:
        raise OptionError(f"http_versions='3' needs https://, got {url!r}")
    origin = Origin(is_tls=True, host=target.host, port=target.port)
    if options.proxies.find(origin) is not None:
        raise OptionError(
            f"http_versions='3' goes through no proxy, and there is one for {url!r}; except the"
            " server by NO_PROXY, or write --k6-proxy="
        )
    family, path = options.hosts.find(target.host, target.port) or (None, "")
    if family == socket.AF_UNIX:
        raise OptionError(
            f"http_versions='3' goes to no socket in the file system, and {url!r} is"
            f" unix:{path}; give it an IP address"
        )


class ConnectionOptions(NamedTuple):
    """Properties of the connections of one virtual user.

    Attributes:
        versions: The versions of HTTP that they may speak; see `ClientOptions`.
        certificate: What they show to servers that ask for one; None for none.
        address: The address of this machine that they come from; None for the system's choice.
        tunnels: Whether a proxy leads through a tunnel even where it could read requests.
    """

    versions: str
    certificate: ClientCertificate | None = None
    address: IpAddress | None = None
    tunnels: bool = False

    @classmethod
    def of_vu(cls, number: int, options: ClientOptions) -> "ConnectionOptions":
        """Return those of the VU `number`, counted from 1, in a load test with `options`."""
        address = options.local_addresses.of_vu(number)
        return cls(options.http_versions, options.certificate, address)


def checked_versions(versions: str) -> str:
    """Return `versions`, if they can be spoken here.

    Raises:
        OptionError: The extra is missing.
    """
    if versions in {"auto", "1.1"}:
        return versions
    extra, is_there = ("http3", _has_quic()) if versions == "3" else ("http2", _has_decoder())
    if not is_there:
        raise OptionError(
            f"http_versions={versions!r} needs the extra `{extra}`: pip install 'pytest-k6api[{extra}]'"
        )
    return versions


def require_http2(asker: str) -> None:
    """Check that HTTP/2 can be spoken here, for `asker`, which names itself in the message.

    Raises:
        OptionError: The extra is missing.
    """
    if not _has_decoder():
        raise OptionError(f"{asker} needs the extra `grpc`: pip install 'pytest-k6api[grpc]'")


def offered(versions: str, *, is_tls: bool) -> tuple[str, ...]:
    """Return what a connection may speak, by its names in ALPN, the best first.

    | versions | over TLS | without TLS |
    |---|---|---|
    | ``auto`` | HTTP/2 if the extra is installed, and HTTP/1.1 | HTTP/1.1 |
    | ``1.1`` | HTTP/1.1 | HTTP/1.1 |
    | ``2`` | HTTP/2 | HTTP/1.1 |
    | ``2-prior-knowledge`` | HTTP/2 | HTTP/2 |
    | ``3`` | HTTP/3, over UDP | HTTP/3, which fails |

    Source: k6 v1.1.0, which offers both over TLS and lets the server choose.
    """
    if versions == "3":
        return (HTTP3,)
    if versions == "2-prior-knowledge" or (versions == "2" and is_tls):
        return (HTTP2,)
    if versions == "auto" and is_tls and _has_decoder():
        return (HTTP2, HTTP1)
    return (HTTP1,)


@cache
def _has_decoder() -> bool:
    return find_spec("jh2") is not None


@cache
def _has_quic() -> bool:
    return find_spec("qh3") is not None
