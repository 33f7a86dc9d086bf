"""The virtual user of a scenario that is an ordinary function.

Requests, database drivers and SDKs are loaded as they are, in a thread for each
VU (see `vu_thread`). There the VU and its HTTP client are used without ``await``.
"""

import trio

from pytest_k6api.protocols.http import SyncClient
from pytest_k6api.vu.thread import VUThread
from pytest_k6api.vu.vu import BaseVU, VUSeat, read_wait


class SyncVU(BaseVU):
    """A virtual user without ``await``; used in its own thread."""

    __slots__ = ("_thread", "http")

    def __init__(self, seat: VUSeat, thread: VUThread) -> None:
        super().__init__(seat)
        self._thread = thread
        self.http = SyncClient(seat.client, thread.call)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        self._thread.call(trio.sleep, read_wait("sleep", seconds))

    def pace(self, seconds: float) -> None:
        """Wait until `seconds` after the iteration began, or after the last call in it.

        A VU that comes later does not wait, and does not hurry afterwards.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        self._thread.call(trio.sleep, self._left_to_pace(seconds))

    def stop(self, reason: str = "") -> None:
        """End the load test, not only this VU; `reason` is shown in its report."""
        self._thread.call_soon(self._load.stop, reason)
