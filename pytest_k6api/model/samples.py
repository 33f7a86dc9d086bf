"""Rows of measurements, and the buffer that virtual users write them into.

A row is a plain tuple, the one place where the package prefers speed to a
dataclass (``benchmarks/`` has the figures): a request costs one tuple and one
``list.append``; everything else happens in the pump, a batch at a time.

A `RowType` declares what the items of a row are: a protocol that measures something
declares its own, writes rows under it, and the engine reads the metrics from the
declaration. All times of built-in metrics are whole microseconds.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeVar

from pytest_k6api.model.metrics import (
    CHECKS,
    DATA_RECEIVED,
    DATA_SENT,
    GROUP_DURATION,
    ITERATION_DURATION,
    ITERATION_FAILURES,
    ITERATIONS,
    Metric,
)


@dataclass(frozen=True, slots=True)
class Column:
    """The samples of one metric in rows of one type.

    Attributes:
        metric: Whose samples they are.
        index: The position of the item in a row.
        is_optional: Whether rows may have None there, which is no sample.
        counts_rows: Whether the sample is 1 for the row, not the item itself.
    """

    metric: Metric
    index: int
    is_optional: bool = False
    counts_rows: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RowType:
    """A declaration of rows: tuples of which the first item is the number of a tag set.

    Compared by identity: declare it once, in the module that writes the rows.

    Attributes:
        name: What a row is about.
        columns: The metrics that get samples from each row, in the order in which
            metrics are listed.
        ended_at: The position of the time at which the measured thing ended, in
            nanoseconds of ``time.perf_counter_ns``; None if rows have no time, which
            makes it the time of the pump.
    """

    name: str
    columns: tuple[Column, ...]
    ended_at: int | None = None


# (tags id, duration_us, failed, bytes sent, bytes received)
# `duration_us` and `failed` are None for an iteration that was interrupted, and
# for setup and teardown: only their bytes count.
IterationRow = tuple[int, int | None, int | None, int, int]

ITERATION_ROWS = RowType(
    "iteration",
    (
        Column(ITERATIONS, 1, is_optional=True, counts_rows=True),
        Column(ITERATION_DURATION, 1, is_optional=True),
        Column(ITERATION_FAILURES, 2, is_optional=True),
        Column(DATA_SENT, 3),
        Column(DATA_RECEIVED, 4),
    ),
)

# (tags id, value)
ValueRow = tuple[int, float]

GROUP_ROWS = RowType("group", (Column(GROUP_DURATION, 1),))
"""Durations of groups, in whole microseconds."""

CHECK_ROWS = RowType("check", (Column(CHECKS, 1),))
"""Checks: 1.0 if passed, 0.0 if failed."""

# (metric, tags id, value): a sample of any metric, for those that few rows have.
SampleRow = tuple[Metric, int, float]

Describe = Callable[[], str]
"""Makes text of an exchange, masked; called at the next round of the pump."""

_Row = TypeVar("_Row")
_Item = TypeVar("_Item")


class Batch(NamedTuple):
    """Everything written between two rounds of the pump, oldest first.

    Attributes:
        rows: The rows by their type; only types that have some.
        samples: Samples of any metrics.
        exchanges: For each tag set of failed requests among the rows, one of them.
        accepted: The tag sets of failed requests whose response passed a check.
    """

    rows: Mapping[RowType, Sequence[tuple[Any, ...]]] = MappingProxyType({})
    samples: Sequence[SampleRow] = ()
    exchanges: Mapping[int, Describe] = MappingProxyType({})
    accepted: Collection[int] = ()

    def __bool__(self) -> bool:
        return any(self)


class SampleBuffer:
    """Rows of all virtual users of a load test.

    Writers append to the lists directly. Thread-safe as far as ``list.append``
    is: synchronous scenarios write from worker threads.

    Attributes:
        rows: A list for each type of row, made when it is first asked for.
        samples: Samples of any metrics.
        exchanges: See `Batch`.
        accepted: See `Batch`.
    """

    __slots__ = ("accepted", "exchanges", "rows", "samples")

    def __init__(self) -> None:
        # Row types differ in their columns, hence Any. All in C, from the look-up to the
        # new list, so that two threads never make a list each.
        self.rows: defaultdict[RowType, list[Any]] = defaultdict(list)
        self.samples: list[SampleRow] = []
        self.exchanges: dict[int, Describe] = {}
        self.accepted: dict[int, None] = {}

    def drain(self) -> Batch:
        """Return everything written so far and start anew."""
        return Batch(
            {kind: _take(rows) for kind, rows in list(self.rows.items()) if rows},
            _take(self.samples),
            _take_items(self.exchanges),
            _take_items(self.accepted),
        )


Metadata = Mapping[str, str]
"""What is known of one sample and tells no series apart: `vu` and `iter`, and `trace_id`."""


class MarkedTags(int):
    """The number of a tag set in the row of one sample, with the sample's metadata.

    Attributes:
        metadata: The metadata.
    """

    metadata: Metadata


class MarkingBuffer(SampleBuffer):
    """A buffer of one virtual user, which gives its rows metadata and writes them to another.

    A row takes some 200 bytes and half a microsecond more, so that there is one only
    where metadata is asked for.

    Args:
        shared: Where the rows go.
        metadata: Returns what is true of rows that are written now.
    """

    __slots__ = ()

    def __init__(self, shared: SampleBuffer, metadata: Callable[[], Metadata]) -> None:
        super().__init__()
        self.rows = _MarkedRows(shared, metadata)
        self.samples = _Marked(shared.samples, 1, metadata)
        self.exchanges, self.accepted = shared.exchanges, shared.accepted


class _MarkedRows(defaultdict[RowType, list[Any]]):
    def __init__(self, shared: SampleBuffer, metadata: Callable[[], Metadata]) -> None:
        super().__init__()
        self._shared = shared
        self._metadata = metadata

    def __missing__(self, kind: RowType) -> list[Any]:
        marked = self[kind] = _Marked(self._shared.rows[kind], 0, self._metadata)
        return marked


class _Marked(list[Any]):
    """Stays empty: what is added goes to `shared`, with metadata at the number of the tag set."""

    def __init__(self, shared: list[Any], place: int, metadata: Callable[[], Metadata]) -> None:
        super().__init__()
        self._append = shared.append
        self._place = place
        self._metadata = metadata

    def append(self, row: tuple[Any, ...], /) -> None:
        place = self._place
        number = row[place]
        tags_id = MarkedTags(number)
        own = number.metadata if isinstance(number, MarkedTags) else {}
        tags_id.metadata = {**self._metadata(), **own}
        self._append((*row[:place], tags_id, *row[place + 1 :]))

    def __iadd__(self, rows: Iterable[tuple[Any, ...]]) -> Self:  # type: ignore[misc,override]
        for row in rows:
            self.append(row)
        return self


def _take(rows: list[_Row]) -> list[_Row]:
    # Not a swap of lists: a thread that has just looked its list up would append
    # to the old one after the pump was done with it, and the row would be lost.
    taken = rows[:]
    del rows[: len(taken)]
    return taken


def _take_items(items: dict[int, _Item]) -> dict[int, _Item]:
    # As above: a key that a thread adds meanwhile stays for the next round.
    return {key: items.pop(key) for key in list(items)} if items else {}
