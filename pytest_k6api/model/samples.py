"""The rows that virtual users write, and the buffer they write them into.

A row is a plain tuple, the one place where the package prefers speed to a
dataclass (``benchmarks/`` has the figures): a request costs one tuple and one
``list.append``; everything else happens in the pump, a batch at a time. The
row types below give the columns their names, for readers and the type checker.

All times of built-in metrics are whole microseconds. When a sample was made is not kept:
the pump, which takes rows in every 50 ms, says when it did so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from pytest_k6api.model.metrics import Metric

# (tags id, failed, duration_us, blocked_us, connecting_us, tls_us,
#  sending_us, waiting_us, receiving_us)
# `failed` is 1 or 0, or None where the user asked for no judgement.
HttpRow = tuple[int, int | None, int, int, int, int, int, int, int]

# (tags id, duration_us, failed, bytes sent, bytes received)
# `duration_us` and `failed` are None for an iteration that was interrupted, and
# for setup and teardown: only their bytes count.
IterationRow = tuple[int, int | None, int | None, int, int]

# (tags id, value): of the two metrics that nearly every iteration has, group
# durations in whole microseconds and checks as 1.0 and 0.0. Each has a list of its
# own, so that the pump need not sort them.
ValueRow = tuple[int, float]

# (metric, tags id, value)
SampleRow = tuple[Metric, int, float]

Describe = Callable[[], str]
"""Makes text of an exchange, masked; called at the next round of the pump."""

_Row = TypeVar("_Row")
_Item = TypeVar("_Item")


class Batch(NamedTuple):
    """What was written between two rounds of the pump, oldest first.

    Attributes:
        exchanges: For each tag set of failed requests among the rows, one of them.
        accepted: The tag sets of failed requests whose response passed a check.
    """

    http: list[HttpRow]
    iterations: list[IterationRow]
    samples: list[SampleRow]
    groups: Sequence[ValueRow] = ()
    checks: Sequence[ValueRow] = ()
    exchanges: Mapping[int, Describe] = MappingProxyType({})
    accepted: Collection[int] = ()

    def __bool__(self) -> bool:
        return any(self)


class SampleBuffer:
    """Where all virtual users of a load test append their rows.

    Writers append to the lists directly. Thread-safe as far as
    ``list.append`` is: synchronous scenarios write from worker threads.
    """

    __slots__ = ("accepted", "checks", "exchanges", "groups", "http", "iterations", "samples")

    def __init__(self) -> None:
        self.http: list[HttpRow] = []
        self.iterations: list[IterationRow] = []
        self.samples: list[SampleRow] = []
        self.groups: list[ValueRow] = []
        self.checks: list[ValueRow] = []
        self.exchanges: dict[int, Describe] = {}
        self.accepted: dict[int, None] = {}

    def drain(self) -> Batch:
        """Return everything written so far and start anew."""
        return Batch(
            _take(self.http),
            _take(self.iterations),
            _take(self.samples),
            _take(self.groups),
            _take(self.checks),
            _take_items(self.exchanges),
            _take_items(self.accepted),
        )


def _take(rows: list[_Row]) -> list[_Row]:
    # Not a swap of lists: a thread that has just read `buffer.http` would append
    # to the old one after the pump was done with it, and the row would be lost.
    taken = rows[:]
    del rows[: len(taken)]
    return taken


def _take_items(items: dict[int, _Item]) -> dict[int, _Item]:
    # As above: a key that a thread adds meanwhile stays for the next round.
    return {key: items.pop(key) for key in list(items)} if items else {}
