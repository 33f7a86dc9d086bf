"""Ctrl-C, SIGTERM and SIGHUP: the first ends a load test properly, the second at once.

Python's own handler would raise KeyboardInterrupt somewhere inside Trio and lose
the results; this one calls a function in the load test's loop. It raises
KeyboardInterrupt only if the loop is blocked, or after the last step.

Code that swallows KeyboardInterrupt again and again, under a bare ``except:``, cannot be ended.
Then the process is, as pytest-timeout does it: nobody is left who could unwind it.

Between load tests SIGTERM and SIGHUP end the pytest session as Ctrl-C does. A
signal that is ignored, as under ``nohup``, or that has another handler keeps it;
so does every signal in a forked child.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import trio

from pytest_k6api.vu import format_location, is_users

_TOGETHER = 0.1  # seconds; `timeout` sends its signal twice
_MOST_SWALLOWED = 20
_INTERRUPTED = 2  # pytest's exit code
_TRIO = str(Path(trio.__file__).parent)

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}

Handle = Callable[[int, FrameType | None], object]


class RepeatedSignal:
    """A signal that the main thread gets ten times a second, from `start` until `stop`.

    If one call in user code goes on however often KeyboardInterrupt was raised, for some seconds,
    the process ends.

    Attributes:
        raised: How often it was.

    Args:
        tell: Called with a sentence for the terminal before that.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.raised = 0
        self._tell = tell
        self._thread: threading.Thread | None = None
        self._is_over = False

    def start(self, number: int) -> None:
        """Begin to send it; does nothing from the second call on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._repeat, args=(number,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send it no more; one that is under way ends here."""
        with suppress(KeyboardInterrupt):
            self._is_over = True
            if self._thread is not None:
                self._thread.join()

    def _repeat(self, number: int) -> None:
        main = threading.main_thread().ident
        assert main is not None
        lasting: list[FrameType] = []
        before = 0
        while True:
            time.sleep(_TOGETHER)
            if self._is_over:
                return
            frames = _users_frames(main)
            lasting = [frame for frame in frames if frame in lasting]
            if not lasting:
                lasting, before = frames, self.raised
            if self.raised - before >= _MOST_SWALLOWED:
                self._end_process(lasting[0])
            signal.pthread_kill(main, number)

    def _end_process(self, frame: FrameType) -> None:
        place = format_location(frame.f_code.co_filename, frame.f_lineno)
        text = (
            f"{place} blocks the event loop and swallows KeyboardInterrupt, as a bare except: does;"
            " ending the process without results; write except Exception:"
        )
        try:
            self._tell(text)
        finally:
            os._exit(_INTERRUPTED)


def _users_frames(thread: int) -> list[FrameType]:
    """Return the frames of user code that `thread` is in within Trio, the innermost first."""
    found = []
    frame = sys._current_frames().get(thread)
    while frame is not None and not frame.f_code.co_filename.startswith(_TRIO):
        if is_users(frame.f_code.co_filename):
            found.append(frame)
        frame = frame.f_back
    return found if frame is not None else []


@contextmanager
def interrupts(
    *steps: Callable[[str], object], repeated: RepeatedSignal | None = None
) -> Iterator[None]:
    """Call one of `steps` in the running Trio loop for each signal, with its name.

    Enter it inside ``trio.run``, in the main thread; elsewhere it does nothing.

    Args:
        steps: One for each signal; later ones raise KeyboardInterrupt.
        repeated: Repeats a signal that raised, until the context is left.
    """
    token, now = trio.lowlevel.current_trio_token(), trio.lowlevel.current_clock().current_time
    asked = taken = 0

    def take(step: Callable[[str], object], name: str) -> None:
        nonlocal taken
        taken += 1
        step(name)

    def handle(number: int, _frame: FrameType | None) -> None:
        __tracebackhide__ = True  # pytest shows the line that was interrupted
        nonlocal asked
        # The first two wait for the loop, however long it is blocked.
        if asked >= len(steps) or (asked > 1 and taken < asked):
            if repeated is not None:
                repeated.raised += 1
                repeated.start(number)
            raise KeyboardInterrupt
        token.run_sync_soon(take, steps[asked], _NAMES[signal.Signals(number)])
        asked += 1

    with _handled_by(handle, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), now):
        try:
            yield
        finally:
            if repeated is not None:
                repeated.stop()


@contextmanager
def signals_end_session() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the pytest session as Ctrl-C does."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        __tracebackhide__ = True
        raise KeyboardInterrupt

    with _handled_by(handle, (signal.SIGTERM, signal.SIGHUP), time.monotonic):
        yield


class _Handler:
    """Calls `handle` once for signals that come together, and in this process alone."""

    def __init__(self, handle: Handle, now: Callable[[], float]) -> None:
        self._handle = handle
        self._now = now
        self._heard_at = -math.inf
        self._process = os.getpid()
        self.before: dict[int, Any] = {}

    def __call__(self, number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if os.getpid() != self._process:
            # A forked child, such as a server that a fixture ends with SIGTERM.
            signal.signal(number, self.before[number])
            signal.raise_signal(number)
            return
        now = self._now()
        if now - self._heard_at >= _TOGETHER:
            self._heard_at = now
            self._handle(number, frame)


@contextmanager
def _handled_by(
    handle: Handle, numbers: Sequence[signal.Signals], now: Callable[[], float]
) -> Iterator[None]:
    handler = _Handler(handle, now)
    is_main = threading.current_thread() is threading.main_thread()
    try:
        for number in numbers if is_main else ():
            before = signal.getsignal(number)
            # Ctrl-C is always ours; other handlers of the other two stay.
            if number is signal.SIGINT or before is signal.SIG_DFL or isinstance(before, _Handler):
                handler.before[number] = signal.signal(number, handler)
        yield
    finally:
        for caught, before in handler.before.items():
            signal.signal(caught, before)
