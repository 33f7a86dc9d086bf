"""A worker's end of the line to its controller: two threads beside the main one.

The reading thread answers echo requests, so that a worker whose loop is blocked by user code
is known to live, and so that the clock is measured apart from the loop's lateness. The
writing thread sends what the line does not take at once, so that the loop never waits for
a controller that is behind; what it takes goes from the thread that has it, without waiting
for another that wants the interpreter. And the loop watches the line, so that the reading thread
has the interpreter soon after something came.

When the line breaks without a `Leave`, the controller is gone: the worker has
`LEAVING_TIME` to end by itself, and `FAREWELL_TIME` after a `Leave`, should the controller
not live to see its end. Then its process ends, and all that it has started.
"""

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import trio

from pytest_k6api.distributed.frames import MessageReader, decode_to_worker, encode
from pytest_k6api.distributed.messages import (
    Echo,
    Echoed,
    Leave,
    MessageError,
    ToController,
    ToWorker,
)
from pytest_k6api.quick_switches import quick_switches

LEAVING_TIME = 10.0
"""Seconds that a worker without a controller has to end by itself."""

FAREWELL_TIME = 40.0
"""Seconds that a worker has for the teardown of its fixtures; the controller ends it earlier."""

_CHUNK = 262_144
_MOMENT = 0.02
"""Seconds in which the reading thread takes what came."""
_ABANDONED = 70  # the exit code


class WorkerLink:
    """Sends to the controller, and keeps what it sends until somebody receives it.

    Args:
        line: The worker's end of the line.
        leave: Ends the process when it does not end by itself; None to end its group.
    """

    def __init__(self, line: socket.socket, leave: Callable[[int], object] | None = None) -> None:
        self._line = line
        self._leave = leave or _end_all
        self._outbox: deque[bytes] = deque()
        self._writing = threading.Condition()
        self._inbox: deque[ToWorker] = deque()
        self._arrived = threading.Condition()
        self._wake: Callable[[], object] = _nobody_waits
        self._has_ended = False

    def start(self) -> None:
        """Read and write from now on."""
        for work in (self._keep_reading, self._keep_writing):
            threading.Thread(target=work, name=f"k6-worker{work.__name__}", daemon=True).start()

    def send(self, message: ToController) -> None:
        """Send `message`, or have it sent soon; from any thread."""
        frame = encode(message)
        with self._writing:
            if not self._outbox:
                frame = frame[self._send_now(frame) :]
            if frame:
                self._outbox.append(frame)
                self._writing.notify_all()

    def flush(self, patience: float = 5.0) -> None:
        """Wait until all that was sent is on its way, before the process ends."""
        with self._writing:
            self._writing.wait_for(lambda: not self._outbox, patience)

    def wait_for_message(self) -> ToWorker | None:
        """Return the next message, waited for outside of loops; None once the line is broken."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._inbox or self._has_ended)
            return self._inbox.popleft() if self._inbox else None

    async def receive(self) -> ToWorker | None:
        """Return the next message, waited for in a loop; None once the line is broken."""
        await trio.lowlevel.checkpoint()
        token = trio.lowlevel.current_trio_token()
        while True:
            with self._arrived:
                if self._inbox or self._has_ended:
                    return self._inbox.popleft() if self._inbox else None
                event = trio.Event()
                self._wake = partial(token.run_sync_soon, event.set)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hasten)
                await event.wait()
                nursery.cancel_scope.cancel()

    async def _hasten(self) -> None:
        """Let the reading thread have the interpreter soon after something came, until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._line)
            with quick_switches():
                await trio.sleep(_MOMENT)

    def _keep(self, *messages: ToWorker) -> None:
        with self._arrived:
            self._inbox += messages
            self._has_ended = self._has_ended or not messages
            wake, self._wake = self._wake, _nobody_waits
            self._arrived.notify_all()
        with suppress(trio.RunFinishedError):
            wake()

    def _keep_reading(self) -> None:
        frames, is_leaving = MessageReader(), False
        try:
            while data := self._line.recv(_CHUNK):
                for message in map(decode_to_worker, frames.feed(data)):
                    if isinstance(message, Echo):
                        now, wall = time.perf_counter(), time.time()
                        self.send(Echoed(number=message.number, at=now, wall=wall))
                    else:
                        is_leaving = is_leaving or isinstance(message, Leave)
                        self._keep(message)
        except (OSError, MessageError):
            pass  # as the end of the line: there is no controller to talk to
        self._keep()
        time.sleep(FAREWELL_TIME if is_leaving else LEAVING_TIME)
        self._leave(_ABANDONED)

    def _send_now(self, frame: bytes) -> int:
        """Return how many bytes of `frame` the line took, which may be none."""
        try:
            return self._line.send(frame, socket.MSG_DONTWAIT)
        except OSError:
            return 0  # it is full, or broken, which the writing thread sees

    def _keep_writing(self) -> None:
        try:
            while True:
                with self._writing:
                    self._writing.wait_for(lambda: self._outbox)
                    frame = self._outbox[0]
                self._line.sendall(frame)
                with self._writing:
                    self._outbox.popleft()  # until now, nothing else was to be sent
                    self._writing.notify_all()
        except OSError:
            return  # the reading thread sees it too


def _end_all(exit_code: int) -> None:
    """End this process, and all that it has started, if it leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(exit_code)


def _nobody_waits() -> None:
    pass
