"""TCP sockets: when bytes arrived, as the kernel tells it, and whether a connection ended."""

import math
import socket
import struct
import sys
from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Protocol

Received = tuple[bytes, list[tuple[int, int, bytes]], int, Any]
"""The data, the ancillary data, the flags and the address that ``recvmsg`` returns."""

# Linux, SO_TIMESTAMPNS: each receipt tells the wall time at which the bytes came in
# from the network. Python does not name it, and a few architectures number it otherwise.
_TIMESTAMPS: int | None = 35 if sys.platform == "linux" else None
TIMESPEC = struct.Struct("@ll").unpack
"""Reads the seconds and nanoseconds of one item of ancillary data."""
ROOM_FOR_ARRIVAL = socket.CMSG_SPACE(struct.calcsize("@ll"))
"""Bytes of ancillary data to ask ``recvmsg`` for, so that `arrived_at` can read it."""


def tell_arrivals(sock: socket.socket) -> None:
    """Have the kernel tell when bytes arrive, if it can."""
    if _TIMESTAMPS is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)


class KernelClock:
    """The clock by which the kernel stamps what arrives.

    It is the wall clock, but asked of the kernel: what Python says may have been moved or
    frozen by a test (time-machine, freezegun).

    Attributes:
        offset: How much more it shows than perf_counter_ns; 0 where nothing is stamped.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._ends: tuple[socket.socket, socket.socket] | None = None
        if _TIMESTAMPS is not None:
            self._ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            tell_arrivals(self._ends[1])
            self.read()

    def read(self) -> None:
        """Set `offset` anew, for the wall clock is set now and then; takes 5 µs."""
        if self._ends is None:
            return
        sender, receiver = self._ends
        shortest = math.inf
        for _ in range(2):  # the quicker of two was hardly interrupted
            began = perf_counter_ns()
            sender.send(b".")
            _, told, _, _ = receiver.recvmsg(1, ROOM_FOR_ARRIVAL)
            took = perf_counter_ns() - began
            if told and took < shortest:
                shortest = took
                seconds, nanoseconds = TIMESPEC(told[0][2])
                self.offset = seconds * 1_000_000_000 + nanoseconds - began - took // 2

    def close(self) -> None:
        """Give the system's resources back."""
        for end in self._ends or ():
            end.close()


def arrived_at(told: bytes, now: int, offset: int, earliest: int) -> int:
    """Return when the bytes arrived that came with `told`.

    Args:
        told: The data of the one item of ancillary data that ``recvmsg`` gave.
        now: The time, in perf_counter_ns.
        offset: That of the `KernelClock`.
        earliest: The time before which they cannot have come.

    Returns:
        The time in perf_counter_ns; `now` if the wall clock was set in the meantime.
    """
    seconds, nanoseconds = TIMESPEC(told)
    arrived: int = seconds * 1_000_000_000 + nanoseconds - offset
    return arrived if earliest <= arrived <= now else now


class NonBlockingSocket(Protocol):
    """What a connection uses of its socket: `socket.socket`, or one with TLS over it."""

    def fileno(self) -> int:
        """Return the file descriptor."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Send the start of `data`; return how much of it."""

    def recv(self, size: int, /) -> bytes:
        """Receive up to `size` bytes, none at the end of the stream."""

    def recvmsg(self, size: int, ancillary_size: int, /) -> Received:
        """Receive as `recv` does, and learn when the bytes came in."""

    def close(self) -> None:
        """Close it at once."""


def receive(sock: NonBlockingSocket, size: int, offset: int, earliest: int) -> tuple[bytes, int]:
    """Return up to `size` bytes, none at the end of the stream, and when they came in.

    `offset` and `earliest` are those of `arrived_at`.

    Raises:
        OSError: There are none yet, or something is wrong.
    """
    data, told, _, _ = sock.recvmsg(size, ROOM_FOR_ARRIVAL)
    now = perf_counter_ns()
    return data, arrived_at(told[0][2], now, offset, earliest) if told else now


def has_ended(sock: socket.socket) -> bool:
    """Return whether the server closed the idle connection, or spoke unasked."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
