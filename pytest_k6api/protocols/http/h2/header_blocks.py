"""What responses' header blocks say, looked up by their bytes wherever that is sound.

To decode a block takes longer than all else that is done to a small response. A block is
one of four kinds, by `classify`:

| refers to the dynamic table | changes it | what is done |
|---|---|---|
| no | no | it means the same everywhere: kept for all connections |
| no | yes | likewise (nginx); what it adds to the table is made up for before the next decoding |
| yes | no | it means the same until the table changes: kept for its connection (Go, h2o) |
| yes | yes | decoded each time |

A block is kept for all when it is seen the second time, because many come only once. HPACK
itself is `jh2`'s, which is imported when a block is first decoded.
"""

import re
from collections import deque
from typing import TYPE_CHECKING

from pytest_k6api.protocols.http.h2.errors import COMPRESSION_ERROR, PROTOCOL_ERROR, Violation
from pytest_k6api.protocols.http.h2.hpack import classify
from pytest_k6api.protocols.http.message.errors import head_too_large

if TYPE_CHECKING:
    from jh2._hazmat import Decoder

MAX_HEAD = 128 * 1024
"""Bytes of a response's fields, encoded or not; see `pytest_k6api.protocols.http.h1`."""

# Entries that the table can have: 4096 bytes, of which each takes 32 and more.
_MOST_ENTRIES = 128
_MOST_SHARED = 1024
_MOST_OWN = 16
_MOST_SEEN = 8192

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_BAD_NAME = "a header name with other characters than it may have"


class HeaderBlock:
    """What one block says: a response's head, or its trailers.

    Attributes:
        wire: The block.
        changes: Whether it changes the dynamic table.
        refers: Whether it refers to the dynamic table as it was before.
        fields: All fields.
        status: The status; 0 for trailers.
        head: The same as an HTTP/1.1 head.
        lowered: The head in lower case.
        is_plain: Whether it names no encoding of the body and sets no cookies.
        length: Bytes that the body has; -1 where it does not say.
        flaw: Why it cannot be taken; ``""`` if it can.
    """

    __slots__ = (
        "changes", "fields", "flaw", "head", "is_plain", "length", "lowered",
        "refers", "status", "wire",
    )  # fmt: skip

    def __init__(
        self,
        wire: bytes,
        fields: tuple[tuple[bytes, bytes], ...],
        *,
        refers: bool = False,
        changes: bool = False,
    ) -> None:
        self.wire, self.fields = wire, fields
        self.refers, self.changes = refers, changes
        self.status = 0
        self.head = self.lowered = b""
        self.is_plain = False
        self.length = -1
        self.flaw = self._read()

    def __repr__(self) -> str:
        return f"<HeaderBlock {self.flaw or self.status or 'of trailers'}>"

    def _read(self) -> str:
        """Set the attributes; return the flaw, if there is one."""
        fields = self.fields
        if fields and fields[0][0] == b":status":
            text = fields[0][1]
            if not _STATUS.fullmatch(text):
                return "a status that is no number of three digits"
            self.status = int(text)
            fields = fields[1:]
        for name, value in fields:
            if not _NAME.fullmatch(name):
                is_pseudo = name.startswith(b":")
                return "a pseudo-header out of place" if is_pseudo else _BAD_NAME
            if _FORBIDDEN.search(value):
                return "a header value with control characters"
            if name == b"content-length" and _LENGTH.fullmatch(value):
                self.length = int(value)
        lines = [b"%b: %b\r\n" % field for field in fields]
        self.head = b"HTTP/2.0 %d\r\n%b\r\n" % (self.status, b"".join(lines))
        self.lowered = self.head.lower()
        names = {name for name, _ in fields}
        self.is_plain = names.isdisjoint((b"content-encoding", b"set-cookie"))
        return ""


class SharedBlocks:
    """The blocks that mean the same in all connections of a load test."""

    __slots__ = ("_seen", "known")

    def __init__(self) -> None:
        self.known: dict[bytes, HeaderBlock] = {}
        self._seen: set[int] = set()

    def __repr__(self) -> str:
        return f"<SharedBlocks: {len(self.known)}>"

    def offer(self, block: HeaderBlock) -> None:
        """Keep `block`, if it was seen before."""
        mark = hash(block.wire)
        if mark not in self._seen:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen.add(mark)
            return
        if len(self.known) >= _MOST_SHARED:
            self.known.clear()
        self.known[block.wire] = block


class ResponseBlocks:
    """Reads the header blocks of one connection, in their order."""

    __slots__ = ("_decoder", "_deferred", "_own", "_shared")

    def __init__(self, shared: SharedBlocks) -> None:
        self._shared = shared
        self._own: dict[bytes, HeaderBlock] = {}
        self._decoder: Decoder | None = None
        # Blocks that were looked up, and whose entries the decoder's table lacks.
        self._deferred: deque[bytes] | None = None

    def __repr__(self) -> str:
        return f"<ResponseBlocks with {len(self._own)} of its own>"

    def read(self, block: bytes) -> HeaderBlock:
        """Return what `block` says.

        Raises:
            Violation: It cannot be decoded, or says too much.
        """
        known = self._shared.known.get(block)
        if known is not None:
            if known.changes:
                self.pass_over(known)
            return known
        return self._own.get(block) or self._decode(block)

    def pass_over(self, block: HeaderBlock) -> None:
        """Take note of a block that was not decoded, though it changes the table."""
        if self._deferred is None:
            self._deferred = deque(maxlen=_MOST_ENTRIES)
        self._deferred.append(block.wire)
        if self._own:
            self._own.clear()

    def _decode(self, wire: bytes) -> HeaderBlock:
        refers, changes = classify(wire)
        block = HeaderBlock(wire, self._fields(wire), refers=refers, changes=changes)
        if changes:
            self._own.clear()
        if not refers:
            self._shared.offer(block)
        elif not changes:
            if len(self._own) >= _MOST_OWN:
                self._own.clear()
            self._own[wire] = block
        return block

    def _fields(self, wire: bytes) -> tuple[tuple[bytes, bytes], ...]:
        from jh2._hazmat import Decoder, HPACKError, OversizedHeaderListError

        if self._decoder is None:
            self._decoder = Decoder(MAX_HEAD)
        try:
            if self._deferred:
                for earlier in self._deferred:
                    self._decoder.decode(earlier, True)
                self._deferred.clear()
            fields = self._decoder.decode(wire, True)
        except OversizedHeaderListError:
            raise too_large() from None
        except HPACKError as error:
            raise Violation(COMPRESSION_ERROR, "a header block that cannot be decoded") from error
        return tuple((name, value) for name, value, _ in fields)


def too_large() -> Violation:
    """Return what ends a connection whose peer sends too many header fields."""
    failure = head_too_large(MAX_HEAD)
    return Violation(PROTOCOL_ERROR, failure.text, failure)
