"""A cache of plain response heads, so that the same bytes are not parsed again.

A server answers the same request with the same head, but for its ``Date``, which
changes once a second. Heads that differ each time, by a request id for instance,
cost one failed look-up. Pure.
"""

from typing import NamedTuple

# A new one comes each second for every URL; beyond that they are never seen again.
_MOST_HEADS = 1024
# Bytes. Longer ones would fill the memory, and do not come as a whole.
_LONGEST_HEAD = 8192


class PlainHead(NamedTuple):
    """The content of a head with nothing special in it.

    Attributes:
        status: The status, a 2xx.
        length: Bytes of the body that follows.
        is_last: Whether the connection ends behind it.
    """

    status: int
    length: int
    is_last: bool


KnownHeads = dict[bytes, PlainHead]
"""Plain heads by their bytes, up to and with the blank line."""


def is_plain(lowered: bytes) -> bool:
    """Return whether a head (in lower case) says nothing about its body but the length."""
    return (
        lowered.startswith(b"http/1.1 2")
        and len(lowered) <= _LONGEST_HEAD
        and b"\r\ncontent-length:" in lowered
        and b"\r\ntransfer-encoding:" not in lowered
        and b"\r\ncontent-encoding:" not in lowered
        and b"\r\nset-cookie:" not in lowered
    )


def remember(known: KnownHeads, head: bytes, says: PlainHead) -> None:
    """Keep what `head` says, and not more of them than will be seen again."""
    if len(known) >= _MOST_HEADS:
        known.clear()
    known[head] = says
