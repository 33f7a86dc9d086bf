"""Whether the load was limited by the generator itself, and its times by its own delay.

A load generator that has no time left measures itself: requests wait for its
loop, not for the server. Two readings tell: how late the loop wakes, and what
share of a core it uses. Pure: whoever calls gives the readings.
"""

_LATE_US = 10_000
_LATE_SHARE = 0.05
_BUSY_SHARE = 0.9
_FEW = 20
_FEW_LATE = 10


class GeneratorProbe:
    """Sums up readings of the load test's loop, taken at every turn of the pump."""

    __slots__ = ("_busy", "_elapsed", "_late", "_readings")

    def __init__(self) -> None:
        self._readings = 0
        self._late = 0
        self._busy = 0.0
        self._elapsed = 0.0

    def add(self, late_us: int, busy: float, elapsed: float) -> None:
        """Add one reading.

        Args:
            late_us: How much later than due the loop woke, in microseconds.
            busy: Seconds of CPU that its thread used since the last reading.
            elapsed: Seconds since the last reading.
        """
        self._readings += 1
        self._late += late_us > _LATE_US
        self._busy += busy
        self._elapsed += elapsed

    @property
    def busy_share(self) -> float:
        """The share of a core that the generator used, 0 to 1."""
        return self._busy / self._elapsed if self._elapsed else 0.0

    def warnings(self) -> tuple[str, ...]:
        """Return what people should know of it, in plain words; empty while all is well."""
        # A second of readings says little: starting up is work, too.
        if self._readings < _FEW:
            return ()
        texts = []
        if self.busy_share > _BUSY_SHARE:
            texts.append(
                f"limited by the generator: it used {self.busy_share:.0%} of its core, so the"
                " service may bear more than this, and the times include the generator's own"
                " delay; use fewer VUs per process, or more processes (execution segments)"
            )
        late_share = self._late / self._readings
        if late_share > _LATE_SHARE and self._late >= _FEW_LATE:
            texts.append(
                f"limited by the generator: its loop woke more than {_LATE_US // 1000} ms late"
                f" {late_share:.0%} of the time, and the times include that; look for calls that"
                " block the loop (time.sleep, requests, heavy computation) in async scenarios, or for"
                " other processes on its core"
            )
        return tuple(texts)
