"""Where the tasks of a loop get their iterations from. Pure.

kind        a task may begin another iteration        what is left at the end
----------  ------------------------------------------  ---------------------------
unlimited   always                                      nothing
shared      while the one counter is not at 0           one number
per VU      while its own counter is not at 0           one number for each VU
"""

from typing import Protocol


class IterationSource(Protocol):
    """Iterations for tasks, who are known by their index."""

    @property
    def total(self) -> int | None:
        """How many iterations there are in all; None if there is no end of them."""

    def take(self, index: int) -> bool:
        """Take one iteration for task `index`; tell whether there was one."""

    def has_more(self, index: int) -> bool:
        """Tell whether task `index` could take one."""

    def leftovers(self) -> list[int]:
        """Return what was planned and never taken, in the portions in which k6 reports it."""


class UnlimitedSource:
    """As many iterations as there is time for."""

    total = None

    def take(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Take one; there always is one."""
        return True

    def has_more(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Tell that there are more."""
        return True

    def leftovers(self) -> list[int]:
        """Return nothing."""
        return []


class SharedSource:
    """A number of iterations that all tasks take from."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total

    def take(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Take one of those that are left."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def has_more(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Tell whether any are left."""
        return self._left > 0

    def leftovers(self) -> list[int]:
        """Return what is left as one number, as k6 does."""
        return [self._left] if self._left else []


class PerVUSource:
    """The same number of iterations for each task.

    A task that was taken away and comes back goes on with what it had left.
    """

    def __init__(self, each: int, vus: int) -> None:
        self._each = each
        self._left = dict.fromkeys(range(1, vus + 1), each)

    @property
    def total(self) -> int:
        """The iterations of all tasks that were planned or have come."""
        return self._each * len(self._left)

    def take(self, index: int) -> bool:
        """Take one of those that task `index` has left."""
        left = self._left.setdefault(index, self._each)
        if not left:
            return False
        self._left[index] = left - 1
        return True

    def has_more(self, index: int) -> bool:
        """Tell whether task `index` has any left."""
        return self._left.get(index, self._each) > 0

    def leftovers(self) -> list[int]:
        """Return what each task has left, as k6 does."""
        return [left for left in self._left.values() if left]
