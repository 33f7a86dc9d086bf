"""``vu.grpc``: the gRPC client of a virtual user: channels for stubs, and calls without stubs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypedDict, Unpack
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from pytest_k6api.model import OptionError, Recorder
from pytest_k6api.protocols.advice import Advised, unknown_options
from pytest_k6api.protocols.grpc.calls import GrpcError
from pytest_k6api.protocols.grpc.channel import MAX_MESSAGE, Channel, Codes
from pytest_k6api.protocols.grpc.link import Link
from pytest_k6api.protocols.grpc.schemas import MethodSchema, Schemas, read_proto_files
from pytest_k6api.protocols.grpc.status import StatusCode
from pytest_k6api.protocols.grpc.wire import Metadata, MetadataSource
from pytest_k6api.protocols.http import Client, Origin, Routes, read_authority, require_http2

_DEFAULT_PORTS = {False: 80, True: 443}


# By load test, which its routes stand for: by server and files.
_KNOWN: WeakKeyDictionary[Routes, dict[object, Schemas]] = WeakKeyDictionary()


class ChannelOptions(TypedDict, total=False):
    """Options of a channel.

    Attributes:
        tls: Whether it speaks TLS, with the authorities and certificates of ``vu.http``.
        metadata: Sent with each call.
        timeout: Seconds for a call that names none; 60 unless given.
        max_message_size: Bytes of a message that is received; 4 MiB unless given.
        expected_codes: The status codes that are no failure: OK unless given; None judges
            nothing.
    """

    tls: bool
    metadata: MetadataSource | None
    timeout: float
    max_message_size: int
    expected_codes: Codes


class InvokeOptions(TypedDict, total=False):
    """Options of a call by `GrpcClient.invoke`.

    Attributes:
        target: ``host:port``; the host of ``--k6-base-url`` unless given.
        tls: Whether it goes over TLS; as that URL says unless given.
        metadata: Sent with it.
        timeout: Seconds for it; 60 unless given.
        compression: ``gzip`` or ``deflate``; none unless given.
        tags: The user's tags for its samples.
        expected_codes: The status codes that are no failure: OK unless given; None judges
            nothing.
    """

    target: str
    tls: bool
    metadata: MetadataSource | None
    timeout: float
    compression: str
    tags: dict[str, object]
    expected_codes: Codes


_CHANNEL_OPTIONS = ChannelOptions.__annotations__.keys()
_INVOKE_OPTIONS = InvokeOptions.__annotations__.keys()

# What to write, by the names that other clients have for it.
_OPTION_ADVICE = {
    "credentials": "tls=True",
    "options": "max_message_size=, timeout= or metadata=",
    "plaintext": "tls=False",
    "reflect": "nothing: a method that no file has is asked of the server",
}


class GrpcResponse(NamedTuple):
    """The end of a call by `GrpcClient.invoke`.

    Attributes:
        status: Its status.
        message: The response as a dict; a list of them of a streaming method; None without.
        details: The text that came with another status than OK.
        headers, trailers: The metadata before and behind the response.
    """

    status: StatusCode
    message: Any
    details: str
    headers: Metadata
    trailers: Metadata


class GrpcClient(Advised):
    """The gRPC client of one virtual user; its connections live as long as that.

    Args:
        client: The virtual user's HTTP client, whose TLS, DNS and proxies it shares.
        recorder: The virtual user's.
    """

    advice: ClassVar[Mapping[str, str]] = {
        "call": "vu.grpc.invoke('package.Service/Method', {...})",
        "connect": "vu.grpc.channel('host:port')",
        "insecure_channel": "vu.grpc.channel('host:port')",
        "secure_channel": "vu.grpc.channel('host:port', tls=True)",
        "stream": "vu.grpc.invoke('package.Service/Method', [{...}, {...}])",
        "unary": "vu.grpc.invoke('package.Service/Method', {...})",
    }

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._channels: dict[object, Channel] = {}
        self._files: tuple[bytes, ...] = ()
        # What `invoke` has looked up, by method, target and TLS.
        self._invoked: dict[object, tuple[Channel, MethodSchema]] = {}

    def __repr__(self) -> str:
        return f"<GrpcClient with {len(self._channels)} channels>"

    def channel(self, target: str, **options: Unpack[ChannelOptions]) -> Channel:
        """Return a channel to `target`, for generated stubs; the same for the same arguments.

        Args:
            target: ``host:port``.
            **options: See `ChannelOptions`.

        Raises:
            OptionError: An argument cannot be used as given, or the extra is not installed.
        """
        key = (target, repr(sorted(options.items()))) if options else target
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = self._open(target, options)
        return channel

    def load(self, *paths: str, include: Sequence[str] = ()) -> None:
        """Read ``.proto`` files, for `invoke`; once, in a ``vu_fixture``.

        Args:
            paths: The files.
            include: Folders to look for imports in; theirs unless given.

        Raises:
            OptionError: One cannot be compiled, or the extra is not installed.
        """
        self._files += read_proto_files((*map(str, paths),), (*map(str, include),))
        self._invoked.clear()

    async def invoke(
        self,
        method: str,
        request: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
        **options: Unpack[InvokeOptions],
    ) -> GrpcResponse:
        """Call `method` without generated code; the status is a value, not an exception.

        What it takes and gives is asked of the server's reflection, once, unless `load` read
        it from files.

        Args:
            method: ``package.Service/Method``.
            request: Its request as a dict; several of a method that takes a stream.
            **options: See `InvokeOptions`.

        Raises:
            OptionError: The method or a field of the request is unknown.
            GrpcError: The server has no reflection.
        """
        if not options.keys() <= _INVOKE_OPTIONS:
            unknown = options.keys() - _INVOKE_OPTIONS
            raise unknown_options("vu.grpc.invoke()", unknown, _INVOKE_OPTIONS, _OPTION_ADVICE)
        key = (method, options.pop("target", None), options.pop("tls", None))
        known = self._invoked.get(key)
        if known is None:
            known = await self._look_up(*key, options.get("timeout"))
            self._invoked[key] = known
        channel, schema = known
        if schema.is_client_streaming or schema.is_server_streaming:
            return await _invoke_stream(channel, schema, _listed(request), options)
        if not isinstance(request, Mapping):
            requests = _listed(request)
            if len(requests) > 1:
                raise OptionError(f"{schema.path} takes one request, got {len(requests)}")
            request = requests[0] if requests else {}
        call = channel.unary_unary(schema.path, schema.pack, schema.unpack)(request, **options)
        (code, details, _, trailers), message = await call.end()
        return GrpcResponse(code, message, details, call.headers, trailers)

    async def _look_up(
        self, method: str, target: str | None, is_tls: bool | None, seconds: float | None
    ) -> tuple[Channel, MethodSchema]:
        """Return where a call of `invoke` goes, and what its messages are."""
        target, is_tls = self._target(target, is_tls)
        channel = self.channel(target, tls=is_tls)
        return channel, await self._schemas(target).find(method, channel, seconds)

    def close(self) -> None:
        """Close all connections at once."""
        for channel in self._channels.values():
            channel.drop()
        self._channels.clear()
        self._invoked.clear()

    def _schemas(self, target: str) -> Schemas:
        known = _KNOWN.setdefault(self._client.routes, {})
        return known.setdefault((target, self._files), Schemas(self._files))

    def _target(self, target: str | None, is_tls: bool | None) -> tuple[str, bool]:
        """Return the server, and whether it speaks TLS."""
        if target is not None:
            return target, bool(is_tls)
        base = urlsplit(self._client.base_url)
        if not base.netloc:
            raise OptionError(
                "vu.grpc.invoke() takes target='host:port', unless --k6-base-url names the server"
            )
        is_given = is_tls is not None
        return base.netloc.rpartition("@")[2], bool(is_tls) if is_given else base.scheme == "https"

    def _open(self, target: str, options: ChannelOptions) -> Channel:
        unknown = options.keys() - _CHANNEL_OPTIONS
        if unknown:
            raise unknown_options("a channel", unknown, _CHANNEL_OPTIONS, _OPTION_ADVICE)
        if "://" in target or "/" in target:
            raise OptionError(
                f"a target of gRPC is 'host:port', and tls=True for TLS, got {target!r}"
            )
        require_http2("vu.grpc")
        is_tls = bool(options.get("tls", False))
        try:
            authority = read_authority(target, _DEFAULT_PORTS[is_tls])
        except ValueError as error:
            raise OptionError(f"a target of gRPC is 'host:port', got {target!r}: {error}") from None
        origin = Origin(is_tls=is_tls, host=authority.host, port=authority.port)
        return Channel(
            Link(self._client.dial_http2, origin),
            self._recorder,
            target,
            metadata=options.get("metadata"),
            timeout=options.get("timeout", 60.0),
            max_message_size=options.get("max_message_size", MAX_MESSAGE),
            expected_codes=options.get("expected_codes", 0),
        )


def _listed(request: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [request] if isinstance(request, Mapping) else [*request]


async def _invoke_stream(
    channel: Channel, schema: MethodSchema, requests: list[Any], given: Any
) -> GrpcResponse:
    """Make a call with a stream of requests, of responses or of both to its end."""
    of_path = (schema.path, schema.pack, schema.unpack)
    if not schema.is_server_streaming:
        call = channel.stream_unary(*of_path)(requests, **given)
        (code, details, _, trailers), message = await call.end()
        return GrpcResponse(code, message, details, call.headers, trailers)
    if schema.is_client_streaming:
        streaming = channel.stream_stream(*of_path)(requests, **given)
    else:
        if len(requests) > 1:
            raise OptionError(f"{schema.path} takes one request, got {len(requests)}")
        streaming = channel.unary_stream(*of_path)(requests[0] if requests else {}, **given)
    messages: list[Any] = []
    try:
        async with streaming:
            async for message in streaming:
                messages.append(message)  # noqa: PERF401  # those before an error are kept
            headers = await streaming.initial_metadata()
            trailers = await streaming.trailing_metadata()
    except GrpcError as error:
        return GrpcResponse(error.code, messages, error.details, (), error.trailers)
    return GrpcResponse(StatusCode.OK, messages, "", headers, trailers)
