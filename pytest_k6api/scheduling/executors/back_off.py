"""Exponential back-off of a virtual user whose iterations fail at once, again and again. Pure.

A server that is down refuses a connection in microseconds. A loop against it would use
a whole core and report thousands of equal failures a second.
"""

AT_ONCE = 0.001
"""Seconds within which an iteration fails at once."""

PATIENCE = 1.0
"""Seconds of failing at once before a VU backs off."""

LONGEST = 1.0
"""Seconds between two attempts, at the most."""

_FIRST = AT_ONCE
# Many VUs that fail at once wait for each other, so each takes longer. They are told from
# VUs that wait for a server by the processor: it is busy for this share of the time.
_BUSY_SHARE = 0.25
# Iterations that fail at once for each that took longer: a busy machine delays some.
_AT_ONCE_FOR_EACH_DELAY = 4


class BackOff:
    """The failed iterations of one virtual user since its last one that succeeded.

    An iteration that fails at once lengthens the pause; one that waited for something
    shortens it, so that a single delay of the machine does not reset it.

    Args:
        now: End of the first of them, in seconds.
        worked: Processor time that the process had used by then, in seconds.
    """

    __slots__ = ("_at_once", "_began_at", "_pause", "_since", "_waited", "_worked")

    def __init__(self, now: float, worked: float) -> None:
        self._since = now
        self._at_once = self._waited = 0
        self._pause = 0.0
        self.resume(now, worked)

    def next_pause(self, now: float, worked: float) -> float:
        """Return how many seconds to wait after another iteration that failed.

        Args:
            now: Its end.
            worked: Processor time that the process has used by now.
        """
        took = now - self._began_at
        if took < AT_ONCE or worked - self._worked >= took * _BUSY_SHARE:
            self._at_once += 1
            if now - self._since >= PATIENCE:
                self._pause = min(LONGEST, self._pause * 2 or _FIRST)
        else:
            self._waited += 1
            self._pause = self._pause / 4 if self._pause > _FIRST else 0.0
            if self._waited > 1 + self._at_once / _AT_ONCE_FOR_EACH_DELAY:
                self._since, self._at_once, self._waited = now, 0, 0
        self.resume(now, worked)
        return self._pause

    def resume(self, now: float, worked: float) -> None:
        """Note that the next iteration starts now."""
        self._began_at, self._worked = now, worked
