"""The offset between the clock of a worker and the controller's. Pure.

An echo request tells when it was sent and answered by the controller's clock, and what the
worker's clock read in between. The answer with the shortest way tells most: the
worker's reading was made within it, so half of the way is the greatest possible error.
"""

from collections import deque

_KEPT = 30


class ClockOffset:
    """The offset as the last echo requests tell it; clocks may drift, so old ones are forgotten.

    >>> clock = ClockOffset()
    >>> clock.add(sent=10.0, received=10.2, theirs=110.1)
    >>> clock.offset, round(clock.error, 6), clock.theirs(20.0)
    (100.0, 0.1, 120.0)
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def add(self, *, sent: float, received: float, theirs: float) -> None:
        """Add an echo request; all in seconds, `sent` and `received` by the controller's clock."""
        self._seen.append((received - sent, theirs - (sent + received) / 2))

    @property
    def is_known(self) -> bool:
        """Whether there was an echo request."""
        return bool(self._seen)

    @property
    def offset(self) -> float:
        """Seconds by which the worker's clock reads more; 0 before the first echo request."""
        return min(self._seen)[1] if self._seen else 0.0

    @property
    def error(self) -> float:
        """Seconds by which `offset` may be wrong; 0 before the first echo request."""
        return min(self._seen)[0] / 2 if self._seen else 0.0

    def theirs(self, moment: float) -> float:
        """Return what the worker's clock reads at `moment` of the controller's."""
        return moment + self.offset
