"""Claims on rows of feeders: what this process may have handed out is told before it does so.

A process that goes on for one that was lost begins after its claims. So no row is handed
out twice, and the rows that were claimed and not handed out are skipped: fewer than a block.
Blocks grow with the number of rows, so that telling costs little.
"""

from collections.abc import Callable, Mapping

_LEAST, _MOST = 4, 1000  # rows of a block
_PART = 8  # of what was handed out so far


class RowClaims:
    """The claims of one process, by the feeders' keys; called with the feeder's lock held.

    Args:
        announce: Called with a feeder's key and the number of its first rows that are claimed;
            returns when that is told. None where nobody would go on.
    """

    def __init__(self, announce: Callable[[str, int], object] | None = None) -> None:
        self._announce = announce
        self._skipped: Mapping[str, int] = {}
        self._claimed: dict[str, int] = {}

    def skip(self, rows: Mapping[str, int]) -> None:
        """Go on after the claims of another process."""
        self._skipped, self._claimed = rows, {**rows}

    def first(self, feeder: str) -> int:
        """Return how many rows another process has claimed: the number of the first that is free."""
        return self._skipped.get(feeder, 0)

    def claim(self, feeder: str, row: int) -> None:
        """Claim the row with the number `row`, from 0, before it is handed out."""
        if self._announce is None or row < self._claimed.get(feeder, 0):
            return
        until = self._claimed[feeder] = row + max(_LEAST, min(row // _PART, _MOST))
        self._announce(feeder, until)
