"""Header blocks of HTTP/2 (HPACK): how requests are written, and what kind a block is.

A request's block never refers to the dynamic table, which stays empty: static indexes and
literals without indexing mean the same in every connection, so a block is made once for all.

Pure (RFC 7541).
"""

from pytest_k6api.protocols.http.h2.errors import COMPRESSION_ERROR
from pytest_k6api.protocols.http.multiplexed import Fields, Violation, prefixed_number

NO_TABLE = b"\x20"
"""Before a connection's first block: that its encoder keeps no dynamic table."""

_WHOLE = {
    (b":method", b"GET"): 2,
    (b":method", b"POST"): 3,
    (b":path", b"/"): 4,
    (b":scheme", b"http"): 6,
    (b":scheme", b"https"): 7,
}
_NAMES = {
    b":authority": 1, b":method": 2, b":path": 4, b":scheme": 6, b"accept-encoding": 16,
    b"accept-language": 17, b"accept": 19, b"authorization": 23, b"cache-control": 24,
    b"content-length": 28, b"content-type": 31, b"cookie": 32, b"range": 50,
    b"referer": 51, b"user-agent": 58,
}  # fmt: skip

_LAST_STATIC = 61
# Of a number, behind its prefix: 28 bits are more than any block has bytes.
_MOST_DIGITS = 4


def encode_block(fields: Fields) -> bytes:
    """Return the block of `fields`, whose names are in lower case."""
    return b"".join(_encode_field(name, value) for name, value in fields)


def _encode_field(name: bytes, value: bytes) -> bytes:
    index = _WHOLE.get((name, value))
    if index is not None:
        return bytes([0x80 | index])
    index = _NAMES.get(name, 0)
    literal = prefixed_number(index, 4) if index else b"\0%b" % _string(name)
    return literal + _string(value)


def _string(text: bytes) -> bytes:
    return prefixed_number(len(text), 7) + text


def classify(block: bytes) -> tuple[bool, bool]:
    """Return whether `block` refers to the dynamic table, and whether it changes that.

    It is walked over by its lengths; nothing is decoded. A change of the table's size is both.

    Raises:
        Violation: It ends within a field.
    """
    position, refers, changes = 0, False, False
    try:
        while position < len(block):
            first = block[position]
            if first & 0x80:
                index, position = _read_number(block, position, 7)
            elif first & 0xE0 == 0x20:
                _, position = _read_number(block, position, 5)
                index, changes = _LAST_STATIC + 1, True
            else:
                index, position = _read_number(block, position, 6 if first & 0x40 else 4)
                changes = changes or bool(first & 0x40)
                for _ in range(1 if index else 2):
                    length, position = _read_number(block, position, 7)
                    position += length
            refers = refers or index > _LAST_STATIC
    except IndexError:
        position = len(block) + 1
    if position > len(block):
        raise Violation(COMPRESSION_ERROR, "a header block that ends within a field")
    return refers, changes


def _read_number(block: bytes, position: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value = block[position] & most
    position += 1
    if value < most:
        return value, position
    for shift in range(0, 7 * _MOST_DIGITS, 7):
        digit = block[position]
        position += 1
        value += (digit & 0x7F) << shift
        if digit < 0x80:
            return value, position
    raise Violation(COMPRESSION_ERROR, "a number of a header block without end")
