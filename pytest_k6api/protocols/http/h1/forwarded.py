"""HTTP/1.1 to a proxy that sends requests on (RFC 9112, 3.2.2)."""

import types
from collections.abc import Generator
from copy import copy
from typing import Any

from outcome import Outcome

from pytest_k6api.protocols.http.h1.connection import Http1Connection
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.net.proxies import Proxy


class ForwardedHttp1Connection(Http1Connection):
    """A connection to a proxy, for one server behind it.

    Args:
        proxy: The proxy.
        *arguments: Those of `Http1Connection`.
    """

    __slots__ = ("_proxy",)

    def __init__(self, proxy: Proxy, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._proxy = proxy

    @types.coroutine
    def run(
        self, request: PreparedRequest, deadline: int
    ) -> Generator[object, Outcome[object], None]:
        """Send `request` to the proxy and receive the response; see `Exchange.run`."""
        yield from super().run(_absolute(request, self._proxy), deadline)


def _absolute(request: PreparedRequest, proxy: Proxy) -> PreparedRequest:
    """Return `request` with its whole URL in the request line, and the proxy's credentials."""
    forwarded = copy(request)
    line, end, rest = request.wire.partition(b"\r\n")
    method, _, target = line.partition(b" ")
    server = f"http://{request.target.authority}".encode()
    forwarded.wire = b"".join((method, b" ", server, target, end, proxy.authorization, rest))
    return forwarded
