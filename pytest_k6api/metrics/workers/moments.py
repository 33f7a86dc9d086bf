"""Moments: stretches of test-run time whose samples may be taken as samples of its end.

An engine keeps some things by time: timelines by the second of test-run time, sliding
windows by the second of load, warm-ups up to their end. Between two such bounds it makes no
difference when a sample came, so deltas are cut there, and nowhere else.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable

from pytest_k6api.metrics.thresholds.expression import Threshold

Moment = tuple[int, int, int]
"""Number of a moment: seconds, seconds of load, and warm-ups that are over."""

_BEFORE_LOAD = -1


class MomentBounds:
    """The moments of one load test.

    Args:
        thresholds: Their windows add bounds.
    """

    def __init__(self, thresholds: Iterable[Threshold] = ()) -> None:
        windows = [each.window for each in thresholds if each.window is not None]
        self._has_windows = bool(windows)
        self._warm_ups = sorted({window.after for window in windows})
        self._load_began_at = math.inf

    def load_began(self, elapsed: float) -> None:
        """Let the load begin: seconds of windows count from here."""
        if self._has_windows:
            self._load_began_at = elapsed

    def at(self, elapsed: float) -> Moment:
        """Return the moment of `elapsed`, in seconds of test-run time; later ones are greater."""
        now = elapsed - self._load_began_at
        if now < 0:
            return int(elapsed), _BEFORE_LOAD, 0
        return int(elapsed), int(now), bisect_left(self._warm_ups, now)

    def start(self, elapsed: float) -> float:
        """Return when the moment of `elapsed` began."""
        second, load_second, over = self.at(elapsed)
        if load_second == _BEFORE_LOAD:
            return float(second)
        warm_up = self._warm_ups[over - 1] if over else 0.0
        return max(float(second), self._load_began_at + max(load_second, warm_up))
