"""Bodies of requests: JSON, forms, files, bytes, text, and iterators of chunks; and those nobody keeps."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from io import BytesIO
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol

import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError
from pytest_k6api.protocols.http.message.json_codec import encode_json
from pytest_k6api.protocols.http.message.multipart import encode_multipart
from pytest_k6api.protocols.http.message.request_options import Chunks, RequestOptions
from pytest_k6api.protocols.http.message.urls import encodable, encode_form


class Body(NamedTuple):
    """A body ready to be sent.

    Attributes:
        content_type: What it is, or None if only the user can tell.
        content: Its bytes, or None for no body at all.
        chunks: What gives its bytes later, instead of `content`.
    """

    content_type: str | None = None
    content: bytes | None = None
    chunks: Chunks | None = None


_NOTHING = Body()


def encode_body(options: RequestOptions) -> Body:
    """Return the body that `options` describe.

    Raises:
        OptionError: They describe two, or one that cannot be encoded.
    """
    given = [name for name in ("json", "content", "data", "files") if options.get(name) is not None]
    if "json" in options and "json" not in given:
        given.insert(0, "json")  # null is a value
    if not given:
        return _NOTHING
    if len(given) > 1 and given != ["data", "files"]:
        raise OptionError(f"a request has one body, got {' and '.join(given)}; keep one of them")
    if "files" in given:
        return _multipart_body(options)
    if given == ["json"]:
        return _json_body(options["json"])
    return _raw_body(options["content"] if given == ["content"] else options["data"])


def _multipart_body(options: RequestOptions) -> Body:
    fields = options.get("data")
    if fields is not None and not isinstance(fields, Mapping):
        raise OptionError(
            f"data= beside files= is a mapping of form fields, got {type(fields).__name__}"
        )
    return Body(*encode_multipart(fields, options.get("files") or {}))


def _json_body(value: Any) -> Body:
    try:
        return Body("application/json", encode_json(value))
    except (TypeError, ValueError) as error:
        raise OptionError(f"json= cannot be encoded: {error}") from error


def _raw_body(data: Any) -> Body:
    if isinstance(data, str):
        return Body("text/plain; charset=utf-8", encodable(data).encode())
    if isinstance(data, (bytes, bytearray, memoryview)):
        return Body(None, bytes(data))
    if isinstance(data, Mapping):
        return Body("application/x-www-form-urlencoded", encode_form(data).encode())
    if isinstance(data, (Iterable, AsyncIterable)):
        return Body(None, None, data)
    kind = type(data).__name__
    raise OptionError(f"a body is bytes, text, an iterator of them or a mapping, got {kind}")


Send = Callable[[memoryview], Awaitable[None]]


class Upload(Protocol):
    """A request body that is produced while it is sent."""

    async def send(self, send: Send, deadline: int, *, is_framed: bool) -> None:
        """Put the body on the wire.

        Args:
            send: Sends bytes.
            deadline: When to give up, in perf_counter_ns.
            is_framed: Whether HTTP/1.1's chunks are needed, where there is no length.
        """


class IteratorUpload:
    """Sends what an iterator gives, one chunk for each element."""

    def __init__(self, chunks: Chunks, *, is_chunked: bool) -> None:
        """Take `chunks`; `is_chunked` is False if the user promised a ``Content-Length``."""
        self._chunks = chunks
        self._is_chunked = is_chunked

    async def send(self, send: Send, deadline: int, *, is_framed: bool) -> None:
        """Put the body on the wire; see `Upload.send`.

        Raises:
            NetworkError: The request became overdue meanwhile. The sweeper only
                sees a connection that waits, so here a cancel scope watches.
        """
        with trio.move_on_after(max(0.0, (deadline - perf_counter_ns()) / 1e9)):
            await self._send(send, is_chunked=is_framed and self._is_chunked)
            return
        raise NetworkError(TIMED_OUT)

    async def _send(self, send: Send, *, is_chunked: bool) -> None:
        if isinstance(self._chunks, AsyncIterable):
            async for chunk in self._chunks:
                await self._send_chunk(send, chunk, is_chunked=is_chunked)
        else:
            for chunk in self._chunks:
                await self._send_chunk(send, chunk, is_chunked=is_chunked)
        if is_chunked:
            await send(memoryview(b"0\r\n\r\n"))

    async def _send_chunk(self, send: Send, chunk: bytes | str, *, is_chunked: bool) -> None:
        data = chunk.encode() if isinstance(chunk, str) else chunk
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise OptionError(f"a body is made of bytes or text, its iterator gave {data!r}")
        if not data:
            return  # an empty chunk would end the body
        if is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await send(memoryview(data))


class Nowhere(BytesIO):
    """Takes the body of a response, and keeps nothing."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # it gets bytes alone
        """Do nothing."""
        return len(data)
