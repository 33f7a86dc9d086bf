"""gRPC for scenarios that run in threads: the same channels and calls without ``await``."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Self, Unpack

from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.blocks import warn_unused
from pytest_k6api.protocols.grpc.channel import Channel
from pytest_k6api.protocols.grpc.client import ChannelOptions, GrpcClient, GrpcResponse
from pytest_k6api.protocols.grpc.streaming import StreamingCall
from pytest_k6api.protocols.grpc.unary import UnaryCall

Run = Callable[..., Any]
"""Lets Trio await ``function(*args)`` and returns or raises what that gives."""


class SyncGrpcClient(Advised):
    """A `GrpcClient` called from a thread.

    Args:
        client: The client; only Trio's thread touches it.
        run_in_trio: Lets Trio await a function.
        call_soon: Has Trio's thread call a function, without waiting for it.
    """

    advice = GrpcClient.advice

    def __init__(
        self, client: GrpcClient, run_in_trio: Run, call_soon: Callable[..., None]
    ) -> None:
        self._client = client
        self._run_in_trio = run_in_trio
        self._call_soon = call_soon

    def __repr__(self) -> str:
        return f"<SyncGrpcClient of {self._client!r}>"

    def channel(self, target: str, **options: Unpack[ChannelOptions]) -> "SyncChannel":
        """Return a channel for generated stubs; see `GrpcClient.channel`."""
        return SyncChannel(
            self._client.channel(target, **options), self._run_in_trio, self._call_soon
        )

    def load(self, *paths: str, include: tuple[str, ...] = ()) -> None:
        """Read ``.proto`` files; see `GrpcClient.load`."""
        self._client.load(*paths, include=include)

    def invoke(self, method: str, request: Any = (), **options: Any) -> GrpcResponse:
        """Call `method` without generated code; see `GrpcClient.invoke`."""
        response: GrpcResponse = self._run_in_trio(
            partial(self._client.invoke, method, request, **options)
        )
        return response


class SyncChannel(Advised):
    """A `Channel` called from a thread: stubs give responses and iterators."""

    advice = Channel.advice

    def __init__(self, channel: Channel, run_in_trio: Run, call_soon: Callable[..., None]) -> None:
        self._channel = channel
        self._run_in_trio = run_in_trio
        self._call_soon = call_soon

    def __repr__(self) -> str:
        return f"<SyncChannel of {self._channel!r}>"

    def unary_unary(self, *args: Any, **options: Any) -> Callable[..., Any]:
        """Return what makes calls with one request and one response."""
        return self._unary(self._channel.unary_unary(*args, **options))

    def stream_unary(self, *args: Any, **options: Any) -> Callable[..., Any]:
        """Return what makes calls with many requests and one response."""
        return self._unary(self._channel.stream_unary(*args, **options))

    def unary_stream(self, *args: Any, **options: Any) -> Callable[..., "SyncStreamingCall"]:
        """Return what makes calls with one request and many responses."""
        return self._streaming(self._channel.unary_stream(*args, **options))

    def stream_stream(self, *args: Any, **options: Any) -> Callable[..., "SyncStreamingCall"]:
        """Return what makes calls with many requests and many responses."""
        return self._streaming(self._channel.stream_stream(*args, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, grace: float | None = None) -> None:
        """Close its connections; see `Channel.close`."""
        self._run_in_trio(self._channel.close, grace)

    def health(self, service: str = "", **options: Any) -> str:
        """Return what the server's health service says; see `Channel.health`."""
        status: str = self._run_in_trio(partial(self._channel.health, service, **options))
        return status

    def _unary(self, make: Callable[..., UnaryCall]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            made = make(*args, **options)
            return self._run_in_trio(made.response)

        return call

    def _streaming(self, make: Callable[..., StreamingCall]) -> Callable[..., "SyncStreamingCall"]:
        def call(*args: Any, **options: Any) -> SyncStreamingCall:
            return SyncStreamingCall(make(*args, **options), self._run_in_trio, self._call_soon)

        return call


class SyncStreamingCall:
    """A `StreamingCall` called from a thread."""

    def __init__(
        self, call: StreamingCall, run_in_trio: Run, call_soon: Callable[..., None]
    ) -> None:
        self._call = call
        self._run_in_trio = run_in_trio
        self._call_soon = call_soon

    def __del__(self) -> None:
        if self._call.is_unused:
            self._call.cancel()
            name = self._call.written
            warn_unused(name, "iterated over or entered", f"for response in {name}(...):")
        # A loop that was left by `break`; only Trio's thread may end the call.
        elif not self._call.done():
            self._call_soon(self._call.cancel)

    def __enter__(self) -> Self:
        self._run_in_trio(self._call.__aenter__)
        return self

    def __exit__(self, *error: object) -> None:
        self._run_in_trio(self._call.__aexit__, *error)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                message = self._run_in_trio(self._call.__anext__)
            except StopAsyncIteration:
                return
            yield message

    def read(self) -> Any:
        """Return the next response; None at the end."""
        return self._run_in_trio(self._call.read)

    def write(self, request: Any) -> None:
        """Send a request."""
        self._run_in_trio(self._call.write, request)

    def done_writing(self) -> None:
        """Tell the server that no request follows."""
        self._run_in_trio(self._call.done_writing)

    def code(self) -> Any:
        """Return the status, once all responses have come."""
        return self._run_in_trio(self._call.code)

    def trailing_metadata(self) -> Mapping[str, Any] | Any:
        """Return the metadata behind the responses."""
        return self._run_in_trio(self._call.trailing_metadata)
