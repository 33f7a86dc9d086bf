"""``multipart/form-data``: files and fields as one body (RFC 7578), as httpx takes them."""

import mimetypes
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from pytest_k6api.model import OptionError, read_pairs
from pytest_k6api.protocols.http.message.urls import encodable, primitive_text

FileContent = IO[bytes] | IO[str] | bytes | str
FileSpec = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
Files = Mapping[str, FileSpec] | Iterable[tuple[str, FileSpec]]

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def encode_multipart(data: Mapping[str, Any] | None, files: Files) -> tuple[str, bytes]:
    """Return the content type and the body that carry `data` and `files`.

    Files are read into memory: a load test sends the same body many times, and
    a body in memory can be sent again when a connection turns out to be closed.

    Raises:
        OptionError: A file is nothing that can be read.
    """
    boundary = os.urandom(16).hex()
    parts: list[bytes] = []
    for name, value in (data or {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        parts.extend(
            _part(boundary, {"name": name}, {}, primitive_text(element).encode())
            for element in values
        )
    for name, spec in read_pairs("files", files):
        parts.append(_file_part(boundary, name, spec))
    parts.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def _file_part(boundary: str, name: str, spec: FileSpec) -> bytes:
    filename: str | None = None
    content_type: str | None = None
    headers: dict[str, str] = {}
    source: FileContent
    if isinstance(spec, tuple):
        # At most four elements: name, content, type, headers.
        filename, source = spec[0], spec[1]
        content_type = spec[2] if len(spec) > 2 else None
        headers.update(spec[3] if len(spec) > 3 else {})
    else:
        source = spec
        filename = Path(str(getattr(source, "name", "upload"))).name
    content = _read(name, source)
    parameters = {"name": name}
    if filename is not None:
        parameters["filename"] = filename
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        headers.setdefault("Content-Type", content_type or guessed)
    elif content_type:
        headers.setdefault("Content-Type", content_type)
    return _part(boundary, parameters, headers, content)


def _read(name: str, source: Any) -> bytes:
    content = source.read() if hasattr(source, "read") else source
    if hasattr(source, "seek"):
        source.seek(0)  # the next iteration uploads the same open file
    if isinstance(content, str):
        return encodable(content).encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise OptionError(
        f"cannot upload {type(content).__name__} as the file {name!r}; give bytes, text or a file that is"
        " open for reading"
    )


def _part(
    boundary: str, parameters: Mapping[str, str], headers: Mapping[str, str], content: bytes
) -> bytes:
    disposition = "".join(
        f'; {key}="{encodable(text).translate(_ESCAPES)}"' for key, text in parameters.items()
    )
    head = f"--{boundary}\r\nContent-Disposition: form-data{disposition}\r\n"
    for key, text in headers.items():
        head += f"{key}: {text.translate(_ESCAPES)}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"
