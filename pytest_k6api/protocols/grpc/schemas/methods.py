"""Services that are called without generated stubs: what their methods take and give.

Descriptors come from the server's reflection, or from ``.proto`` files. protobuf, which the
extra `grpc` brings, is imported when the first of them is needed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from pytest_k6api.model import OptionError, storable
from pytest_k6api.protocols.grpc.calls import GrpcError
from pytest_k6api.protocols.grpc.channel import Channel
from pytest_k6api.protocols.grpc.schemas.reflection import reflect
from pytest_k6api.protocols.grpc.status import StatusCode

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool


_MOST_REASONS = 5  # lines of protoc


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
    if find_spec("google") is None or find_spec("google.protobuf") is None:
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
    from google.protobuf.json_format import ParseError

    from pytest_k6api.protocols.grpc.schemas.dicts import packer, unpacker

    pack_dict = packer(descriptor.input_type)

    def pack(message: Any) -> bytes:
        try:
            return pack_dict(message)
        except (ParseError, TypeError, ValueError) as error:
            raise OptionError(
                f"{path} takes a dict of the fields of {descriptor.input_type.full_name}, got"
                f" {message!r}: {str(error).partition(chr(10))[0]}"
            ) from None

    return MethodSchema(
        path,
        descriptor.client_streaming,
        descriptor.server_streaming,
        pack,
        unpacker(descriptor.output_type),
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

    folders = [*include] or sorted({str(Path(path).parent) for path in paths})
    with tempfile.NamedTemporaryFile(suffix=".binpb") as result:
        arguments = [f"-I{folder}" for folder in folders]
        arguments += ["--include_imports", f"--descriptor_set_out={result.name}", *paths]
        _compile(arguments, f"cannot compile {', '.join(paths)}, in {Path.cwd()}")
        files = FileDescriptorSet.FromString(Path(result.name).read_bytes()).file
    return tuple(file.SerializeToString() for file in files)


def _compile(arguments: list[str], failed: str) -> None:
    """Run protoc, which knows the files that it brings along; `failed` begins the error."""
    # In a process of its own: in this one it would write why to the terminal.
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = "; ".join(done.stderr.strip().splitlines()[:_MOST_REASONS])
        raise OptionError(f"{failed}: {storable(why)}")
