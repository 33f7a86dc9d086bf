"""Field sections of HTTP/3 (QPACK): how requests are written, and what responses say.

Neither side has a dynamic table: this one announces none, and never uses the peer's. So a
section means the same in every connection: a request's is made once for all, and a
response's that was seen before is looked up by its bytes. What is not, `qh3` decodes.

Source: RFC 9204.
"""

from typing import TYPE_CHECKING

from pytest_k6api.protocols.http.h3.errors import DECOMPRESSION_FAILED, EXCESSIVE_LOAD
from pytest_k6api.protocols.http.multiplexed import (
    HEAD_TOO_LARGE,
    MAX_HEAD,
    Fields,
    HeaderBlock,
    SharedBlocks,
    Violation,
    prefixed_number,
)

if TYPE_CHECKING:
    from qh3._hazmat import QpackDecoder

PREFIX = b"\0\0"
"""Before each section: that it refers to no dynamic table."""

_WHOLE = {
    (b":path", b"/"): 1,
    (b":method", b"DELETE"): 16,
    (b":method", b"GET"): 17,
    (b":method", b"HEAD"): 18,
    (b":method", b"OPTIONS"): 19,
    (b":method", b"POST"): 20,
    (b":method", b"PUT"): 21,
    (b":scheme", b"https"): 23,
    (b"accept", b"*/*"): 29,
    (b"accept-encoding", b"gzip, deflate, br"): 31,
    (b"content-type", b"application/json"): 46,
}
_NAMES = {
    b":authority": 0, b":path": 1, b"content-length": 4, b"cookie": 5, b"if-modified-since": 8,
    b"if-none-match": 9, b"referer": 13, b":method": 15, b"accept": 29, b"accept-encoding": 31,
    b"content-type": 44, b"range": 55, b"accept-language": 72, b"authorization": 84, b"origin": 90,
    b"user-agent": 95,
}  # fmt: skip


def encode_fields(fields: Fields) -> bytes:
    """Return the lines of `fields`, whose names are in lower case, without `PREFIX`."""
    return b"".join(_encode_field(name, value) for name, value in fields)


def _encode_field(name: bytes, value: bytes) -> bytes:
    index = _WHOLE.get((name, value))
    if index is not None:
        return prefixed_number(index, 6, 0xC0)
    index = _NAMES.get(name, -1)
    named = (
        prefixed_number(index, 4, 0x50)
        if index >= 0
        else prefixed_number(len(name), 3, 0x20) + name
    )
    return named + prefixed_number(len(value), 7, 0) + value


class FieldSections:
    """Reads the field sections of responses, for all connections of a load test."""

    __slots__ = ("_decoder", "_shared")

    def __init__(self) -> None:
        self._shared = SharedBlocks()
        self._decoder: QpackDecoder | None = None

    def __repr__(self) -> str:
        return f"<FieldSections: {self._shared!r}>"

    def read(self, wire: bytes) -> HeaderBlock:
        """Return what the section `wire` says.

        Raises:
            Violation: It cannot be decoded, or says too much.
        """
        known = self._shared.known.get(wire)
        if known is not None:
            return known
        block = HeaderBlock(wire, self._decode(wire), version=b"HTTP/3.0")
        self._shared.offer(block)
        return block

    def _decode(self, wire: bytes) -> tuple[tuple[bytes, bytes], ...]:
        from qh3._hazmat import HeaderTooLarge, QpackDecoder

        if self._decoder is None:
            self._decoder = QpackDecoder(0, 0, max_field_section_size=MAX_HEAD)
        try:
            _, fields = self._decoder.feed_header(0, wire)
        except HeaderTooLarge:
            raise Violation(EXCESSIVE_LOAD, HEAD_TOO_LARGE) from None
        except Exception as error:
            self._decoder = None
            raise Violation(DECOMPRESSION_FAILED, "fields that cannot be decoded") from error
        return tuple(fields)
