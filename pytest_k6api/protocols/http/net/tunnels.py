"""Tunnels through proxies: CONNECT of HTTP (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

The name of the server is looked up by the proxy. A tunnel is opened once for a
connection, so it uses Trio's own waits.
"""

import ipaddress
import re
import socket
import ssl
from http import HTTPStatus
from typing import cast

from trio.lowlevel import wait_readable, wait_writable

from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.errors import GENERIC, TCP, NetworkError, RequestFailure
from pytest_k6api.protocols.http.net.proxies import Proxy
from pytest_k6api.protocols.http.net.tls import TlsSocket

_LARGEST_HEAD = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: |\r?\n)")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_SUCCESS = range(200, 300)

_VERSION = 5
_NO_AUTHENTICATION, _PASSWORD = 0, 2
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LONGEST = 255
_REPLIES = {
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


async def open_tunnel(sock: socket.socket | TlsSocket, proxy: Proxy, origin: Origin) -> None:
    """Have `proxy`, to which `sock` is connected, lead it to `origin`; the caller limits the time.

    Raises:
        NetworkError: It does not.
        OSError: The connection broke.
    """
    wire = _TlsWire(sock) if isinstance(sock, TlsSocket) else _Wire(sock)
    if proxy.is_socks:
        await _negotiate(wire, proxy)
        await _connect_by_socks(wire, origin)
    else:
        await _connect_by_http(wire, proxy, origin)
    if wire.is_ahead:  # the server says nothing before we do
        raise _refusal(GENERIC, "malformed HTTP response")


class _Wire:
    """A non-blocking socket that is read to the byte: what follows is the server's."""

    is_ahead = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._sock.send(left) :]
            except BlockingIOError:
                await wait_writable(self._sock)

    async def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await self._some(size - len(data))
        return data

    async def head(self) -> bytes:
        """Return the head of an HTTP response, and not one byte of what follows it."""
        data = b""
        while len(data) < _LARGEST_HEAD:
            seen = data + await self._some(_LARGEST_HEAD - len(data), flags=socket.MSG_PEEK)
            end = _END_OF_HEAD.search(seen)
            size = (end.end() if end else len(seen)) - len(data)
            data += await self.exactly(size)
            if end:
                return data
        raise _refusal(GENERIC, f"response headers exceeded {_LARGEST_HEAD} bytes; aborted")

    async def _some(self, size: int, flags: int = 0) -> bytes:
        while True:
            try:
                data = self._sock.recv(size, flags)
            except BlockingIOError:
                await wait_readable(self._sock)
                continue
            if not data:
                raise _refusal(GENERIC, "unexpected EOF")
            return data


class _TlsWire(_Wire):
    """The same over TLS, of which a record is read as a whole.

    Attributes:
        is_ahead: Whether more was read than was asked for.
    """

    def __init__(self, sock: TlsSocket) -> None:
        super().__init__(cast("socket.socket", sock))  # it sends as a socket does
        self._tls = sock
        self._read = b""

    @property
    def is_ahead(self) -> bool:  # type: ignore[override]  # it is read alone
        return bool(self._read)

    async def _some(self, size: int, flags: int = 0) -> bytes:
        while not self._read:
            try:
                self._read, *_ = self._tls.recvmsg(size, 0)
            except (BlockingIOError, ssl.SSLWantReadError):
                await wait_readable(self._tls.fileno())
                continue
            if not self._read:
                raise _refusal(GENERIC, "unexpected EOF")
        data = self._read[:size]
        if not flags & socket.MSG_PEEK:
            self._read = self._read[size:]
        return data


def _refusal(code: int, text: str) -> NetworkError:
    return NetworkError(RequestFailure(code, f"proxyconnect: {text}"))


async def _connect_by_http(wire: _Wire, proxy: Proxy, origin: Origin) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}".encode()
    await wire.send(
        b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n"
        + proxy.authorization + b"\r\n"
    )  # fmt: skip
    while True:
        found = _STATUS_LINE.match(await wire.head())
        if found is None:
            raise _refusal(GENERIC, "malformed HTTP response")
        status = int(found[1])
        if status >= _SUCCESS.start:
            break
    if status not in _SUCCESS:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        raise _refusal(GENERIC, f"{status} {phrase}".rstrip())


async def _negotiate(wire: _Wire, proxy: Proxy) -> None:
    methods = [_NO_AUTHENTICATION, _PASSWORD] if proxy.user else [_NO_AUTHENTICATION]
    await wire.send(bytes([_VERSION, len(methods), *methods]))
    version, method = await wire.exactly(2)
    if version != _VERSION:
        raise _refusal(TCP, "unexpected protocol version")
    if method == _PASSWORD and proxy.user:
        user, password = proxy.user.encode(), proxy.password.encode()
        if max(len(user), len(password)) > _LONGEST:
            raise _refusal(TCP, f"user or password of more than {_LONGEST} bytes")
        await wire.send(bytes([1, len(user), *user, len(password), *password]))
        _, status = await wire.exactly(2)
        if status:
            raise _refusal(TCP, "username/password authentication failed")
    elif method != _NO_AUTHENTICATION:
        raise _refusal(TCP, "no acceptable authentication methods")


async def _connect_by_socks(wire: _Wire, origin: Origin) -> None:
    port = origin.port.to_bytes(2, "big")
    await wire.send(bytes([_VERSION, _CONNECT, 0]) + _socks_address(origin.host) + port)
    version, reply, _, kind = await wire.exactly(4)
    if version != _VERSION:
        raise _refusal(TCP, "unexpected protocol version")
    if reply:
        raise _refusal(TCP, _REPLIES.get(reply, f"unknown code {reply}"))
    if kind == _NAME:
        (size,) = await wire.exactly(1)
    else:
        size = {_IPV4: 4, _IPV6: 16}.get(kind, 0)
        if not size:
            raise _refusal(TCP, "unknown address type")
    await wire.exactly(size + 2)  # the address at the proxy's other end


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.encode()
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if isinstance(address, ipaddress.IPv4Address) else _IPV6]) + address.packed
