"""Transports of httpx and its successor httpx2 that leave behind the rows of `vu.http`.

Neither library is imported: a transport is four methods to them, and the class of a
response's body is found among the bases of the body at hand.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, cast

from pytest_k6api.protocols.instrument.foreign_exchange import (
    Instrumentation,
    add_trace,
    recorder_of_vu,
)
from pytest_k6api.protocols.instrument.httpx_exchange import HttpxExchange

_STREAMS = {"SyncByteStream", "AsyncByteStream"}


class InstrumentedTransport:
    """A transport that passes everything on, and measures it; made by `instrument`."""

    def __init__(
        self,
        transport: Any,  # httpx's or httpx2's, neither of which is imported
        instrumentation: Instrumentation,
    ) -> None:
        self._transport = transport
        self._instrumentation = instrumentation

    def __repr__(self) -> str:
        return f"<instrumented {self._transport!r}>"

    def handle_request(self, request: Any) -> Any:  # see `__init__`
        """Send `request` and return the response, whose body is still to come."""
        exchange = self._begin(request)
        if exchange is None:
            return self._transport.handle_request(request)
        with _watching(request, exchange, _traced(request, exchange)):
            response = self._transport.handle_request(request)
        return _measured(response, exchange)

    async def handle_async_request(self, request: Any) -> Any:  # see `__init__`
        """Send `request` and return the response, whose body is still to come."""
        exchange = self._begin(request)
        if exchange is None:
            return await self._transport.handle_async_request(request)
        with _watching(request, exchange, _traced_async(request, exchange)):
            response = await self._transport.handle_async_request(request)
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
        recorder = recorder_of_vu()
        if recorder is None:
            return None
        add_trace(request.headers, recorder)
        return HttpxExchange(request, recorder, self._instrumentation)


class _MeasuredStream:
    """The body of a response, counted while it is read."""

    def __init__(self, stream: Any, exchange: HttpxExchange) -> None:  # see the transport
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._stream:
                self._exchange.bytes_received += len(part)
                yield part
        except BaseException as error:
            self._give_up(error)
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._exchange.bytes_received += len(part)
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
        if not isinstance(error, GeneratorExit):  # a reader that has enough closes next
            self._exchange.end_by(error)


@contextmanager
def _watching(
    request: Any, exchange: HttpxExchange, extensions: dict[str, Any]
) -> Iterator[None]:  # see the transport
    """Send `request` with other extensions, and tell `exchange` if that fails."""
    told, request.extensions = request.extensions, extensions
    try:
        yield
    except BaseException as error:
        exchange.end_by(error)
        raise
    finally:
        request.extensions = told  # a redirect's request takes them over


def _measured(response: Any, exchange: HttpxExchange) -> Any:  # see the transport
    exchange.take_response(response)
    if response.is_closed:  # made in this process, with its body
        exchange.bytes_received += len(response.content)
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
