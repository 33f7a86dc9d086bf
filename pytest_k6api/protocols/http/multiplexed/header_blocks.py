"""What a header block says once it is decoded, and those that mean the same in all connections. Pure."""

import re

from pytest_k6api.protocols.http.message.errors import head_too_large

MAX_HEAD = 128 * 1024
"""Bytes of a response's fields, encoded or not; see `pytest_k6api.protocols.http.h1`."""
HEAD_TOO_LARGE = head_too_large(MAX_HEAD)
"""What a request is told whose response has more."""

_MOST_SHARED = 1024
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
        version: bytes = b"HTTP/2.0",
    ) -> None:
        self.wire, self.fields = wire, fields
        self.refers, self.changes = refers, changes
        self.status = 0
        self.head = self.lowered = b""
        self.is_plain = False
        self.length = -1
        self.flaw = self._read(version)

    def __repr__(self) -> str:
        return f"<HeaderBlock {self.flaw or self.status or 'of trailers'}>"

    def _read(self, version: bytes) -> str:
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
        self.head = b"%b %d\r\n%b\r\n" % (version, self.status, b"".join(lines))
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
