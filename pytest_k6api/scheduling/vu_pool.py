"""Numbers of virtual users, initialised and free ones.

A VU's number is unique in its load test, over all instances: an instance that
runs an execution segment uses the numbers that are its segment's. Scenarios
that do not overlap use the same numbers, the lowest first.

Source: k6 v1.1.0, ``lib/execution.go``, ``GetPlannedVU`` and ``GetUnplannedVU``.
"""

from heapq import heapify, heappop, heappush

import trio

from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment

# k6 asks five times, 400 ms apart, for a planned VU that another scenario is
# about to give back.
_PATIENCE = 2.0


class VUPool:
    """All VUs of a load test, as numbers.

    Planned VUs are initialised before the start, as many as the plans of all
    scenarios need at the same time. Spare ones are added by a command, or by an
    arrival rate whose VUs are all busy.
    """

    def __init__(self, share: ExecutionSegment = WHOLE) -> None:
        self._share = share
        self._free: list[int] = []
        self._in_use = 0
        self._initialised = 0
        self._spare = 0
        self._spare_in_use = 0
        self._returns = trio.lowlevel.ParkingLot()

    @property
    def initialised(self) -> int:
        """Number of initialised VUs, in use or free."""
        return self._initialised

    def initialise(self, count: int) -> None:
        """Initialise `count` more planned VUs."""
        self._initialised += count
        for index in range(self._in_use + len(self._free), self._initialised):
            heappush(self._free, self._share.position(index) + 1)

    def add_spare(self, count: int) -> None:
        """Initialise `count` spare VUs."""
        self._spare += count
        self.initialise(count)

    def remove_spare(self, count: int) -> None:
        """Give up `count` of the spare VUs, the highest numbers, once they are free."""
        self._spare -= count
        # Their numbers stay in the heap; `take_nowait` does not take them.
        self._initialised -= count

    async def take(self) -> int:
        """Return the number of a VU once one is free, after `take_nowait` found none.

        Another scenario is about to give one back. If it does not within 2 s (the end
        of a scenario that others wait for is only estimated), one is initialised.
        """
        number = self.take_nowait()
        with trio.move_on_after(_PATIENCE):
            while number is None:
                await self._returns.park()
                number = self.take_nowait()
        if number is None:
            self.initialise(self._in_use + 1 - self._initialised)
            number = self._pop()
        return number

    def take_nowait(self, *, spare: bool = False, wanted: int | None = None) -> int | None:
        """Return the number of a VU, reserved until it is given back.

        Args:
            spare: Whether it is not a planned one.
            wanted: The number to return if it is free; None for the lowest.

        Returns:
            None if none is free. A spare one is initialised if all others are in use.
        """
        if spare:
            if self._spare_in_use >= self._spare:
                self.add_spare(1)
            self._spare_in_use += 1
        return self._pop(wanted) if self._in_use < self._initialised else None

    def give_back(self, number: int | None, *, spare: bool = False) -> None:
        """Free the VU `number`; None for one that was requested and never granted."""
        if spare:
            self._spare_in_use -= 1
        if number is None:
            return
        self._in_use -= 1
        heappush(self._free, number)
        self._returns.unpark_all()

    def _pop(self, wanted: int | None = None) -> int:
        self._in_use += 1
        if wanted is not None and wanted != self._free[0] and wanted in self._free:
            self._free.remove(wanted)
            heapify(self._free)
            return wanted
        return heappop(self._free)

    def __repr__(self) -> str:
        return f"<VUPool {self._initialised} initialised, {self._in_use} in use>"
