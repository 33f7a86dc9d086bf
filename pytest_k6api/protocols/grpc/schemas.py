"""Services that are called without generated stubs: what their methods take and give.

Descriptors come from the server's reflection, or from ``.proto`` files. protobuf, which the
extra `grpc` brings, is imported when the first of them is needed.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.grpc.calls import GrpcError
from pytest_k6api.protocols.grpc.channel import Channel
from pytest_k6api.protocols.grpc.status import StatusCode

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

# Files that a service may depend on: more is a server that answers without end.
_MOST_FILES = 10_000
_REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
_PATH = "/{}.ServerReflection/ServerReflectionInfo"


class MethodSchema(NamedTuple):
    """A method without its generated code.

    Attributes:
        path: ``/package.Service/Method``.
        is_client_streaming, is_server_streaming: Which of the four kinds it is.
        pack: Makes the bytes of a request from a dict.
        unpack: Makes a dict from the bytes of a response.
    """

    path: str
    is_client_streaming: bool
    is_server_streaming: bool
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]


def need_protobuf() -> None:
    """Check that the extra is installed.

    Raises:
        OptionError: It is not.
    """
    if find_spec("google.protobuf") is None:
        raise OptionError(
            "vu.grpc.invoke() and vu.grpc.load() need the extra `grpc`: pip install"
            " 'pytest-k6api[grpc]'"
        )


class Schemas:
    """The methods that are known of one server; shared by all virtual users.

    Args:
        files: Serialised file descriptors, each after those that it depends on.
    """

    def __init__(self, files: Iterable[bytes] = ()) -> None:
        self._files = list(files)
        self._pool: DescriptorPool | None = None
        self._methods: dict[str, MethodSchema] = {}
        self._lock = trio.Lock()  # one virtual user asks for all

    def __repr__(self) -> str:
        return f"<Schemas of {len(self._methods)} methods>"

    async def find(self, name: str, channel: Channel, seconds: float | None = None) -> MethodSchema:
        """Return the method `name`, asking the server if no file has it.

        Args:
            name: ``package.Service/Method``, with a slash in front or without.
            channel: The server.
            seconds: Time for its answer; the channel's unless given.

        Raises:
            OptionError: There is no such method.
            GrpcError: The server has no reflection, or one that cannot be used.
        """
        path = "/" + name.removeprefix("/")
        known = self._methods.get(path)
        if known is None:
            service, slash, method = path[1:].partition("/")
            if not slash or not service or not method or "/" in method:
                raise OptionError(
                    f"a method of gRPC is named 'package.Service/Method', got {name!r}"
                )
            async with self._lock:
                known = self._methods.get(path)
                if known is None:
                    known = self._methods[path] = await self._look_up(
                        service, method, channel, seconds
                    )
        return known

    async def _look_up(
        self, service: str, method: str, channel: Channel, seconds: float | None
    ) -> MethodSchema:
        need_protobuf()
        from google.protobuf.descriptor_pool import DescriptorPool

        if self._pool is None:
            self._pool = DescriptorPool()
            for file in self._files:
                self._pool.AddSerializedFile(file)
        found = self._service(service)
        if found is None:
            await self._ask(service, channel, seconds, self._pool)
            found = self._service(service)
        if found is None:
            raise OptionError(f"the server knows no service {service!r}")
        descriptor = found.methods_by_name.get(method)
        if descriptor is None:
            methods = ", ".join(found.methods_by_name)
            raise OptionError(f"the service {service!r} has no method {method!r}; it has {methods}")
        return _schema(f"/{service}/{method}", descriptor)

    def _service(self, name: str) -> Any:
        """Return the descriptor of a service that is known; None if it is not."""
        assert self._pool is not None
        try:
            return self._pool.FindServiceByName(name)
        except KeyError:
            return None

    async def _ask(
        self, service: str, channel: Channel, seconds: float | None, pool: "DescriptorPool"
    ) -> None:
        """Add what the server says of `service` to `pool`."""
        from graphlib import CycleError

        from google.protobuf.message import DecodeError

        try:
            for file in await reflect(service, channel, seconds):
                pool.AddSerializedFile(file)
        except GrpcError as error:
            if error.code is StatusCode.UNIMPLEMENTED and self._files:
                raise OptionError(
                    f"no file that was loaded has the service {service!r}, and the server has no"
                    " reflection"
                ) from None
            raise
        except (DecodeError, CycleError, TypeError) as error:
            why = str(error).partition("\n")[0]
            raise GrpcError(
                StatusCode.INTERNAL, f"the server's reflection cannot be read: {why}"
            ) from None


def _schema(path: str, descriptor: Any) -> MethodSchema:
    from google.protobuf import json_format
    from google.protobuf.message_factory import GetMessageClass

    request, response = map(GetMessageClass, (descriptor.input_type, descriptor.output_type))

    def pack(message: Any) -> bytes:
        try:
            data: bytes = json_format.ParseDict(dict(message), request()).SerializeToString()
        except (json_format.ParseError, TypeError, ValueError) as error:
            raise OptionError(
                f"{path} takes a dict of the fields of {descriptor.input_type.full_name}, got"
                f" {message!r}: {str(error).partition(chr(10))[0]}"
            ) from None
        return data

    def unpack(data: bytes) -> Any:
        return json_format.MessageToDict(
            response.FromString(data), preserving_proto_field_name=True
        )

    return MethodSchema(
        path, descriptor.client_streaming, descriptor.server_streaming, pack, unpack
    )


@cache
def read_proto_files(paths: tuple[str, ...], include: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the file descriptors of ``.proto`` files and of what they import; read once.

    Args:
        paths: The files, whole or below one of `include`.
        include: Folders to look for imports in.

    Raises:
        OptionError: A file is missing or cannot be compiled, or the extra is not installed.
    """
    need_protobuf()
    if find_spec("grpc_tools") is None:
        raise OptionError(
            "vu.grpc.load() needs grpcio-tools, which compiles .proto files: pip install"
            " 'pytest-k6api[grpc]'"
        )
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from grpc_tools import protoc  # type: ignore[import-untyped]

    folders = [*include] or sorted({str(Path(path).parent) for path in paths})
    own = str(Path(protoc.__file__).parent / "_proto")
    with tempfile.NamedTemporaryFile(suffix=".binpb") as result:
        arguments = [f"-I{folder}" for folder in (*folders, own)]
        arguments += ["--include_imports", f"--descriptor_set_out={result.name}", *paths]
        if protoc.main(["protoc", *arguments]):
            raise OptionError(
                f"cannot compile {', '.join(paths)}; protoc has said why on the standard error stream"
            )
        files = FileDescriptorSet.FromString(Path(result.name).read_bytes()).file
    return tuple(file.SerializeToString() for file in files)


