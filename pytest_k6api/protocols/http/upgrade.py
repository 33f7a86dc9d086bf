"""A connection that is opened by an HTTP request and goes on in another protocol: WebSocket.

The request has the client's header fields, cookies and signature; its response is no
sample of HTTP, as in k6. Redirects are not followed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

from pytest_k6api.protocols.http.client.client import Client
from pytest_k6api.protocols.http.client.connection import Exchange, Watched
from pytest_k6api.protocols.http.client.prepare import prepare, prepare_broken
from pytest_k6api.protocols.http.client.samples import NO_PHASES, phases
from pytest_k6api.protocols.http.h1.connection import Http1Connection
from pytest_k6api.protocols.http.ledger import failed_response
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.errors import NetworkError, RequestFailure
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.net.duplex import DuplexLine
from pytest_k6api.protocols.http.net.tls import TlsSocket

_SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What came of a request to switch protocols.

    Attributes:
        request: The request.
        response: Its response, or the failure to get one.
        line: The connection, if the response is a 101; else None, and it is closed.
        first_bytes: What the server sent right behind the response.
        watch: Has something looked after by the sweeper, as connections are.
    """

    request: PreparedRequest
    response: Response
    line: DuplexLine | None = None
    first_bytes: bytes = b""
    watch: Callable[[Watched], None] = lambda _: None


async def upgrade(client: Client, url: str, options: RequestOptions) -> Upgrade:
    """Open a connection of `client` to `url` and ask the server to switch protocols there.

    Raises:
        OptionError: An option cannot be used as given.
        trio.Cancelled: The connection is closed then.
    """
    try:
        request = prepare(client, "GET", url, options)
    except InvalidURL as error:
        request = prepare_broken(client, "GET", url, options)
        return _failed(client, request, RequestFailure(error.code, str(error)))
    began = perf_counter_ns()
    deadline = began + request.timeout
    exchange: Exchange | None = None
    try:
        connection = await client._runtime.dial_http1(
            request.origin, deadline, client._kept.options
        )
        exchange = connection.open_exchange()
        await exchange.run(request, deadline)
        body = await client._unpack(request, exchange, deadline)
    except NetworkError as error:
        client._ledger.abandon(exchange)
        return _failed(client, request, error.failure, exchange, began)
    except BaseException:
        client._ledger.abandon(exchange)
        raise
    client._ledger.count_bytes(exchange)
    row = (0, None, *phases(exchange, began))
    client._ledger.last_response = response = Response(
        exchange.status,
        body,
        request,
        exchange.head,
        row,
        exchange.protocol,
        exchange.bytes_received,
    )
    return _opened(client, request, response, connection)


def _opened(
    client: Client, request: PreparedRequest, response: Response, connection: Http1Connection
) -> Upgrade:
    if response.status_code != _SWITCHING_PROTOCOLS:
        connection.close()
        return Upgrade(request=request, response=response)
    sock, first_bytes = connection.detach()
    if not isinstance(sock, TlsSocket):
        # Counted by the protocol that reads them; TLS is counted on the wire.
        client._recorder.bytes_received -= len(first_bytes)
    line = DuplexLine(sock, client._runtime.traffic)
    return Upgrade(
        request=request,
        response=response,
        line=line,
        first_bytes=first_bytes,
        watch=client._runtime.watch,
    )


def _failed(
    client: Client,
    request: PreparedRequest,
    failure: RequestFailure,
    exchange: Exchange | None = None,
    began: int = 0,
) -> Upgrade:
    measured = (*NO_PHASES, perf_counter_ns()) if exchange is None else phases(exchange, began)
    response = failed_response(request, failure, (0, None, *measured), exchange)
    client._ledger.last_response = response
    return Upgrade(request=request, response=response)
