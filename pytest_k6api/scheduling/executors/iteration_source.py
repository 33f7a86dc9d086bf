"""Sources of iterations for looping VUs: unlimited, shared, or per VU. Pure.

kind        a task may begin another iteration        what is left at the end
----------  ------------------------------------------  ---------------------------
unlimited   always                                      nothing
shared      while the one counter is not at 0           one number
per VU      while its own counter is not at 0           one number for each VU
"""

from collections.abc import Container, Mapping, Sized
from typing import Protocol


class IterationSource(Protocol):
    """Iterations for VU tasks, which are known by their index."""

    @property
    def total(self) -> int | None:
        """Number of iterations in all; None for no limit."""

    def take(self, index: int) -> bool:
        """Take one iteration for task `index`; return whether there was one."""

    def has_more(self, index: int) -> bool:
        """Return whether task `index` could take one."""

    def leftovers(self) -> list[int]:
        """Return the planned iterations that were never taken, in the portions that k6 reports."""

    def ended(self, busy: "Busy") -> Mapping[int, int]:
        """Return how many iterations were taken and have ended, by the counter that counts them.

        Args:
            busy: The indices of the tasks whose last one has not.
        """

    def restore(self, ended: Mapping[int, int]) -> None:
        """Take as many as `ended` of another instance tells."""


class Busy(Container[int], Sized, Protocol):
    """Indices of tasks."""


class UnlimitedSource:
    """Iterations without a limit."""

    total = None

    def take(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Return True."""
        return True

    def has_more(self, index: int) -> bool:  # noqa: ARG002 - the protocol's
        """Return True."""
        return True

    def leftovers(self) -> list[int]:
        """Return nothing."""
        return []

    def ended(self, busy: Busy) -> Mapping[int, int]:  # noqa: ARG002 - the protocol's
        """Return nothing."""
        return {}

    def restore(self, ended: Mapping[int, int]) -> None:
        """Do nothing."""


class SharedSource:
    """A number of iterations shared by all tasks."""

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
        """Return whether any are left."""
        return self._left > 0

    def leftovers(self) -> list[int]:
        """Return the rest as one number, as k6 does."""
        return [self._left] if self._left else []

    def ended(self, busy: Busy) -> Mapping[int, int]:
        """Return how many have ended, as those of the one counter, 0."""
        return {0: self.total - self._left - len(busy)}

    def restore(self, ended: Mapping[int, int]) -> None:
        """Take as many as have ended."""
        self._left = self.total - ended.get(0, 0)


class PerVUSource:
    """The same number of iterations for each task.

    A task that was taken away and comes back continues with the rest of its number.
    """

    def __init__(self, each: int, vus: int) -> None:
        self._each = each
        self._left = dict.fromkeys(range(1, vus + 1), each)

    @property
    def total(self) -> int:
        """The iterations of all tasks, planned and added ones."""
        return self._each * len(self._left)

    def take(self, index: int) -> bool:
        """Take one of those that task `index` has left."""
        left = self._left.setdefault(index, self._each)
        if not left:
            return False
        self._left[index] = left - 1
        return True

    def has_more(self, index: int) -> bool:
        """Return whether task `index` has any left."""
        return self._left.get(index, self._each) > 0

    def leftovers(self) -> list[int]:
        """Return the rest of each task, as k6 does."""
        return [left for left in self._left.values() if left]

    def ended(self, busy: Busy) -> Mapping[int, int]:
        """Return how many have ended, by the index of their task."""
        return {index: self._each - left - (index in busy) for index, left in self._left.items()}

    def restore(self, ended: Mapping[int, int]) -> None:
        """Take as many of each task as have ended."""
        self._left |= {index: self._each - number for index, number in ended.items()}