async def reflect(service: str, channel: Channel, seconds: float | None = None) -> list[bytes]:
    """Ask the server for the descriptors of `service` and of all that it depends on.

    Raises:
        GrpcError: It has no reflection, or does not know the service.
        DecodeError, CycleError: What it says makes no sense.

    Source: grpc/doc/server-reflection.md of the gRPC project.
    """
    for version in _REFLECTION:
        try:
            return await _reflect(service, channel, _PATH.format(version), seconds)
        except GrpcError as error:
            if error.code is not StatusCode.UNIMPLEMENTED:
                raise
    raise GrpcError(
        StatusCode.UNIMPLEMENTED,
        "the server has no reflection; load its .proto files with vu.grpc.load()",
    )


async def _reflect(service: str, channel: Channel, path: str, seconds: float | None) -> list[bytes]:
    ask = channel.stream_stream(path, _message_request, _message_files)
    found: dict[str, bytes] = {}
    missing: list[str] = []
    async with ask(timeout=seconds, expected_codes=None) as call:
        await call.write((_BY_SYMBOL, service))
        _add(found, missing, await _answer(call.read))
        while missing:
            name = missing.pop()
            if name in found:
                continue
            if len(found) > _MOST_FILES:
                raise GrpcError(StatusCode.RESOURCE_EXHAUSTED, "a service of too many files")
            await call.write((_BY_NAME, name))
            _add(found, missing, await _answer(call.read))
        await call.done_writing()
        await call.code()
    return _in_order(found)


async def _answer(read: Callable[[], Awaitable[Any]]) -> list[bytes]:
    answer = await read()
    if answer is None:
        raise GrpcError(StatusCode.INTERNAL, "the server's reflection has ended early")
    if isinstance(answer, GrpcError):
        raise answer
    files: list[bytes] = answer
    return files


def _add(found: dict[str, bytes], missing: list[str], files: Iterable[bytes]) -> None:
    for data in files:
        name, dependencies = _names(data)
        found[name] = data
        missing += [each for each in dependencies if each not in found]


def _names(data: bytes) -> tuple[str, Sequence[str]]:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto.FromString(data)
    return file.name, file.dependency


def _in_order(files: Mapping[str, bytes]) -> list[bytes]:
    """Return `files`, each after those that it depends on."""
    from graphlib import TopologicalSorter

    graph = {name: _names(data)[1] for name, data in files.items()}
    return [files[name] for name in TopologicalSorter(graph).static_order() if name in files]


# Fields of ServerReflectionRequest and ServerReflectionResponse, which are the same in both versions.
_BY_NAME, _BY_SYMBOL = 3, 4
_FILES, _ERROR = 4, 7
_LENGTH_DELIMITED = 2


def _message_request(asked: tuple[int, str]) -> bytes:
    number, text = asked
    data = text.encode()
    return _number(number << 3 | _LENGTH_DELIMITED) + _number(len(data)) + data


def _message_files(message: bytes) -> "list[bytes] | GrpcError":
    """Return the files in a response of the reflection, or its error."""
    files: list[bytes] = []
    for number, value in _fields(message):
        if number == _FILES and isinstance(value, bytes):
            files += [
                data for field, data in _fields(value) if field == 1 and isinstance(data, bytes)
            ]
        elif number == _ERROR and isinstance(value, bytes):
            parts = dict(_fields(value))
            code, text = parts.get(1, 2), parts.get(2, b"")
            details = text.decode("utf-8", "replace") if isinstance(text, bytes) else ""
            known = code if isinstance(code, int) and code < len(StatusCode) else 2
            return GrpcError(StatusCode(known), f"the server's reflection: {details}")
    return files


def _fields(message: bytes) -> Iterable[tuple[int, int | bytes]]:
    """Yield the fields of a message: a number and a varint or bytes; others end it."""
    at = 0
    while at < len(message):
        key, at = _read_number(message, at)
        if key & 7 == _LENGTH_DELIMITED:
            size, at = _read_number(message, at)
            yield key >> 3, message[at : at + size]
            at += size
        elif key & 7 == 0:
            value, at = _read_number(message, at)
            yield key >> 3, value
        else:
            return


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for end in range(at, min(at + 10, len(data))):
        value |= (data[end] & 0x7F) << shift
        shift += 7
        if not data[end] & 0x80:
            return value, end + 1
    return value, len(data)


def _number(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
