"""The agent of a controller on one worker of a Dask cluster: starts worker processes, relays their lines.

Dask imports it there, and keeps it as an actor. It knows nothing of load tests: it passes
bytes on. Processes whose controller is silent for `SILENCE` seconds are ended, and so
are all when Dask lets the actor go.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_k6api.distributed.carriers import (
    END_OF_PROCESS,
    CarrierError,
    LocalProcess,
    start_process,
)
from pytest_k6api.distributed.shipped_suite import unpack_suite

SILENCE = 15.0
"""Seconds without a call of the controller after which its processes are ended."""

_CHUNK = 262_144
_PATIENCE = 1.0  # seconds that a `read` waits for bytes
_PERIOD = 0.05


class ClusterAgent:
    """Worker processes of one controller, on the machine of one worker of the cluster.

    Methods that the controller calls are coroutines: Dask runs them at once, beside others.
    """

    def __init__(self) -> None:
        self._processes: dict[int, _Relay] = {}
        self._folder: Path | None = None

    def __del__(self) -> None:
        for relay in self._processes.values():
            relay.process.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def unpack(self, archive: bytes) -> str:
        """Unpack a shipped suite into a fresh folder; return where that is.

        Raises:
            CarrierError: It has other members than files and folders below its own.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="k6-suite-"))
        await asyncio.to_thread(unpack_suite, archive, self._folder)
        return str(self._folder)

    async def start(
        self,
        number: int,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        line_variable: str,
        folder: str,
        *,
        keeps_output: bool,
    ) -> str:
        """Start the worker `number`: Python of this machine, with `arguments`.

        Raises:
            CarrierError: It cannot be started.
        """
        if not await asyncio.to_thread(Path(folder).is_dir):
            raise CarrierError(
                f"{socket.gethostname()} has no folder {folder!r}; give it the suite at the same"
                " place, or ship it with --k6-ship"
            )
        process = start_process(
            [sys.executable, *arguments],
            environment={**os.environ, **environment},
            line_variable=line_variable,
            folder=Path(folder),
            keeps_output=keeps_output,
        )
        relay = self._processes[number] = _Relay(process)
        relay.begin()
        return f"{process.name} on {socket.gethostname()}"

    async def write(self, number: int, frames: bytes) -> bool:
        """Send `frames` to the process; return False if it is gone."""
        return await self._processes[number].write(frames)

    async def read(self, number: int) -> tuple[bytes, str | None]:
        """Return bytes from the process, none if there are none for a while; and how it ended."""
        return await self._processes[number].read()

    async def end(self, number: int, farewell: bytes) -> None:
        """Send `farewell`, if it can be sent, and hang up."""
        relay = self._processes[number]
        await relay.write(farewell)
        with contextlib.suppress(OSError):
            relay.line.shutdown(socket.SHUT_WR)

    async def kill(self, number: int) -> None:
        """End the process and all that it has started, at once."""
        self._processes[number].process.kill()

    async def wait(self, number: int, patience: float) -> bool:
        """Wait until the process has ended; return whether it has."""
        relay = self._processes[number]
        relay.heard_at = time.monotonic() + patience
        return await asyncio.to_thread(relay.process.wait, patience)


class _Relay:
    """A process and its line, read as it speaks."""

    def __init__(self, process: LocalProcess) -> None:
        self.process = process
        self.line = process.line
        self.heard_at = time.monotonic()
        self._data = bytearray()
        self._end: str | None = None
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep_reading()),
            asyncio.create_task(self._watch()),
        ]

    async def write(self, frames: bytes) -> bool:
        self.heard_at = time.monotonic()
        try:
            async with self._sending:
                await asyncio.get_running_loop().sock_sendall(self.line, frames)
        except OSError:
            return False
        return True

    async def read(self) -> tuple[bytes, str | None]:
        self.heard_at = time.monotonic()
        if not self._data and self._end is None:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _PATIENCE)
        data = bytes(self._data)
        self._data.clear()
        return data, self._end if not data else None

    async def _keep_reading(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self.line, _CHUNK):
                self._data += data
                self._news.set()
        for _ in range(round(END_OF_PROCESS / _PERIOD)):  # its end comes a moment after its line's
            if self.process.has_ended:
                break
            await asyncio.sleep(_PERIOD)
        self._end = self.process.epitaph()
        self._news.set()

    async def _watch(self) -> None:
        while self._end is None:
            await asyncio.sleep(1.0)
            if time.monotonic() - self.heard_at > SILENCE:
                self.process.kill()
                return
