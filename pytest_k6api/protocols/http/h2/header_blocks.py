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

from collections import deque
from typing import TYPE_CHECKING

from pytest_k6api.protocols.http.h2.errors import COMPRESSION_ERROR, ENHANCE_YOUR_CALM
from pytest_k6api.protocols.http.h2.frames import END_HEADERS
from pytest_k6api.protocols.http.h2.hpack import classify
from pytest_k6api.protocols.http.multiplexed import (
    HEAD_TOO_LARGE,
    MAX_HEAD,
    PROTOCOL_ERROR,
    HeaderBlock,
    SharedBlocks,
    Violation,
)

if TYPE_CHECKING:
    from jh2._hazmat import Decoder


# Entries that the table can have: 4096 bytes, of which each takes 32 and more.
_MOST_ENTRIES = 128
_MOST_OWN = 16


class UnfinishedBlock:
    """A header block that goes on in CONTINUATION frames.

    Attributes:
        stream_id: Its stream.
        flags: Those of its HEADERS frame.
        block: What has come of it.
    """

    __slots__ = ("block", "flags", "stream_id")

    def __init__(self, stream_id: int, flags: int, block: bytes) -> None:
        self.stream_id, self.flags, self.block = stream_id, flags, bytearray(block)

    def add(self, flags: int, payload: bytes) -> None:
        """Add the content of a CONTINUATION frame.

        Raises:
            Violation: The block is too large, or the frame makes work without end.
        """
        self.block += payload
        if len(self.block) > MAX_HEAD:
            raise Violation(PROTOCOL_ERROR, HEAD_TOO_LARGE)
        if not payload and not flags & END_HEADERS:
            raise Violation(ENHANCE_YOUR_CALM, "CONTINUATION with nothing in it")


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
            raise Violation(PROTOCOL_ERROR, HEAD_TOO_LARGE) from None
        except HPACKError as error:
            raise Violation(COMPRESSION_ERROR, "a header block that cannot be decoded") from error
        return tuple((name, value) for name, value, _ in fields)
