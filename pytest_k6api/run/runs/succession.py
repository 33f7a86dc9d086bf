"""Successors of lost workers: processes that go on with their shares, in the middle of the plan.

when a worker is lost                    then
---------------------------------------  -------------------------------------------------
its share is done, but not all of it     the load test goes on, with a warning
told
the load test is ending                  likewise
its share has had all its successors     there is none: the load test ends, and fails
else                                     another process is started, prepared, and joins
"""

from collections import Counter
from collections.abc import Callable

import trio

from pytest_k6api.distributed import CarrierError, Fleet, FleetError, Worker
from pytest_k6api.run.settings import Workforce

MOST_SUCCESSORS = 3
"""Successors that one share may have: code that ends its process ends theirs, too."""


class Succession:
    """The successors of one load test's lost workers.

    Args:
        fleet: The workers.
        workforce: Starts other processes.
        join: Lets a successor, which is prepared, take part.
        give_up: Called with a worker whose share has no successor, and the reason.
    """

    def __init__(
        self,
        fleet: Fleet,
        workforce: Workforce,
        join: Callable[[Worker], None],
        give_up: Callable[[Worker, str], None],
    ) -> None:
        self._fleet = fleet
        self._workforce = workforce
        self._join = join
        self._give_up = give_up
        self._tried: Counter[int] = Counter()
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look for successors until `end`."""
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()

    def end(self) -> None:
        """Look for no more: the load test is ending."""
        self._scope.cancel()

    def follow(self, lost: Worker) -> None:
        """Find a successor for `lost`, or give its share up."""
        assert self._nursery is not None
        if self._scope.cancel_called:
            return
        if self._tried[lost.share] >= MOST_SUCCESSORS:
            self._give_up(lost, f"its share has had {MOST_SUCCESSORS} others before")
            return
        self._tried[lost.share] += 1
        lost.awaits_successor = True
        self._nursery.start_soon(self._find, lost)

    async def _find(self, lost: Worker) -> None:
        assert self._workforce.start_successor is not None
        try:
            successor = await self._workforce.start_successor(lost)
            self._fleet.admit(successor, lost)
            await self._prepare(successor)
        except CarrierError as error:
            self._give_up(lost, f"no other process can be started for its share: {error}")
        finally:
            self._fleet.note_successor(lost)

    async def _prepare(self, successor: Worker) -> None:
        force = self._workforce
        try:
            await self._fleet.prepare([successor], force.order, force.fingerprint)
        except FleetError as error:
            self._fleet.lose(successor, str(error))
        if not successor.is_lost:
            self._join(successor)
