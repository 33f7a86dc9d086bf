"""The control API's thread: started for a session, stopped with it.

The API has its own `trio.run` in its own thread, so that it answers between load
tests, while they are paused, and when a scenario blocks their loop. Only immutable
snapshots and commands cross between the threads.
"""

import contextlib
import socket
import threading
import warnings
from collections.abc import Callable

import trio

from pytest_k6api.api.ports import SessionPort
from pytest_k6api.api.server.address import Address, bind
from pytest_k6api.api.settings import ApiError, ApiSettings
from pytest_k6api.late_imports import importing
from pytest_k6api.quick_switches import quick_switches

_START_PATIENCE = 30.0
_STOP_PATIENCE = 10.0  # a busy machine takes seconds; usually it is less than one


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


class ApiServer:
    """The control API of one pytest session.

    Args:
        session: The session that requests concern.
        settings: Address, token and limits.
        warn: Called, in the thread that calls `start` or `stop`, with a sentence for the user.
    """

    def __init__(
        self,
        session: SessionPort,
        settings: ApiSettings,
        *,
        warn: Callable[[str], None] = _warn,
    ) -> None:
        self._session = session
        self._settings = settings
        self._warn = warn
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._stop = trio.Event()
        self._failure: BaseException | None = None
        self._problems: list[Exception] = []

    def start(self) -> str:
        """Listen, and return the address, such as ``http://127.0.0.1:6565``.

        Returns:
            The address; ``""`` if the settings switch the API off.

        Raises:
            ApiError: It cannot listen there, or does not come up.
        """
        if not self._settings.address:
            return ""
        address, sockets = bind(self._settings, self._warn)
        self._thread = threading.Thread(
            target=self._run, args=(address, sockets), name="pytest-k6api control API", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(_START_PATIENCE) or self._failure is not None:
            raise ApiError(f"the control API did not start: {self._failure!r}") from self._failure
        return _url(address)

    def stop(self) -> None:
        """Stop answering, within a second; a second call does nothing.

        Raises:
            ApiError: The API had broken down before.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._token is not None:
            # It may have broken down before, which is told below.
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._stop.set)
        thread.join(_STOP_PATIENCE)
        if thread.is_alive():
            self._warn(f"the control API did not stop within {_STOP_PATIENCE:g} seconds")
        for problem in self._problems:
            self._warn(f"the control API could not answer a request: {problem!r}")
        if self._failure is not None:
            raise ApiError(f"the control API broke down: {self._failure!r}") from self._failure

    def _run(self, address: Address, sockets: list[socket.socket]) -> None:
        try:
            trio.run(self._serve, address, sockets)
        except BaseException as failure:  # noqa: BLE001 - kept for the caller's thread
            self._failure = failure
        finally:
            for bound in sockets:
                bound.close()
            self._ready.set()

    async def _serve(self, address: Address, sockets: list[socket.socket]) -> None:
        self._token = trio.lowlevel.current_trio_token()
        # The kernel accepts connections from here on. The first client is answered when
        # Quart and Hypercorn are imported: a quarter of a second of processor time that
        # load tests without clients do not pay (`benchmarks/startup.py`).
        self._ready.set()
        await _wait_for_client(sockets, self._stop)
        if self._stop.is_set():
            return
        # Two threads that make syntax trees at the same time can break, before Python 3.11.8
        # and 3.12.2, if the garbage collector lets one interrupt the other (python/cpython#106905).
        # werkzeug makes some, and so does pytest to show failures: here it is paused.
        # An import reads some thousand files, and gives the interpreter away each time.
        with importing(), quick_switches():
            from pytest_k6api.api.server.service import serve

        await serve(
            self._session,
            self._settings,
            address,
            sockets=sockets,
            stop=self._stop,
            report=self._report,
        )

    def _report(self, problem: Exception) -> None:
        if len(self._problems) < 10:
            self._problems.append(problem)


async def _wait_for_client(sockets: list[socket.socket], stop: trio.Event) -> None:
    """Wait until one of the listening `sockets` has a connection, or until `stop`."""
    async with trio.open_nursery() as nursery:

        async def wait(listening: socket.socket) -> None:
            await trio.lowlevel.wait_readable(listening)
            nursery.cancel_scope.cancel()

        for bound in sockets:
            nursery.start_soon(wait, bound)
        await stop.wait()
        nursery.cancel_scope.cancel()


def _url(address: Address) -> str:
    host = {"localhost": "127.0.0.1", "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
    return f"http://{Address(host.get(address.host, address.host), address.port)}"
