"""What all gRPC calls have in common: options, deadline, metadata, the record at the end.

A call begins when it is first awaited, iterated or entered, and runs in the task that does
so. What grpc.aio calls a call looks the same; no task of its own runs behind it.
"""

import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter_ns
from typing import Any, ClassVar

from pytest_k6api.model import TRACE_HEADER, Tracer
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.grpc.endings import head_metadata, read_encoding
from pytest_k6api.protocols.grpc.link import Link
from pytest_k6api.protocols.grpc.samples import CallSamples, ExpectedCodes, Outcome
from pytest_k6api.protocols.grpc.status import StatusCode, code_of_failure
from pytest_k6api.protocols.grpc.wire import (
    FramedMessages,
    MessageTooLarge,
    Metadata,
    WireError,
    frame,
)
from pytest_k6api.protocols.http import NetworkError, RequestFailure
from pytest_k6api.protocols.http.h2 import Http2Connection, encode_block
from pytest_k6api.protocols.http.multiplexed import Stream

Requests = Iterable[Any] | AsyncIterable[Any]

_CANCELLED = Outcome(StatusCode.CANCELLED, "Locally cancelled")


class _Details(str):
    """Text that may also be called, as ``error.details()`` is in grpcio."""

    __slots__ = ()

    def __call__(self) -> str:
        return self


class GrpcError(Exception):
    """A call that ended with another status than OK; ``except grpc.RpcError`` catches it, too.

    Attributes:
        code: The status; ``error.code()``, as grpcio writes it, is the same.
        details: The server's text, or the network's; ``error.details()`` is the same.
        trailers: The metadata behind the response.
    """

    def __init__(self, code: StatusCode, details: str, trailers: Metadata = ()) -> None:
        super().__init__(f"{code.name}: {details}" if details else code.name)
        self.code = code
        self.details = _Details(details)
        self.trailers = trailers


@cache
def _caught_as(base: type[Exception]) -> type[GrpcError]:
    """Return the error that is grpcio's, too, for code around stubs that catches that."""
    return type("GrpcError", (GrpcError, base), {"__module__": GrpcError.__module__})


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


