"""Carriers: what brings frames to a worker and back, and ends it. Here a process of this machine.

Trio is imported when there is a loop: a process is started as soon as it is known to be
needed, so that it imports while this one does.

A `WorkerCarrier` is all that the rest knows of where a worker runs. Bytes go in order and
whole; nothing is looked into. It outlives load tests, and so the loops that use it.
"""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from pytest_k6api.model import K6ApiError

_CHUNK = 262_144
END_OF_PROCESS = 0.5
"""Seconds by which the end of a process may come after that of its line."""

_MOST_OUTPUT = 8_192


class CarrierError(K6ApiError):
    """A worker cannot be reached any more."""


class AgentGoneError(CarrierError):
    """A machine cannot be reached any more."""


class WorkerCarrier(Protocol):
    """The way to one worker, and power over its process."""

    @property
    def name(self) -> str:
        """Where the worker runs, for people."""

    async def send(self, frame: bytes) -> None:
        """Send a whole frame.

        Raises:
            CarrierError: The worker is gone.
        """

    async def receive(self) -> bytes:
        """Return the next bytes from the worker; at least one.

        Raises:
            CarrierError: The worker is gone; with how its process ended, and what it said
                last, if that is known.
        """

    def kill(self) -> None:
        """End the worker's process and all that it has started, at once; harmless after its end."""

    def close(self, farewell: bytes) -> None:
        """Send the frame `farewell`, if it can be sent, and then no more; outside of loops."""

    def wait(self, patience: float) -> bool:
        """Wait until the process has ended, outside of loops; return whether it has."""


class LocalProcess:
    """A worker in a process of this machine, over a socket pair.

    It has a session of its own, so that Ctrl-C reaches the controller alone.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", line: socket.socket, output: IO[bytes] | None
    ) -> None:
        self._process = process
        self._line = line
        self._output = output
        line.setblocking(False)

    @property
    def name(self) -> str:
        """The process id."""
        return f"process {self._process.pid}"

    async def send(self, frame: bytes) -> None:
        """Send a whole frame."""
        import trio

        rest = memoryview(frame)
        line = trio.socket.from_stdlib_socket(self._line)
        try:
            while rest:
                rest = rest[await line.send(rest) :]
        except (OSError, trio.ClosedResourceError) as error:
            raise CarrierError(str(error)) from None

    async def receive(self) -> bytes:
        """Return the next bytes from the worker."""
        import trio

        data = b""
        with suppress(OSError, trio.ClosedResourceError):
            data = await trio.socket.from_stdlib_socket(self._line).recv(_CHUNK)
        if not data:
            raise CarrierError(await self._epitaph())
        return data

    def kill(self) -> None:
        """End the process, and those in its session, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._hang_up()

    def close(self, farewell: bytes) -> None:
        """Send the frame `farewell`, if it can be sent, and then no more."""
        with suppress(OSError):
            self._line.send(farewell)
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def wait(self, patience: float) -> bool:
        """Wait until the process has ended, for `patience` seconds at most."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
            self._line.close()
            if self._output is not None:
                self._output.close()
            return True
        return False

    @property
    def line(self) -> socket.socket:
        """The controller's end of the line."""
        return self._line

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    async def _epitaph(self) -> str:
        import trio

        with trio.move_on_after(END_OF_PROCESS):  # which comes a moment after the line's
            while not self.has_ended:  # noqa: ASYNC110 - a process is no event
                await trio.sleep(0.01)
        return self.epitaph()

    def epitaph(self) -> str:
        """Return how the process ended, and what it said last."""
        code = self._process.poll()
        if code is None:
            return "it closed its line"
        how = f"killed by {_signal_name(-code)}" if code < 0 else f"it ended with exit code {code}"
        said = self._last_line()
        return f"{how}; its last line was: {said}" if said else how

    def _last_line(self) -> str:
        if self._output is None or self._output.closed:  # the process was waited for
            return ""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _MOST_OUTPUT))
        lines = self._output.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def start_process(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    line_variable: str,
    folder: Path,
    keeps_output: bool,
) -> LocalProcess:
    """Start a worker.

    Args:
        command: Its command line.
        environment: Its environment.
        line_variable: The variable that tells it the number of its end of the line.
        folder: Its working directory.
        keeps_output: Whether what it writes as errors is kept, to tell how it ended, and all
            else is dropped; otherwise both go where this process' output goes.

    Raises:
        CarrierError: It cannot be started.
    """
    ours, theirs = socket.socketpair()
    # Closed with the worker.
    output = tempfile.TemporaryFile() if keeps_output else None  # noqa: SIM115
    try:
        with theirs:
            process = subprocess.Popen(
                command,
                env={**environment, line_variable: str(theirs.fileno())},
                cwd=folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if keeps_output else None,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        ours.close()
        raise CarrierError(f"cannot start a worker: {error}") from None
    return LocalProcess(process, ours, output)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
