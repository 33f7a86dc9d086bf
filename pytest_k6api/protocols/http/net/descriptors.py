"""File descriptors: the limit of the process, and how many connections fit into it.

Each connection of a virtual user takes one. The last ones are left to the rest of
the process: without a descriptor the control API cannot accept, no result file can
be written, and no traceback can show its source. The kernel gives out the lowest
free number, so a number near the limit says that few are left, and nothing has to
be counted.
"""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MOST_RESERVED: Final = 32
_PLENTY: Final = 65_536


@contextmanager
def raised_descriptor_limit() -> Iterator[None]:
    """Raise the soft limit as far as the hard one allows, 65,536 at most; then restore it.

    Source: Go 1.24, ``os/rlimit.go``: k6 and all other programs in Go do so at their start.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _PLENTY if hard == resource.RLIM_INFINITY else min(hard, _PLENTY)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        yield
        return
    while wanted > soft:  # macOS says that there is no hard limit, and has one
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
        wanted //= 2
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_reserved_descriptor() -> int:
    """Return the lowest descriptor that no connection may have."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = 2**31
    return limit - min(_MOST_RESERVED, limit // 8)


def check_descriptor(sock: socket.socket, first_reserved: int) -> None:
    """Leave the last descriptors to others.

    Raises:
        OSError: `sock` has one of them.
    """
    if sock.fileno() >= first_reserved:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class ConnectionRoom:
    """How many virtual users can have a connection, looked at whenever there are more of them.

    Attributes:
        warnings: The latest sentence about a limit that is too low; empty without one.
    """

    __slots__ = ("_most", "_others", "warnings")

    def __init__(self) -> None:
        self.warnings: tuple[str, ...] = ()
        self._most = 0
        # What was open before any connection.
        self._others: int | None = None

    def __repr__(self) -> str:
        return f"<ConnectionRoom {'too small' if self.warnings else 'enough'} for {self._most} VUs>"

    def check(self, vus: int) -> str | None:
        """Return the sentence if some of `vus` have no room, unless as many were told of before."""
        if vus <= self._most:
            return None
        self._most = vus
        if self._others is None:
            self._others = sum(1 for _ in Path("/dev/fd").iterdir())
        fitting = first_reserved_descriptor() - self._others
        if vus <= fitting:
            return None
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        enough = vus + self._others + _MOST_RESERVED
        shortage = (
            f"open files are limited to {limit:,}: {fitting:,} of {vus:,} VUs can have a connection"
            f" at a time, requests of the others fail; raise the limit with 'ulimit -n {enough}' or"
            " more"
        )
        self.warnings = (shortage,)
        return shortage
