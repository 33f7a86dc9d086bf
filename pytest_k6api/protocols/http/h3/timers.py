"""The timers of QUIC connections: loss, acknowledgements, idleness; one task for a load test."""

import heapq
import math
from itertools import count
from time import perf_counter
from typing import Protocol

import trio

# How late a timer may be: well below the 25 ms by which a peer expects an acknowledgement.
_PERIOD = 0.01


class QuicTimed(Protocol):
    """What `QuicTimers` look after.

    Attributes:
        due_at: When they look at it next, in perf_counter; infinity for never.
        is_open: False once closed.
    """

    due_at: float
    is_open: bool

    def fire(self) -> float:
        """Do what is due; return when to look again."""


class QuicTimers:
    """The timers of all QUIC connections of a load test, looked after by one task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, QuicTimed]] = []
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<QuicTimers: {len(self._heap)}>"

    def watch(self, thing: QuicTimed, due: float) -> None:
        """Look at `thing` when it is `due`; no-op if that is to be done before."""
        if due < thing.due_at:
            thing.due_at = due
            heapq.heappush(self._heap, (due, next(self._numbers), thing))

    async def run(self) -> None:
        """Look after them until cancelled."""
        while True:
            await trio.sleep(_PERIOD)
            self._look(perf_counter())

    def _look(self, now: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, thing = heapq.heappop(heap)
            if due == thing.due_at and thing.is_open:
                thing.due_at = math.inf
                self.watch(thing, max(thing.fire(), now + _PERIOD))
