"""gRPC calls: one request or many, one response or many, and the status at the end.

A call begins when it is first awaited, iterated or entered, and runs in the task that does
so. What grpc.aio calls a call looks the same; no task of its own runs behind it.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from pytest_k6api.model import TRACE_HEADER, Tracer
from pytest_k6api.protocols.grpc.link import Link
from pytest_k6api.protocols.grpc.rows import (
    GRPC_RECEIVED_ROWS,
    GRPC_SENT_ROWS,
    GRPC_STREAM_ROWS,
)
from pytest_k6api.protocols.grpc.samples import CallSamples, ExpectedCodes, Outcome
from pytest_k6api.protocols.grpc.status import (
    StatusCode,
    code_of_failure,
    code_of_http,
    code_of_text,
)
from pytest_k6api.protocols.grpc.wire import (
    FramedMessages,
    Metadata,
    WireError,
    frame,
    read_details,
    read_metadata,
)
from pytest_k6api.protocols.http import NetworkError
from pytest_k6api.protocols.http.h2 import Http2Connection, Stream, encode_block

_MOST_ATTEMPTS = 3  # of a call that no server has seen
_OK_STATUS = 200

Requests = Iterable[Any] | AsyncIterable[Any]


class GrpcError(Exception):
    """A call that ended with another status than OK.

    Attributes:
        code: The status.
        details: The server's text, or the network's.
        trailers: The metadata behind the response.
    """

    def __init__(self, code: StatusCode, details: str, trailers: Metadata = ()) -> None:
        super().__init__(f"{code.name}: {details}" if details else code.name)
        self.code = code
        self.details = details
        self.trailers = trailers


@dataclass(slots=True, kw_only=True)
class CallOptions:
    """What one call is made with.

    Attributes:
        link: The server.
        samples: Records it.
        block: Its header block.
        metadata: The metadata in that, for reports.
        tracer: Makes the trace context of each call; None if it has none, or one in `metadata`.
        serialize, deserialize: Of messages to bytes and back.
        timeout: Nanoseconds for the whole call.
        max_size: The most bytes of a message.
        encoding: What messages are compressed with.
        waits: Whether it waits for a server that is away.
        expected: The codes that are no failure; None for no judgement.
        tags: The user's tags for it.
    """

    link: Link
    samples: CallSamples
    block: bytes
    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]
    timeout: int
    max_size: int
    encoding: str = "identity"
    waits: bool = False
    metadata: Metadata = ()
    tracer: Tracer | None = None
    expected: ExpectedCodes = frozenset({StatusCode.OK})
    tags: Mapping[str, str] = field(default_factory=dict)


class GrpcCall:
    """A call; see `UnaryCall`, and `StreamingCall` in `streaming`."""

    def __init__(self, options: CallOptions) -> None:
        self._options = options
        self._context = options.samples.context
        self._began = self._deadline = 0
        self._connection: Http2Connection | None = None
        self._stream: Stream | None = None
        self._reader: FramedMessages | None = None
        self._outcome: Outcome | None = None
        self._trace: tuple[str, str] | None = None
        if options.tracer is not None:
            self._trace = (TRACE_HEADER, options.tracer.new_context())

    def __repr__(self) -> str:
        state = self._outcome.code.name if self._outcome else "open" if self._began else "new"
        return f"<{type(self).__name__} {state}>"

    def cancel(self) -> bool:
        """End the call at once; return False if it was over."""
        if self._outcome is not None:
            return False
        self._finish(Outcome(StatusCode.CANCELLED, "Locally cancelled"), is_wanted=True)
        return True

    def done(self) -> bool:
        """Return whether the call is over."""
        return self._outcome is not None

    async def _open(self, first: bytes | None, *, is_last: bool, is_eager: bool) -> Stream:
        """Open the stream, with the first message if there is one."""
        options = self._options
        self._began = self._began or perf_counter_ns()
        self._deadline = self._began + options.timeout
        connection = await options.link.connection(self._deadline, waits=options.waits)
        stream = Stream(connection)
        stream.deadline = self._deadline
        stream.is_eager = is_eager
        if not is_eager:
            stream.max_size = options.max_size + 5
        self._connection, self._stream = connection, stream
        stream.send_headers(options.block + self._trace_field())
        if first is not None:
            await stream.send(first, is_last=is_last)
        return stream

    def _trace_field(self) -> bytes:
        if self._trace is None:
            return b""
        name, context = self._trace
        return encode_block([(name.encode(), context.encode())])

    def _pack(self, message: Any) -> bytes:
        options = self._options
        return frame(options.serialize(message), options.encoding)

    def _unpack(self, data: bytes) -> list[Any]:
        """Return the messages that are whole with `data`."""
        reader = self._reader
        if reader is None:
            assert self._stream is not None
            assert self._stream.block is not None
            encoding = _field(self._stream.block.fields, b"grpc-encoding") or b"identity"
            name = encoding.decode("latin-1")
            reader = self._reader = FramedMessages(name, self._options.max_size)
        messages = reader.feed(data)
        try:
            return [self._options.deserialize(message) for message in messages]
        except Exception as error:  # a deserializer's
            raise WireError(f"a message cannot be read: {type(error).__name__}: {error}") from error

    def _read_outcome(self) -> Outcome:
        """Return the status that the server sent at the end of the stream."""
        stream = self._stream
        assert stream is not None
        head = stream.block
        assert head is not None
        fields = (stream.trailers or head).fields
        status = _field(fields, b"grpc-status")
        if status is not None:
            details = read_details(_field(fields, b"grpc-message") or b"")
            return Outcome(code_of_text(status), details, trailers=read_metadata(fields))
        if head.status != _OK_STATUS:
            details = f"the server answered with the HTTP status {head.status}"
            return Outcome(code_of_http(head.status), details)
        if not (_field(head.fields, b"content-type") or b"").startswith(b"application/grpc"):
            return Outcome(StatusCode.UNKNOWN, "the server's answer is not of gRPC")
        return Outcome(StatusCode.INTERNAL, "the server's answer has no grpc-status")

    def _fail(self, error: NetworkError | WireError) -> Outcome:
        """Return the outcome that `error` stands for."""
        if isinstance(error, NetworkError):
            failure = error.failure
            return Outcome(code_of_failure(failure), failure.text, failure)
        is_large = "larger than" in str(error)
        code = StatusCode.RESOURCE_EXHAUSTED if is_large else StatusCode.INTERNAL
        return Outcome(code, str(error))

    def _finish(self, outcome: Outcome, *, is_wanted: bool = False) -> None:
        """Record the call, and end its stream if that goes on; no-op if it was over."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        options = self._options
        self._release()
        ended = perf_counter_ns()
        stream = self._stream
        if stream is not None and stream.is_complete:
            ended = stream.ended_at
        options.samples.record(
            self._context,
            options.tags,
            outcome,
            sent=options.metadata if self._trace is None else (*options.metadata, self._trace),
            expected=None if is_wanted else options.expected,
            began=self._began,
            ended=ended,
        )

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.reset()
        if self._connection is not None:
            self._options.samples.count_bytes(*self._connection.take_counts())

    def _drop(self) -> None:
        """End the call without a record: a hard stop cut it off."""
        if self._outcome is None:
            self._outcome = Outcome(StatusCode.CANCELLED)
            self._release()

    def _error(self) -> GrpcError:
        assert self._outcome is not None
        return GrpcError(self._outcome.code, self._outcome.details, self._outcome.trailers)

    def _head(self) -> Metadata:
        block = None if self._stream is None else self._stream.block
        if block is None or (self._stream is not None and self._is_trailers_only(self._stream)):
            return ()
        return read_metadata(block.fields)

    @staticmethod
    def _is_trailers_only(stream: Stream) -> bool:
        return stream.is_complete and stream.trailers is None


