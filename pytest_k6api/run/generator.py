"""Whether the load was limited by the generator itself, and its times by its own delay.

A load generator that has no time left measures itself: iterations wait for its
loop, not for the server. Two readings tell: how late the loop wakes, and what
share of a core it uses. Pure: readings are arguments.
"""

_LATE = 0.01
_LATE_SHARE = 0.05
_BUSY_SHARE = 0.9
_SHORT = 1.0


class GeneratorProbe:
    """Sums up readings of the load test's loop, taken at every turn of the pump.

    Shares are of time, not of readings: while the loop stands still there are none.
    """

    __slots__ = ("_busy", "_elapsed", "_late")

    def __init__(self) -> None:
        self._late = 0.0
        self._busy = 0.0
        self._elapsed = 0.0

    def add(self, late: float, busy: float, elapsed: float) -> None:
        """Add one reading; all in seconds.

        Args:
            late: How much later than due the loop woke.
            busy: CPU time that its thread used since the last reading.
            elapsed: Time since the last reading.
        """
        if late > _LATE:
            self._late += late
        self._busy += busy
        self._elapsed += elapsed

    @property
    def busy_share(self) -> float:
        """The share of a core that the generator used, 0 to 1."""
        return self._busy / self._elapsed if self._elapsed else 0.0

    def warnings(self) -> tuple[str, ...]:
        """Return what people should know of it, in plain words; empty while all is well."""
        # A second says little: starting up is work, too.
        if self._elapsed < _SHORT:
            return ()
        texts = []
        if self.busy_share > _BUSY_SHARE:
            texts.append(
                f"limited by the generator: it used {self.busy_share:.0%} of a core, so the"
                " service may handle more than this, and iterations last as long as the generator"
                " makes them; use fewer VUs per process, or more processes (execution segments)"
            )
        if self._late > _LATE_SHARE * self._elapsed:
            texts.append(
                f"limited by the generator: its event loop was late for {self._late:.1f} of"
                f" {self._elapsed:.1f} seconds, and iterations include that; look for calls that"
                " block the loop (time.sleep, requests, heavy computation) in async scenarios, or"
                " for other processes on its core"
            )
        return tuple(texts)
