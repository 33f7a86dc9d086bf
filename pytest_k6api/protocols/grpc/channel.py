"""Channels for generated stubs: they make the calls of one virtual user to one server."""

from collections.abc import Callable, Iterable, Mapping
from types import EllipsisType
from typing import Any, ClassVar, Self

from pytest_k6api.model import TRACE_HEADER, OptionError, Recorder, parse_duration
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.grpc.calls import CallOptions, Requests
from pytest_k6api.protocols.grpc.link import Link
from pytest_k6api.protocols.grpc.samples import CallSamples, ExpectedCodes, Unmeasured
from pytest_k6api.protocols.grpc.status import read_code
from pytest_k6api.protocols.grpc.streaming import StreamingCall
from pytest_k6api.protocols.grpc.unary import UnaryCall
from pytest_k6api.protocols.grpc.wire import (
    ENCODINGS,
    MetadataSource,
    metadata_fields,
    read_metadata,
    timeout_text,
)
from pytest_k6api.protocols.http.h2 import encode_block

Serialize = Callable[[Any], bytes]
Deserialize = Callable[[bytes], Any]
Codes = int | Iterable[int] | None

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message that is received, as in all of gRPC."""

# Methods of a channel and options of a method: beyond it they are made anew.
_MOST_KEPT = 256

# grpc.Compression: NoCompression, Deflate, Gzip.
_COMPRESSIONS = {None: "identity", 0: "identity", 1: "deflate", 2: "gzip"}


class Channel(Advised):
    """A channel to one server; generated stubs take it as they take ``grpc.aio``'s.

    Each call is a sample of ``grpc_req_duration`` and ``grpc_req_failed``.

    Args:
        link: The connections.
        recorder: The virtual user's.
        target: The server, as the user names it.
        metadata: Sent with each call.
        timeout: Seconds for a call that names none.
        max_message_size: Bytes of a message that is received.
        expected_codes: The codes that are no failure; None for no judgement.
    """

    advice: ClassVar[Mapping[str, str]] = {
        "channel_ready": "wait_for_ready=True at the call",
        "get_state": "await channel.health()",
        "invoke": "vu.grpc.invoke(...)",
        "subscribe": "await channel.health()",
        "wait_for_state_change": "wait_for_ready=True at the call",
    }

    def __init__(
        self,
        link: Link,
        recorder: Recorder,
        target: str,
        *,
        metadata: MetadataSource | None = None,
        timeout: float = 60.0,
        max_message_size: int = MAX_MESSAGE,
        expected_codes: Codes = 0,
    ) -> None:
        self.target = target
        self._link = link
        self._recorder = recorder
        self._fields = metadata_fields(metadata)
        self._timeout = timeout
        self._max_size = max_message_size
        self._expected = read_codes(expected_codes)
        # Stubs are made again and again.
        self._methods: dict[object, Method] = {}

    def __repr__(self) -> str:
        return f"<Channel to {self.target}>"

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., UnaryCall]:
        """Return what makes calls with one request and one response."""
        return self._method(method, request_serializer, response_deserializer).unary

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., StreamingCall]:
        """Return what makes calls with one request and many responses."""
        return self._method(method, request_serializer, response_deserializer).unary_stream

    def stream_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., UnaryCall]:
        """Return what makes calls with many requests and one response."""
        return self._method(method, request_serializer, response_deserializer).stream_unary

    def stream_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., StreamingCall]:
        """Return what makes calls with many requests and many responses."""
        return self._method(method, request_serializer, response_deserializer).stream_stream

    def unmeasured(
        self, method: str, serialize: Serialize, deserialize: Deserialize
    ) -> Callable[..., StreamingCall]:
        """Return what makes calls of streams both ways of which no metric tells."""
        samples = Unmeasured(self._recorder, self.target, method)
        return self._make(samples, method, serialize, deserialize).stream_stream

    async def health(self, service: str = "", **options: Any) -> str:
        """Return what the server's health service says of `service`: ``"SERVING"`` and so on.

        Raises:
            GrpcError: The server has no such service, or does not answer.

        Source: grpc/doc/health-checking.md of the gRPC project.
        """
        check = self.unary_unary("/grpc.health.v1.Health/Check", _health_request, _health_status)
        status: str = await check(service, **options)
        return status

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:  # noqa: ARG002 - grpcio's
        """Close its connections at once; the next call opens another.

        The virtual user does it at its end: only one that connects again in each iteration
        needs it.
        """
        self.drop()

    def drop(self) -> None:
        """Close its connections, without ``await``."""
        self._link.close()

    def _method(
        self, path: str, serialize: Serialize | None, deserialize: Deserialize | None
    ) -> "Method":
        key = (path, serialize, deserialize)
        method = self._methods.get(key)
        if method is None:
            if len(self._methods) >= _MOST_KEPT:
                self._methods.clear()
            samples = CallSamples(self._recorder, self.target, path)
            method = self._methods[key] = self._make(samples, path, serialize, deserialize)
        return method

    def _make(
        self,
        samples: CallSamples,
        path: str,
        serialize: Serialize | None,
        deserialize: Deserialize | None,
    ) -> "Method":
        return Method(
            self._link,
            samples,
            path,
            self._fields,
            serialize=serialize or bytes,
            deserialize=deserialize or bytes,
            timeout=self._timeout,
            max_size=self._max_size,
            expected=self._expected,
        )


class Method:
    """One method of a channel, with what its calls have in common."""

    __slots__ = (
        "_blocks", "_deserialize", "_expected", "_fields", "_known", "_link", "_max_size", "_path",
        "_plain", "_samples", "_serialize", "_timeout",
    )  # fmt: skip

    def __init__(
        self,
        link: Link,
        samples: CallSamples,
        path: str,
        fields: list[tuple[bytes, bytes]],
        *,
        serialize: Serialize,
        deserialize: Deserialize,
        timeout: float,
        max_size: int,
        expected: ExpectedCodes,
    ) -> None:
        self._link = link
        self._samples = samples
        self._path = path
        self._fields = fields
        self._serialize = serialize
        self._deserialize = deserialize
        self._timeout = timeout
        self._max_size = max_size
        self._expected = expected
        # The options of calls: of those that name none, and of those that name some.
        self._plain: CallOptions | None = None
        self._known: dict[object, CallOptions] = {}
        # Header blocks without the metadata of the call.
        self._blocks: dict[object, bytes] = {}

    def unary(self, request: Any, *args: Any, **named: Any) -> UnaryCall:
        """Return a call with one request and one response."""
        return UnaryCall(self._options(args, named), request)

    def stream_unary(self, request_iterator: Requests, *args: Any, **named: Any) -> UnaryCall:
        """Return a call with many requests and one response."""
        return UnaryCall(self._options(args, named), None, request_iterator)

    def unary_stream(self, request: Any, *args: Any, **named: Any) -> StreamingCall:
        """Return a call with one request and many responses."""
        return StreamingCall(self._options(args, named), request, is_unary=True)

    def stream_stream(
        self, request_iterator: Requests | None = None, *args: Any, **named: Any
    ) -> StreamingCall:
        """Return a call with many requests and many responses."""
        return StreamingCall(self._options(args, named), requests=request_iterator, is_unary=False)

    def _options(self, args: tuple[Any, ...], named: dict[str, Any]) -> CallOptions:
        """Return what a call is made with, the same for the same arguments."""
        if not args and not named:
            if self._plain is None:
                self._plain = self._make()
            return self._plain
        key = (args, *((name, _frozen(value)) for name, value in named.items()))
        try:
            known = self._known.get(key)
            is_kept = True
        except TypeError:  # metadata that is a list, say
            known, is_kept = None, False
        if known is None:
            known = self._make(*args, **named)
            if is_kept:
                if len(self._known) >= _MOST_KEPT:
                    self._known.clear()
                self._known[key] = known
        return known

    def _make(
        self,
        timeout: float | None = None,
        metadata: MetadataSource | None = None,
        credentials: object = None,
        wait_for_ready: bool | None = None,
        compression: object = None,
        *,
        tags: dict[str, object] | None = None,
        expected_codes: Codes | EllipsisType = ...,
    ) -> CallOptions:
        """Return what a call is made with.

        Raises:
            OptionError, ValueError: An argument cannot be used as given.
        """
        if credentials is not None:
            raise OptionError("credentials of a call are not taken; send them as metadata")
        seconds = parse_duration(self._timeout if timeout is None else timeout)
        own = metadata_fields(metadata)
        fields = self._fields + own
        is_traced = any(name == TRACE_HEADER.encode() for name, _ in fields)
        encoding = _encoding(compression)
        return CallOptions(
            link=self._link,
            samples=self._samples,
            block=self._block(round(seconds * 1e9), encoding) + encode_block(own),
            serialize=self._serialize,
            deserialize=self._deserialize,
            timeout=round(seconds * 1e9),
            max_size=self._max_size,
            encoding=encoding,
            waits=bool(wait_for_ready),
            metadata=read_metadata(fields),
            tracer=None if is_traced else self._samples.tracer,
            expected=self._expected if expected_codes is ... else read_codes(expected_codes),
            tags={str(name): str(value) for name, value in (tags or {}).items()},
        )

    def _block(self, timeout: int, encoding: str) -> bytes:
        key = (timeout, encoding)
        block = self._blocks.get(key)
        if block is None:
            if len(self._blocks) >= _MOST_KEPT:
                self._blocks.clear()
            block = self._blocks[key] = self._encode(timeout, encoding)
        return block

    def _encode(self, timeout: int, encoding: str) -> bytes:
        origin = self._link.origin
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        named = [(b"grpc-encoding", encoding.encode())] if encoding != "identity" else []
        return encode_block(
            [
                (b":method", b"POST"),
                (b":scheme", b"https" if origin.is_tls else b"http"),
                (b":path", self._path.encode()),
                (b":authority", f"{host}:{origin.port}".encode()),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
                (b"user-agent", b"pytest-k6api"),
                (b"grpc-accept-encoding", ",".join(ENCODINGS).encode()),
                (b"grpc-timeout", timeout_text(timeout)),
                *named,
                *self._fields,
            ]
        )


def read_codes(codes: Codes) -> ExpectedCodes:
    """Return `codes` as a set; None stands for no judgement.

    Raises:
        OptionError: They are no codes of gRPC.
    """
    if codes is None:
        return None
    try:
        return frozenset(map(read_code, codes if isinstance(codes, Iterable) else [codes]))
    except (TypeError, ValueError):
        raise OptionError(
            "expected_codes takes a status code of gRPC, some of them, or None, such as"
            f" {{StatusCode.OK, StatusCode.NOT_FOUND}}, got {codes!r}"
        ) from None


def _frozen(value: Any) -> object:
    """Return `value` as a key; TypeError says later that it can be none."""
    if type(value) is dict:
        # 1 and True are one key, but two texts.
        return tuple((name, each, type(each)) for name, each in value.items())
    return value


def _encoding(compression: Any) -> str:
    name = _COMPRESSIONS.get(compression, compression)
    if name not in ENCODINGS:
        raise OptionError(
            f"compression takes one of {', '.join(ENCODINGS)} or of grpc.Compression, got"
            f" {compression!r}"
        )
    return str(name)


_SERVICE_FIELD = b"\x0a"
_STATUS_FIELD = 8
_HEALTH = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


def _health_request(service: str) -> bytes:
    name = service.encode()
    if not name:
        return b""
    size = bytes([len(name) & 0x7F | 0x80, len(name) >> 7]) if len(name) > 127 else None
    return _SERVICE_FIELD + (size or bytes([len(name)])) + name


def _health_status(message: bytes) -> str:
    is_known = len(message) == 2 and message[0] == _STATUS_FIELD and message[1] < len(_HEALTH)
    return _HEALTH[message[1]] if is_known else _HEALTH[0]
