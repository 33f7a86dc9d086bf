"""Transports of httpx and its successor httpx2 that leave behind the rows of `vu.http`.

An existing API client is loaded as it is: it takes an httpx client, and that
takes a transport, which `instrument` wraps. Neither library is imported; what a
transport is to them is four methods, and what a response's body is to them is
found among the bases of the body at hand.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

from pytest_k6api.model import current_recorder
from pytest_k6api.protocols.http.client.client import Client
from pytest_k6api.protocols.http.client.sync import SyncClient
from pytest_k6api.protocols.instrument.httpx_exchange import HttpxExchange

T = TypeVar("T")

_DEFAULT_EXPECTED = range(200, 400)  # k6's
_STREAMS = {"SyncByteStream", "AsyncByteStream"}


class HasClient(Protocol):
    """What `instrument` needs of a virtual user."""

    @property
    def http(self) -> Client | SyncClient:
        """Its HTTP client."""


def instrument(transport: T, vu: HasClient | None = None) -> T:
    """Return `transport` wrapped, so that its requests are measured as those of ``vu.http`` are.

    Each request yields the metrics ``http_req_*`` with all phases and tags, at the
    group and scenario of the virtual user that makes it. A request can say more in its
    extension ``k6``: a dict of ``name``, ``tags`` and ``expected_statuses``. Requests
    that no virtual user makes, such as those of ordinary fixtures, pass unmeasured.

    A row is written when the body was read or the response closed.

    Args:
        transport: A transport of httpx or httpx2, for async or synchronous clients.
        vu: The virtual user whose ``vu.http.expected_statuses`` apply; left out, a
            status from 200 to 399 is no failure.

    Returns:
        What can be given to a client as its ``transport``.

    Raises:
        TypeError: `transport` is none.

    Example:
        >>> client = httpx.AsyncClient(transport=instrument(httpx.AsyncHTTPTransport(), vu))
    """
    if not (hasattr(transport, "handle_request") or hasattr(transport, "handle_async_request")):
        raise TypeError(
            "instrument() takes a transport of httpx or httpx2, such as httpx.AsyncHTTPTransport()"
            f" or httpx.HTTPTransport(), got {transport!r}"
        )
    # To httpx it is one: it asks for the methods, not for the class.
    return cast("T", InstrumentedTransport(transport, vu))


class InstrumentedTransport:
    """A transport that passes everything on, and measures it; made by `instrument`."""

    def __init__(
        self,
        transport: Any,  # httpx's or httpx2's, neither of which is imported
        vu: HasClient | None,
    ) -> None:
        self._transport = transport
        self._vu = vu

    def __repr__(self) -> str:
        return f"<instrumented {self._transport!r}>"

    def handle_request(self, request: Any) -> Any:  # see `__init__`
        """Send `request` and return the response, whose body is still to come."""
        exchange = self._begin(request)
        if exchange is None:
            return self._transport.handle_request(request)
        told, request.extensions = request.extensions, _traced(request, exchange)
        try:
            response = self._transport.handle_request(request)
        except Exception as error:
            exchange.fail(error)
            raise
        except BaseException:
            exchange.drop()
            raise
        finally:
            request.extensions = told  # a redirect's request takes them over
        return _measured(response, exchange)

    async def handle_async_request(self, request: Any) -> Any:  # see `__init__`
        """Send `request` and return the response, whose body is still to come."""
        exchange = self._begin(request)
        if exchange is None:
            return await self._transport.handle_async_request(request)
        told, request.extensions = request.extensions, _traced_async(request, exchange)
        try:
            response = await self._transport.handle_async_request(request)
        except Exception as error:
            exchange.fail(error)
            raise
        except BaseException:
            exchange.drop()
            raise
        finally:
            request.extensions = told  # a redirect's request takes them over
        return _measured(response, exchange)

    def close(self) -> None:
        """Close the transport, which is a synchronous one."""
        self._transport.close()

    async def aclose(self) -> None:
        """Close the transport, which is an async one."""
        await self._transport.aclose()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    def _begin(self, request: Any) -> HttpxExchange | None:  # see `__init__`
        recorder = current_recorder.get(None)
        if recorder is None:
            return None
        vu = self._vu
        expected = _DEFAULT_EXPECTED if vu is None else vu.http.expected_statuses
        return HttpxExchange(request, recorder, expected)


class _MeasuredStream:
    """The body of a response, counted while it is read."""

    def __init__(self, stream: Any, exchange: HttpxExchange) -> None:  # see the transport
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._stream:
                self._exchange.received += len(part)
                yield part
        except BaseException as error:
            self._give_up(error)
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._exchange.received += len(part)
                yield part
        except BaseException as error:
            self._give_up(error)
            raise

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._exchange.finish()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._exchange.finish()

    def _give_up(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._exchange.fail(error)
        elif not isinstance(error, GeneratorExit):  # a reader that has enough closes next
            self._exchange.drop()


def _measured(response: Any, exchange: HttpxExchange) -> Any:  # see the transport
    exchange.respond(response)
    if response.is_closed:  # made in this process, with its body
        exchange.received = len(response.content)
        exchange.finish()
    else:
        response.stream = _stream_class(response.stream.__class__)(response.stream, exchange)
    return response


@cache
def _stream_class(kind: type) -> type[_MeasuredStream]:
    # The clients assert that a body is an instance of their own base class.
    bases = [base for base in kind.__mro__ if base.__name__ in _STREAMS]
    return cast("type[_MeasuredStream]", type("MeasuredStream", (_MeasuredStream, *bases), {}))


def _traced(request: Any, exchange: HttpxExchange) -> dict[str, Any]:  # see the transport
    theirs: Callable[[str, object], None] | None = request.extensions.get("trace")

    def trace(event: str, info: object) -> None:
        exchange.mark(event)
        if theirs is not None:
            theirs(event, info)

    return {**request.extensions, "trace": trace}


def _traced_async(request: Any, exchange: HttpxExchange) -> dict[str, Any]:  # see the transport
    theirs: Callable[[str, object], Awaitable[None]] | None = request.extensions.get("trace")

    async def trace(event: str, info: object) -> None:
        exchange.mark(event)
        if theirs is not None:
            await theirs(event, info)

    return {**request.extensions, "trace": trace}
