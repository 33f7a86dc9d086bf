"""Sleeps shorter than a millisecond, below the resolution of epoll and so of `trio.sleep`.

Thousands of arrivals a second are due fractions of a millisecond apart. Linux has
timerfd, a timer in nanoseconds that is a file descriptor; Python wraps it since 3.13,
before that it is called through ctypes. Such a sleep also needs no cancel scope, which
would cost more than everything else that starts an iteration.

Elsewhere `HighResolutionTimer.is_available` is False: kqueue, by which Trio sleeps on
macOS, has that resolution itself.
"""

import os
import sys
import time

import trio


class HighResolutionTimer:
    """Timer of one task; must be closed."""

    is_available = sys.platform == "linux"

    def __init__(self) -> None:
        self._fd = _create()

    def __repr__(self) -> str:
        return f"<HighResolutionTimer fd={self._fd}>"

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`; execute a checkpoint if that is 0 or less."""
        if seconds <= 0:
            await trio.lowlevel.checkpoint()
            return
        _start(self._fd, max(1, round(seconds * 1e9)))
        await trio.lowlevel.wait_readable(self._fd)

    def close(self) -> None:
        """Close the file descriptor."""
        trio.lowlevel.notify_closing(self._fd)
        os.close(self._fd)


if sys.version_info >= (3, 13):

    def _create() -> int:
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

    def _start(fd: int, nanoseconds: int) -> None:
        os.timerfd_settime_ns(fd, initial=nanoseconds)

else:
    import ctypes

    # The kernel's numbers, the same on all architectures with Python wheels.
    _FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
    _library = ctypes.CDLL(None, use_errno=True)

    # struct itimerspec: interval, 0 for once, and value.
    _Setting = ctypes.c_long * 4

    def _create() -> int:
        fd: int = _library.timerfd_create(time.CLOCK_MONOTONIC, _FLAGS)
        if fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return fd

    def _start(fd: int, nanoseconds: int) -> None:
        setting = _Setting(0, 0, *divmod(nanoseconds, 1_000_000_000))
        _library.timerfd_settime(fd, 0, ctypes.byref(setting), None)
