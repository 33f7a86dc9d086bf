"""The network under HTTP: names, TCP, TLS, batched system calls, file descriptors."""

from pytest_k6api.protocols.http.net.batched_io import Traffic
from pytest_k6api.protocols.http.net.descriptors import (
    ConnectionRoom,
    first_reserved_descriptor,
    raised_descriptor_limit,
)
from pytest_k6api.protocols.http.net.dns import DnsRules, Resolver, read_dns
from pytest_k6api.protocols.http.net.duplex import DuplexLine
from pytest_k6api.protocols.http.net.hosts import HostTable, LocalAddresses
from pytest_k6api.protocols.http.net.proxies import Proxies, proxy_variable
from pytest_k6api.protocols.http.net.tls import TlsSocket
from pytest_k6api.protocols.http.net.tls_context import (
    ClientCertificate,
    TlsRules,
    make_context,
    read_cipher_suites,
    read_tls_version,
)

__all__ = [
    "ClientCertificate",
    "ConnectionRoom",
    "DnsRules",
    "DuplexLine",
    "HostTable",
    "LocalAddresses",
    "Proxies",
    "Resolver",
    "TlsRules",
    "TlsSocket",
    "Traffic",
    "first_reserved_descriptor",
    "make_context",
    "proxy_variable",
    "raised_descriptor_limit",
    "read_cipher_suites",
    "read_dns",
    "read_tls_version",
]
