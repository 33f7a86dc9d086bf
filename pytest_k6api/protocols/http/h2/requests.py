"""What a request is in HTTP/2: its header block, made from the HTTP/1.1 head, once for all."""

from collections.abc import Callable
from typing import NamedTuple

from pytest_k6api.model import TRACE_HEADER
from pytest_k6api.protocols.http.h2.frames import END_HEADERS, END_STREAM, HEADERS, LEAST_FRAME
from pytest_k6api.protocols.http.h2.hpack import Fields, encode_block
from pytest_k6api.protocols.http.message.prepared import PreparedRequest

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
        start: The first bytes of the one frame that it fits in as a whole request;
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
    """

    __slots__ = ("_encode", "_scheme", "known")

    def __init__(self, *, is_tls: bool, encode: Callable[[Fields], bytes] = encode_block) -> None:
        self._encode = encode
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
        return _whole(rest.block + self._encode([field]), rest.size + _size_of(*field))

    def _of_head(self, head: bytes) -> RequestBlock:
        known = self.known.get(head)
        if known is None:
            if len(self.known) >= _MOST_BLOCKS:
                self.known.clear()
            known = self.known[head] = self._make(head)
        return known

    def _make(self, head: bytes) -> RequestBlock:
        fields = request_fields(head, self._scheme)
        return _whole(self._encode(fields), sum(_size_of(*field) for field in fields))


def _whole(block: bytes, size: int) -> RequestBlock:
    start = b""
    if len(block) <= LEAST_FRAME:
        start = b"%b%c%c" % (len(block).to_bytes(3), HEADERS, END_HEADERS | END_STREAM)
    return RequestBlock(block, size, start)


def _size_of(name: bytes, value: bytes) -> int:
    return len(name) + len(value) + _FIELD_OVERHEAD


def request_fields(head: bytes, scheme: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of HTTP/2 that say what the HTTP/1.1 `head` does."""
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
