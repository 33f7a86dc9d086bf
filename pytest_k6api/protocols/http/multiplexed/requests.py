"""The header blocks of requests: made from the HTTP/1.1 head, once for all connections. Pure."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pytest_k6api.model import TRACE_HEADER
from pytest_k6api.protocols.http.message.prepared import PreparedRequest

Fields = Iterable[tuple[bytes, bytes]]
"""Names in lower case, and their values."""

# What belongs to a connection has no place in a request (RFC 9113, 8.2.2). Of ``TE`` only
# one value has; who sends the body says where it ends.
_OF_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade",
     b"http2-settings", b"host")
)  # fmt: skip
# Beyond it a cache starts anew: heads that differ each time would fill the memory.
_MOST_BLOCKS = 4096
_FIELD_OVERHEAD = 32


class RequestBlock(NamedTuple):
    """A request's header block.

    Attributes:
        block: The block.
        size: As the peer's limit on header lists counts.
        start: In HTTP/2 the first bytes of the one frame that it fits in as a whole request;
            ``b""`` if it does not.
    """

    block: bytes
    size: int
    start: bytes


class RequestBlocks:
    """The blocks of the requests of one load test.

    Attributes:
        known: Those that were asked for, by the head as HTTP/1.1 sends it.

    Args:
        is_tls: Whether the requests go over TLS.
        encode: Makes a block of fields.
        start_of: Makes the `start` of a block.
    """

    __slots__ = ("_encode", "_scheme", "_start_of", "known")

    def __init__(
        self,
        *,
        is_tls: bool,
        encode: Callable[[Fields], bytes],
        start_of: Callable[[bytes], bytes] = lambda _: b"",
    ) -> None:
        self._encode = encode
        self._start_of = start_of
        self.known: dict[bytes, RequestBlock] = {}
        self._scheme = b"https" if is_tls else b"http"

    def __repr__(self) -> str:
        return f"<RequestBlocks: {len(self.known)} for {self._scheme.decode()}>"

    def of(self, request: PreparedRequest) -> RequestBlock:
        """Return the block of `request`."""
        head = request.wire
        if request.content:
            head = head[: len(head) - len(request.content)]
        if not request.trace:
            return self._of_head(head)
        field = (TRACE_HEADER.encode(), request.trace.encode())
        before, line, after = head.partition(b"%b: %b\r\n" % field)
        if not line:  # the user's own, in other letters
            return self._of_head(head)
        # It is another each time, so that it has no place in what is made once.
        rest = self._of_head(before + after)
        block = rest.block + self._encode([field])
        return RequestBlock(block, rest.size + _size_of(*field), self._start_of(block))

    def _of_head(self, head: bytes) -> RequestBlock:
        known = self.known.get(head)
        if known is None:
            if len(self.known) >= _MOST_BLOCKS:
                self.known.clear()
            known = self.known[head] = self._make(head)
        return known

    def _make(self, head: bytes) -> RequestBlock:
        fields = request_fields(head, self._scheme)
        block = self._encode(fields)
        size = sum(_size_of(*field) for field in fields)
        return RequestBlock(block, size, self._start_of(block))


def _size_of(name: bytes, value: bytes) -> int:
    return len(name) + len(value) + _FIELD_OVERHEAD


def request_fields(head: bytes, scheme: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields that say what the HTTP/1.1 `head` does, pseudo-headers first."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = first.split(b" ")
    fields, authority, dropped = [], b"", _OF_CONNECTION
    pairs = [line.partition(b":") for line in lines]
    named = [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]
    for name, value in named:
        if name == b"connection":
            dropped |= {option.strip().lower() for option in value.split(b",")}
    for name, value in named:
        if name == b"host":
            authority = value
        elif name not in dropped and (name != b"te" or value.lower() == b"trailers"):
            fields.append((name, value))
    pseudo = [(b":method", method), (b":scheme", scheme), (b":path", target)]
    return [*pseudo, (b":authority", authority), *fields]


def prefixed_number(value: int, bits: int, pattern: int = 0) -> bytes:
    """Return `value` as HPACK and QPACK write numbers (RFC 7541, 5.1).

    Args:
        value: The number, from 0 on.
        bits: How many bits of the first byte it has.
        pattern: The other bits of that.
    """
    most = (1 << bits) - 1
    if value < most:
        return bytes([pattern | value])
    digits = [pattern | most]
    value -= most
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
