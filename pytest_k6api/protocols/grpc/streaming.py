"""gRPC calls with many responses, one request or many."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Any, Self

import trio

from pytest_k6api.protocols.blocks import warn_unused
from pytest_k6api.protocols.grpc.calls import (
    CallOptions,
    GrpcCall,
    GrpcError,
    Requests,
    each,
)
from pytest_k6api.protocols.grpc.rows import (
    GRPC_RECEIVED_ROWS,
    GRPC_SENT_ROWS,
    GRPC_STREAM_ROWS,
)
from pytest_k6api.protocols.grpc.samples import Outcome
from pytest_k6api.protocols.grpc.status import StatusCode
from pytest_k6api.protocols.grpc.wire import Metadata, WireError
from pytest_k6api.protocols.http import NetworkError
from pytest_k6api.protocols.http.multiplexed import Stream

_END = object()


class StreamingCall(GrpcCall):
    """A call with many responses: iterate over it, or enter it to read and write.

    Args:
        options: What it is made with.
        request: The one request; None if there are several.
        requests: The requests, if they are known; sent beside the responses.
        is_unary: Whether there is one request.
    """

    _usage = "async for response in {}(...):"
    _is_end_told = False

    def __init__(
        self,
        options: CallOptions,
        request: Any = None,
        requests: Requests | None = None,
        *,
        is_unary: bool,
    ) -> None:
        super().__init__(options)
        self._request = request
        self._requests = requests
        self._is_unary = is_unary
        self._messages: deque[Any] = deque()
        self._stack: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._begin()
            if self._requests is not None:
                nursery = await stack.enter_async_context(trio.open_nursery())
                stack.callback(nursery.cancel_scope.cancel)
                nursery.start_soon(self._send_all, self._requests)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if kind is not None and not issubclass(kind, Exception):
            self._drop()
        self.cancel()
        stack, self._stack = self._stack, None
        if stack is None:
            return None
        try:
            return await stack.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:  # the nursery's
            if group.exceptions == (error,):
                return None
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        message = await self._next()
        if message is _END:
            assert self._outcome is not None
            if self._outcome.code is not StatusCode.OK:
                raise self._error()
            raise StopAsyncIteration
        return message

    def __del__(self) -> None:
        if self.is_unused:
            written = self._usage.format(self.written)
            warn_unused(self.written, "iterated over or entered", written)
        # A loop that was left by `break`: the server need not go on.
        elif self._outcome is None:
            self.cancel()

    async def read(self) -> Any:
        """Return the next response; None at the end, as grpcio gives ``EOF``.

        Raises:
            GrpcError: The status is another than OK.
            RuntimeError: The end was told already: a loop that waits for ``EOF`` would not end.
        """
        message = await self._next()
        if message is not _END:
            return message
        assert self._outcome is not None
        if self._outcome.code is not StatusCode.OK:
            raise self._error()
        if self._is_end_told:
            raise RuntimeError(
                f"{self.written}(...) has no more responses, which read() told by None; write:"
                f" async for response in call:"
            )
        self._is_end_told = True
        return None

    async def write(self, request: Any) -> None:
        """Send a request; no-op once the server has ended the call.

        Raises:
            GrpcError: The call has failed.
        """
        stream = await self._begin()
        if self._outcome is not None:
            return
        try:
            await stream.send(self._pack(request))
        except NetworkError as error:
            self._finish(self._fail(error))
            raise self._error() from None
        self._options.samples.count(GRPC_SENT_ROWS, self._context, self._options.tags)

    async def done_writing(self) -> None:
        """Tell the server that no request follows."""
        stream = await self._begin()
        if self._outcome is None and not stream.has_sent_all:
            try:
                await stream.send(b"", is_last=True)
            except NetworkError as error:
                self._finish(self._fail(error))

    async def code(self) -> StatusCode:
        """Return the status, once all responses have come."""
        return (await self._end()).code

    async def details(self) -> str:
        """Return the text that came with the status, once all responses have come."""
        return (await self._end()).details

    async def trailing_metadata(self) -> Metadata:
        """Return the metadata behind the responses."""
        return (await self._end()).trailers

    async def initial_metadata(self) -> Metadata:
        """Return the metadata before the first response."""
        stream = await self._begin()
        if self._outcome is None:
            try:
                await stream.wait_head()
            except NetworkError as error:
                self._finish(self._fail(error))
                raise self._error() from None
        return self._head()

    async def _end(self) -> Outcome:
        while await self._next() is not _END:
            pass
        assert self._outcome is not None
        return self._outcome

    async def _begin(self) -> Stream:
        """Open the call if that was not done."""
        if self._stream is not None:
            return self._stream
        try:
            first = self._pack(self._request) if self._is_unary else None
            stream = await self._open(first)
        except NetworkError as error:
            self._finish(self._fail(error))
            raise self._error() from None
        except BaseException:
            self._drop()
            raise
        options = self._options
        options.samples.count(GRPC_STREAM_ROWS, self._context, options.tags)
        if self._is_unary:
            options.samples.count(GRPC_SENT_ROWS, self._context, options.tags)
        return stream

    async def _send_all(self, requests: Requests) -> None:
        try:
            async with aclosing(each(requests)) as them:
                async for request in them:
                    await self.write(request)
                    if self._outcome is not None:
                        return
            await self.done_writing()
        except GrpcError:
            pass  # the reader is told

    async def _next(self) -> Any:
        """Return the next response, or `_END`; the outcome is known then."""
        if not self._messages and self._outcome is None:
            if self._requests is not None and self._stack is None:
                self.cancel()
                raise RuntimeError(
                    "a gRPC call that sends an iterator of requests beside its responses is"
                    " entered: async with stub.Chat(requests()) as call"
                )
            stream = await self._begin()
            try:
                await self._fill(stream)
            except (NetworkError, WireError) as error:
                self._finish(self._fail(error))
            except BaseException:
                self._drop()
                raise
        return self._messages.popleft() if self._messages else _END

    async def _fill(self, stream: Stream) -> None:
        """Receive messages, or the end."""
        options = self._options
        while not self._messages:
            data = await stream.receive()
            if not data:
                self._finish(self._complete())
                return
            for message in self._unpack(data):
                options.samples.count(GRPC_RECEIVED_ROWS, self._context, options.tags)
                self._messages.append(message)

    def _complete(self) -> Outcome:
        outcome = self._end_of_stream()
        is_cut = self._reader is not None and not self._reader.is_between
        if outcome.code is StatusCode.OK and is_cut:
            return Outcome(StatusCode.INTERNAL, "the stream ends within a message")
        return outcome
