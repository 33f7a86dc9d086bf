"""gRPC calls with one response, of one request or of many."""

import types
from collections.abc import Generator
from contextlib import aclosing
from time import perf_counter_ns
from typing import Any

from pytest_k6api.protocols.blocks import warn_unused
from pytest_k6api.protocols.grpc.calls import CallOptions, GrpcCall, Requests, each
from pytest_k6api.protocols.grpc.endings import read_encoding
from pytest_k6api.protocols.grpc.rows import (
    GRPC_RECEIVED_ROWS,
    GRPC_SENT_ROWS,
    GRPC_STREAM_ROWS,
)
from pytest_k6api.protocols.grpc.samples import Outcome
from pytest_k6api.protocols.grpc.status import StatusCode
from pytest_k6api.protocols.grpc.wire import (
    PREFIX,
    Metadata,
    WireError,
    one_message,
    plain_message,
)
from pytest_k6api.protocols.http import NetworkError
from pytest_k6api.protocols.http.h2 import Answer

_MOST_ATTEMPTS = 3  # of a call that no server has seen


class UnaryCall(GrpcCall):
    """A call with one response: await it.

    Args:
        options: What it is made with.
        request: The request; None if there are several.
        requests: The requests, if there are several.
    """

    _usage = "response = await {}(...)"
    _answer: Answer | None = None
    _response: Any = None

    def __init__(
        self, options: CallOptions, request: Any, requests: Requests | None = None
    ) -> None:
        super().__init__(options)
        self._request = request
        self._requests = requests

    def __del__(self) -> None:
        if not self._began and self.is_unused:
            warn_unused(self.written, "awaited", f"await {self.written}(...)")

    def __await__(self) -> Generator[Any, Any, Any]:
        outcome = yield from self._run()
        if outcome.code is not StatusCode.OK:
            raise self._error()
        return self._response

    async def response(self) -> Any:
        """Return the response.

        Raises:
            GrpcError: The status is another than OK.
        """
        return await self

    async def code(self) -> StatusCode:
        """Return the status, whatever it is."""
        return (await self._run()).code

    async def details(self) -> str:
        """Return the text that came with the status."""
        return (await self._run()).details

    async def initial_metadata(self) -> Metadata:
        """Return the metadata before the response."""
        await self._run()
        return self.headers

    @property
    def headers(self) -> Metadata:
        """The metadata before the response, once the call is over."""
        answer = self._answer
        if answer is None:
            return self._head()
        return self._options.link.endings.metadata(answer.block, answer.trailers)

    async def end(self) -> tuple[Outcome, Any]:
        """Return how it ended, and the response; None if the status is another than OK."""
        return await self._run(), self._response

    async def trailing_metadata(self) -> Metadata:
        """Return the metadata behind the response."""
        return (await self._run()).trailers

    @types.coroutine
    def _run(self) -> Generator[Any, Any, Outcome]:
        """Make the call, unless that was done; return how it ended."""
        if self._outcome is None:
            requests = self._requests
            try:
                if requests is None:
                    outcome = yield from self._make()
                else:
                    outcome = yield from self._make_of_many(requests).__await__()
            except (NetworkError, WireError) as error:
                outcome = self._fail(error)
            except BaseException:
                self._drop()
                raise
            self._finish(outcome)
        assert self._outcome is not None
        return self._outcome

    def _make(self) -> Generator[Any, Any, Outcome]:
        options = self._options
        link = options.link
        first = self._pack(self._request)
        block = self._block()
        now = self._began = perf_counter_ns()
        deadline = now + options.timeout
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            connection = link.find(now)
            if connection is None:
                connection = yield from link.connection(deadline, waits=options.waits).__await__()
            self._connection = connection
            call = self._stream = connection.open_call()
            try:
                answer = yield from call.run(block, first, deadline, options.max_size + PREFIX)
            except NetworkError as error:
                if not error.is_unseen or attempt == _MOST_ATTEMPTS:
                    raise
            else:
                break
        self._stream = None  # it serves others now
        self._answer, self._ended = answer, call.ended_at
        outcome = link.endings.read(answer.block, answer.trailers)
        if outcome.code is StatusCode.OK:
            body = answer.body
            message = plain_message(body, options.max_size)
            if message is None:
                message = one_message(body, read_encoding(answer.block), options.max_size)
            self._response = self._message(message)
        return outcome

    async def _make_of_many(self, requests: Requests) -> Outcome:
        options = self._options
        stream = await self._open(None)
        stream.is_eager, stream.max_size = False, options.max_size + PREFIX
        options.samples.count(GRPC_STREAM_ROWS, self._context, options.tags)
        async with aclosing(each(requests)) as them:
            async for request in them:
                if stream.is_complete:  # the server has seen enough
                    break
                await stream.send(self._pack(request))
                options.samples.count(GRPC_SENT_ROWS, self._context, options.tags)
        await stream.send(b"", is_last=True)
        while not stream.is_complete:
            stream.check()
            await stream.wait()
        outcome = self._end_of_stream()
        if outcome.code is StatusCode.OK:
            assert stream.block is not None
            encoding = read_encoding(stream.block)
            message = one_message(stream.take_held(), encoding, options.max_size)
            self._response = self._message(message)
            options.samples.count(GRPC_RECEIVED_ROWS, self._context, options.tags)
        return outcome
