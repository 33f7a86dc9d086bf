"""Request bodies: JSON, forms, files, bytes, text, or an iterator of chunks."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, NamedTuple

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.message.json_codec import encode_json
from pytest_k6api.protocols.http.message.multipart import encode_multipart
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.uploads import Chunks
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
