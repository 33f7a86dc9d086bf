"""The samples that one window of a threshold is about, for as long as it needs them.

A sliding window is kept in slices of whole seconds, at most `MOST_SLICES` and the
one that is being filled; slices are sinks, so joining
them is as exact as they are. The window reaches back to the start of the slice in which
it begins: by up to a second more than it says, or a thirtieth of a long one.

Memory is bounded by the different values of one window. A threshold without a
window has none of this. The engine says what time it is.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from pytest_k6api.metrics.sinks.deltas import Delta
from pytest_k6api.metrics.sinks.simple import Sink, new_sink
from pytest_k6api.metrics.sinks.trend_memory import TrendMemory
from pytest_k6api.metrics.thresholds.window import Window
from pytest_k6api.model import Metric

MOST_SLICES = 30
# In the slice that is being filled, at 8 bytes: many values are put in order at once in less time.
_MOST_WAITING = 25_000


class Reading(NamedTuple):
    """What a window holds at one moment.

    Attributes:
        sink: Its samples.
        seconds: How long it is, which is what a counter's rate is about.
    """

    sink: Sink
    seconds: float


class _Slice(NamedTuple):
    number: int
    sink: Sink


class WindowedSink:
    """What a view's samples add up to within a window that moves with the load.

    Attributes:
        now: Seconds of load up to which samples have come; None while there is none.
    """

    __slots__ = ("_memory", "_metric", "_reading", "_slices", "_width", "_window", "now")

    def __init__(self, metric: Metric, window: Window, memory: TrendMemory | None = None) -> None:
        self.now: float | None = None
        self._metric = metric
        self._window = window
        self._memory = memory
        # Without an end there is one slice, which lasts for ever.
        last = window.over_last
        self._width = math.inf if last is None else float(max(1, math.ceil(last / MOST_SLICES)))
        self._slices: deque[_Slice] = deque()
        self._reading: Reading | None = None

    def advance(self, now: float | None) -> None:
        """Let the samples that come next be those up to `now`; forget what is too old."""
        self.now = now
        self._reading = None
        if now is None or self._window.over_last is None:
            return
        oldest = self._number(now - self._window.over_last)
        while self._slices and self._slices[0].number < oldest:
            self._slices.popleft()

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples; those outside the load or of the warm-up are left out."""
        if (sink := self._open()) is not None:
            sink.add_many(values)

    def merge(self, delta: Delta, /) -> None:
        """Add all of `delta`, as `add_many` does."""
        if (sink := self._open()) is not None:
            sink.merge(delta)

    def read(self) -> Reading:
        """Return what is in the window now.

        Takes time in proportion to the different values in it; once more, and nothing
        has changed, it takes none.
        """
        if self._reading is None:
            self._reading = Reading(self._joined(), self._seconds())
        return self._reading

    def forget(self) -> None:
        """Let go of all samples: the load is over, and all has been judged."""
        self._slices.clear()
        self._reading = None

    @property
    def is_full(self) -> bool:
        """Whether the load has lasted long enough for all of the window."""
        return self.now is not None and self.now >= self._window.after + (
            self._window.over_last or 0.0
        )

    def _open(self) -> Sink | None:
        """Return the sink for samples of now; None if they are left out."""
        if self.now is None or (self._window.after and self.now <= self._window.after):
            return None
        number = self._number(self.now)
        if not self._slices or self._slices[-1].number != number:
            if self._slices:
                self._slices[-1].sink.settle()  # it is full; settled it takes less room
            sink = new_sink(self._metric, self._memory, most_waiting=_MOST_WAITING)
            self._slices.append(_Slice(number, sink))
        self._reading = None
        return self._slices[-1].sink

    def _seconds(self) -> float:
        now = self.now or 0.0
        start = self._window.after
        if self._window.over_last is not None:
            start = max(start, self._number(now - self._window.over_last) * self._width)
        return max(0.0, now - start)

    def _number(self, at: float) -> int:
        return 0 if math.isinf(self._width) else max(0, math.floor(at / self._width))

    def _joined(self) -> Sink:
        if len(self._slices) == 1:
            return self._slices[0].sink
        joined = new_sink(self._metric, self._memory)
        for each in self._slices:
            joined.merge(each.sink)
        return joined