class UnaryCall(GrpcCall):
    """A call with one response: await it.

    Args:
        options: What it is made with.
        request: The request; None if there are several.
        requests: The requests, if there are several.
    """

    def __init__(
        self, options: CallOptions, request: Any, requests: Requests | None = None
    ) -> None:
        super().__init__(options)
        self._request = request
        self._requests = requests
        self._response: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.response().__await__()

    async def response(self) -> Any:
        """Return the response.

        Raises:
            GrpcError: The status is another than OK.
        """
        outcome = await self._run()
        if outcome.code is not StatusCode.OK:
            raise self._error()
        return self._response

    async def code(self) -> StatusCode:
        """Return the status, whatever it is."""
        return (await self._run()).code

    async def details(self) -> str:
        """Return the text that came with the status."""
        return (await self._run()).details

    async def initial_metadata(self) -> Metadata:
        """Return the metadata before the response."""
        await self._run()
        return self._head()

    async def trailing_metadata(self) -> Metadata:
        """Return the metadata behind the response."""
        return (await self._run()).trailers

    async def _run(self) -> Outcome:
        if self._outcome is None:
            try:
                outcome = await self._make()
            except (NetworkError, WireError) as error:
                outcome = self._fail(error)
            except BaseException:
                self._drop()
                raise
            self._finish(outcome)
        assert self._outcome is not None
        return self._outcome

    async def _make(self) -> Outcome:
        if self._requests is not None:
            return await self._make_of_many(self._requests)
        first = self._pack(self._request)
        for attempt in range(_MOST_ATTEMPTS):
            try:
                stream = await self._open(first, is_last=True, is_eager=False)
                while not stream.is_complete:
                    stream.check()
                    await stream.wait()
            except NetworkError as error:
                if not error.is_unseen or attempt == _MOST_ATTEMPTS - 1:
                    raise
            else:
                break
        return self._take()

    async def _make_of_many(self, requests: Requests) -> Outcome:
        options = self._options
        stream = await self._open(None, is_last=False, is_eager=False)
        options.samples.count(GRPC_STREAM_ROWS, self._context, options.tags)
        async for request in each(requests):
            if stream.is_complete:  # the server has seen enough
                break
            await stream.send(self._pack(request))
            options.samples.count(GRPC_SENT_ROWS, self._context, options.tags)
        await stream.send(b"", is_last=True)
        while not stream.is_complete:
            stream.check()
            await stream.wait()
        outcome = self._take()
        if outcome.code is StatusCode.OK:
            options.samples.count(GRPC_RECEIVED_ROWS, self._context, options.tags)
        return outcome

    def _take(self) -> Outcome:
        """Read the response; return the outcome."""
        assert self._stream is not None
        outcome = self._read_outcome()
        if outcome.code is not StatusCode.OK:
            return outcome
        messages = self._unpack(self._stream.take_held())
        if len(messages) != 1 or (self._reader is not None and not self._reader.is_between):
            return Outcome(StatusCode.INTERNAL, f"{len(messages)} messages where one is due")
        self._response = messages[0]
        return outcome


async def each(requests: Requests) -> AsyncIterator[Any]:
    """Yield requests, whichever way they are iterated over."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


def _field(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    for key, value in fields:
        if key == name:
            return value
    return None
