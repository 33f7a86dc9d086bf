"""Messages, metadata and deadlines as gRPC writes them over HTTP/2. Pure.

Source: grpc/doc/PROTOCOL-HTTP2.md of the gRPC project.
"""

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterable, Mapping

Metadata = tuple[tuple[str, str | bytes], ...]
"""Pairs of a name in lower case and its value; bytes where the name ends with ``-bin``."""

MetadataSource = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]

PREFIX = 5
"""Bytes before each message: whether it is compressed, and its size."""

_LONGEST_TIMEOUT = 99_999_999
_NAME = re.compile(r"[0-9a-z_.\-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_RESERVED = frozenset({"te", "content-type", "user-agent", "grpc-timeout", "grpc-encoding"})
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
ENCODINGS = ("identity", "gzip", "deflate")


class WireError(Exception):
    """Bytes that are no messages, or more than are taken."""


class MessageTooLarge(WireError):
    """A message has more bytes than are taken."""


def frame(message: bytes, encoding: str = "identity") -> bytes:
    """Return `message` with its prefix, compressed as `encoding` says."""
    if encoding == "identity":
        return b"\0" + len(message).to_bytes(4, "big") + message
    packed = gzip.compress(message, 6) if encoding == "gzip" else zlib.compress(message)
    return b"\1" + len(packed).to_bytes(4, "big") + packed


class FramedMessages:
    """Finds the messages in a stream of bytes, however they are cut.

    Args:
        encoding: What compressed messages are compressed with.
        max_size: The most bytes of a message, compressed or not.
    """

    __slots__ = ("_data", "_encoding", "_max_size")

    def __init__(self, encoding: str, max_size: int) -> None:
        self._encoding = encoding
        self._max_size = max_size
        self._data = b""

    @property
    def is_between(self) -> bool:
        """Whether the bytes so far end with a message."""
        return not self._data

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the messages that are whole now.

        Raises:
            WireError: A message is too large, or cannot be read.
        """
        data = self._data + data if self._data else data
        messages, start = [], 0
        while len(data) - start >= PREFIX:
            size = int.from_bytes(data[start + 1 : start + PREFIX], "big")
            if size > self._max_size:
                raise MessageTooLarge(
                    f"Received message larger than max ({size} vs. {self._max_size})"
                )
            end = start + PREFIX + size
            if end > len(data):
                break
            messages.append(self._read(data[start], data[start + PREFIX : end]))
            start = end
        self._data = data[start:]
        return messages

    def _read(self, flag: int, data: bytes) -> bytes:
        if not flag:
            return data
        if flag != 1:
            raise WireError(f"message with the unknown flag {flag}")
        windows = {"gzip": 31, "deflate": 15}
        if self._encoding not in windows:
            raise WireError(f"compressed message without an encoding ({self._encoding!r})")
        unpacker = zlib.decompressobj(windows[self._encoding])
        try:
            message = unpacker.decompress(data, self._max_size + 1)
        except zlib.error:
            raise WireError("message that cannot be decompressed") from None
        if len(message) > self._max_size:
            raise MessageTooLarge(f"Received message larger than max ({self._max_size})")
        if not unpacker.eof:
            raise WireError("message that cannot be decompressed")
        return message


def plain_message(data: bytes, max_size: int) -> bytes | None:
    """Return the message that `data` is, not compressed and no more; None if it is no such."""
    size = len(data) - PREFIX
    if size < 0 or size > max_size or data[:PREFIX] != b"\0" + size.to_bytes(4):
        return None
    return data[PREFIX:]


def one_message(data: bytes, encoding: str, max_size: int) -> bytes:
    """Return the message that `data` is.

    Args:
        data: The whole of a response.
        encoding: What it may be compressed with.
        max_size: The most bytes that it may have.

    Raises:
        WireError: There is none, or more than one, or it cannot be read.
    """
    reader = FramedMessages(encoding, max_size)
    messages = reader.feed(data)
    if len(messages) != 1 or not reader.is_between:
        raise WireError(f"{len(messages)} messages where one is due")
    return messages[0]


def metadata_fields(metadata: MetadataSource | None) -> list[tuple[bytes, bytes]]:
    """Return `metadata` as header fields.

    Raises:
        ValueError: A name or a value cannot be sent; the text says which.
    """
    if not metadata:
        return []
    pairs = metadata.items() if isinstance(metadata, Mapping) else metadata
    return [_field(str(name), value) for name, value in pairs]


def _field(name: str, value: str | bytes) -> tuple[bytes, bytes]:
    lowered = name.lower()
    if not _NAME.fullmatch(lowered) or lowered.startswith("grpc-") or lowered in _RESERVED:
        raise ValueError(
            f"metadata has no name {name!r}; write letters, digits, '-', '_' and '.', and no name"
            " of gRPC's own, such as grpc-timeout"
        )
    if lowered.endswith("-bin"):
        data = value.encode() if isinstance(value, str) else bytes(value)
        return lowered.encode(), base64.b64encode(data).rstrip(b"=")
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f"the metadata {name!r} takes text of printable ASCII; give bytes under a name that"
            " ends with -bin"
        )
    return lowered.encode(), text.encode()


def read_metadata(fields: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Return the metadata among `fields`: those of HTTP and of gRPC itself are left out."""
    found: list[tuple[str, str | bytes]] = []
    for raw, value in fields:
        name = raw.decode("latin-1")
        if name.startswith((":", "grpc-")) or name == "content-type":
            continue
        if name.endswith("-bin"):
            found += [(name, _unpack(part)) for part in value.split(b",")]
        else:
            found.append((name, value.decode("latin-1")))
    return tuple(found)


def _unpack(value: bytes) -> bytes:
    text = value.strip()
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return value


def read_details(value: bytes) -> str:
    """Return the text of ``grpc-message``, which is percent-encoded."""
    decoded = _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), value)
    return decoded.decode("utf-8", "replace")


def timeout_text(nanoseconds: int) -> bytes:
    """Return ``grpc-timeout`` for what is left, in the finest unit that has room for it."""
    left = max(1, nanoseconds)
    for unit, size in ((b"n", 1), (b"u", 1_000), (b"m", 1_000_000), (b"S", 1_000_000_000)):
        if left // size <= _LONGEST_TIMEOUT:
            return b"%d%s" % (max(1, left // size), unit)
    return b"%dH" % min(_LONGEST_TIMEOUT, left // 3_600_000_000_000)