class GrpcCall(Advised):
    """A call; see `UnaryCall` and `StreamingCall`."""

    # How it is begun, with the method's name.
    _usage: ClassVar[str]

    # Of the class until a call sets it: each attribute that a new call sets costs its time.
    _began = 0
    _ended = 0
    _connection: Http2Connection | None = None
    _stream: Stream | None = None
    _reader: FramedMessages | None = None
    _outcome: Outcome | None = None
    _trace: tuple[str, str] | None = None

    def __init__(self, options: CallOptions) -> None:
        self._options = options
        self._context = options.samples.recorder.context
        if options.tracer is not None:
            self._trace = (TRACE_HEADER, options.tracer.new_context())

    def __repr__(self) -> str:
        state = self._outcome.code.name if self._outcome else "open" if self._began else "new"
        return f"<{type(self).__name__} {state}>"

    def cancel(self) -> bool:
        """End the call at once; return False if it was over."""
        if self._outcome is not None:
            return False
        if not self._began:
            self._outcome = _CANCELLED
            return True
        stream = self._stream
        self._finish(_CANCELLED, is_wanted=True)
        if stream is not None and not stream.is_complete:
            stream.fail(NetworkError(RequestFailure(0, _CANCELLED.details)))
        return True

    @property
    def is_unused(self) -> bool:
        """Whether it was neither begun nor cancelled."""
        return not self._began and self._outcome is None

    @property
    def written(self) -> str:
        """How it is written with a stub. No name that the field of a message may have."""
        return f"stub.{self._options.samples.method}"

    def advise(self, name: str) -> str:
        """Return what to write for `name`, such as a field of the response."""
        if self.is_unused:
            self.cancel()  # that it was not begun is told here
        return (
            f"{self.written}(...) is a call, and has no {name!r}; for its response write:"
            f" {self._usage.format(self.written)}"
        )

    def done(self) -> bool:
        """Return whether the call is over."""
        return self._outcome is not None

    def cancelled(self) -> bool:
        """Return whether the call was cancelled."""
        return self._outcome is not None and self._outcome.code is StatusCode.CANCELLED

    async def _open(self, first: bytes | None) -> Stream:
        """Open the stream, with the only message if there is one."""
        options = self._options
        self._began = self._began or perf_counter_ns()
        deadline = self._began + options.timeout
        connection = await options.link.connection(deadline, waits=options.waits)
        stream = Stream(connection)
        stream.deadline = deadline
        self._connection, self._stream = connection, stream
        stream.send_headers(self._block())
        if first is not None:
            await stream.send(first, is_last=True)
        return stream

    def _block(self) -> bytes:
        """Return the header block."""
        if self._trace is None:
            return self._options.block
        name, context = self._trace
        return self._options.block + encode_block([(name.encode(), context.encode())])

    def _pack(self, message: Any) -> bytes:
        options = self._options
        try:
            data = options.serialize(message)
        except TypeError:
            if isinstance(message, Mapping):
                raise TypeError(
                    f"{self.written}() takes the message that it is declared with, got the dict"
                    f" {message!r}; vu.grpc.invoke() takes dicts"
                ) from None
            raise
        return frame(data, options.encoding)

    def _unpack(self, data: bytes) -> list[Any]:
        """Return the messages that are whole with `data`."""
        reader = self._reader
        if reader is None:
            assert self._stream is not None
            assert self._stream.block is not None
            encoding = read_encoding(self._stream.block)
            reader = self._reader = FramedMessages(encoding, self._options.max_size)
        return [self._message(message) for message in reader.feed(data)]

    def _message(self, data: bytes) -> Any:
        try:
            return self._options.deserialize(data)
        except Exception as error:  # a deserializer's
            raise WireError(f"a message cannot be read: {type(error).__name__}: {error}") from error

    def _end_of_stream(self) -> Outcome:
        """Return the status that the server sent at the end of the stream."""
        stream = self._stream
        assert stream is not None
        assert stream.block is not None
        self._ended = stream.ended_at
        return self._options.link.endings.read(stream.block, stream.trailers or stream.block)

    def _fail(self, error: NetworkError | WireError) -> Outcome:
        """Return the outcome that `error` stands for."""
        if isinstance(error, NetworkError):
            failure, connection = error.failure, self._connection
            details = failure.text
            if connection is not None and not connection.session.is_greeted:
                details += " before the server said anything in HTTP/2"
                if not self._options.link.origin.is_tls:
                    details += "; if it speaks TLS, write channel(..., tls=True)"
            return Outcome(code_of_failure(failure), details, failure)
        is_large = isinstance(error, MessageTooLarge)
        code = StatusCode.RESOURCE_EXHAUSTED if is_large else StatusCode.INTERNAL
        return Outcome(code, str(error))

    def _finish(self, outcome: Outcome, *, is_wanted: bool = False) -> None:
        """Record the call, and end its stream if that goes on; no-op if it was over."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        options = self._options
        self._release()
        options.samples.record(
            self._context,
            options.tags,
            outcome,
            sent=options.metadata if self._trace is None else (*options.metadata, self._trace),
            expected=None if is_wanted else options.expected,
            began=self._began,
            ended=self._ended or perf_counter_ns(),
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
        grpcio = sys.modules.get("grpc")
        kind = GrpcError if grpcio is None else _caught_as(grpcio.RpcError)
        return kind(self._outcome.code, self._outcome.details, self._outcome.trailers)

    def _head(self) -> Metadata:
        stream = self._stream
        if stream is None:
            return ()
        is_end = stream.is_complete and stream.trailers is None
        return head_metadata(stream.block, stream.block if is_end else stream.trailers)


async def each(requests: Requests) -> AsyncGenerator[Any, None]:
    """Yield requests, whichever way they are iterated over."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    elif isinstance(requests, Iterable):
        for request in requests:
            yield request
    else:
        raise TypeError(
            f"a stream of requests is an iterator of messages, or a list of them, got {requests!r}"
        )
