"""How often Trio's loop has come round: whether others had a chance to run."""

import trio


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop it is added to.

    An iteration that never waits would starve its load test: no other VU, no
    deadline and no Ctrl-C would get through. A checkpoint after every iteration
    cures that, for 2 µs; asking whether the loop has turned since costs nothing,
    and nearly always it has.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio's signature
        """Count one turn; Trio calls it in each."""
        self.count += 1
