"""What a server's reflection says of its services, asked and read without generated code.

Source: grpc/doc/server-reflection.md of the gRPC project.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_k6api.protocols.grpc.calls import GrpcError
from pytest_k6api.protocols.grpc.channel import Channel
from pytest_k6api.protocols.grpc.status import StatusCode

# Files that a service may depend on: more is a server that answers without end.
_MOST_FILES = 10_000
_REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
_PATH = "/{}.ServerReflection/ServerReflectionInfo"


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
            if error.code is StatusCode.NOT_FOUND:
                text = f"the server's reflection knows no service {service!r}: {error.details}"
                raise GrpcError(StatusCode.NOT_FOUND, text) from None
            if error.code is not StatusCode.UNIMPLEMENTED:
                raise
    raise GrpcError(
        StatusCode.UNIMPLEMENTED,
        "the server has no reflection; load its .proto files with vu.grpc.load()",
    )


async def _reflect(service: str, channel: Channel, path: str, seconds: float | None) -> list[bytes]:
    ask = channel.unmeasured(path, _message_request, _message_files)
    found: dict[str, bytes] = {}
    missing: list[str] = []
    async with ask(timeout=seconds) as call:
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
            return GrpcError(StatusCode(known), details)
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
