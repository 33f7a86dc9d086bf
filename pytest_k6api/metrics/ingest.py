"""From rows, as virtual users write them, to columns, as sinks take them.

This is the hot half of the engine: its work is done for each request
(``benchmarks/bench_ingest.py`` has the figures). So rows are turned into columns
by one ``zip``, and sorted by tag set with one dictionary lookup each; all counting
is done a column at a time, in C. It knows no protocol: which metrics a row feeds is
declared by its `RowType`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from pytest_k6api.metrics.sinks.trend import is_countable
from pytest_k6api.model import Batch, Column, Metric, MetricKind, RowType, SampleRow

# The samples of one metric by the numbers of their tag sets.
Parts = Mapping[int, Sequence[float]]


class Store(Protocol):
    """All samples of one metric, as far as columns are added to it."""

    @property
    def metric(self) -> Metric:
        """The metric."""

    def add(self, values: Sequence[float], parts: Parts, /) -> None:
        """Add `values`, which are in `parts` by the numbers of their tag sets."""


class ColumnObserver(Protocol):
    """Sees each column of samples that is added to a store."""

    def see(
        self,
        metric: Metric,
        parts: Parts,
        times_ns: Mapping[int, Sequence[int]] | None,
        numbers: Mapping[int, Sequence[int]],
    ) -> None:
        """Take the samples of `metric`.

        Args:
            metric: The metric.
            parts: Its samples by the numbers of their tag sets.
            times_ns: When each was measured, by `time.perf_counter_ns`; None if that is
                not known.
            numbers: The number of the tag set as each row has it: a `MarkedTags` if the sample has
                metadata.
        """


Stores = Callable[[Metric], Store]
# Columns of mixed types, as zip gives them: typed where the row type is declared.
_Columns = Sequence[tuple[Any, ...]]

_NUMBERS = frozenset((int, float, bool))


def ingest(
    batch: Batch, store_of: Stores, observers: Sequence[ColumnObserver] = ()
) -> dict[str, int]:
    """Add everything in `batch`; return the number of refused samples by the metric's name."""
    for row_type, rows in batch.rows.items():
        if rows:
            _ingest_rows(row_type, rows, store_of, observers)
    return _ingest_samples(batch.samples, store_of, observers) if batch.samples else {}


def _ingest_rows(
    row_type: RowType,
    rows: Sequence[tuple[Any, ...]],
    store_of: Stores,
    observers: Sequence[ColumnObserver],
) -> None:
    columns = list(zip(*rows, strict=True))
    by_tags = _by_tags(rows, columns)
    timed = row_type.ended_at
    times = None if timed is None else {key: part[timed] for key, part in by_tags.items()}
    numbers = {key: part[0] for key, part in by_tags.items()}
    for column in row_type.columns:
        index = column.index
        parts: Parts
        if column.is_optional and None in columns[index]:
            given = [row for row in rows if row[index] is not None]
            if given:
                _ingest_rows(_required(row_type, column), given, store_of, observers)
            continue
        if column.counts_rows:
            values: Sequence[float] = (1,) * len(rows)
            parts = {key: (1,) * len(part[0]) for key, part in by_tags.items()}
        else:
            values = columns[index]
            parts = {key: part[index] for key, part in by_tags.items()}
        store_of(column.metric).add(values, parts)
        for observer in observers:
            observer.see(column.metric, parts, times, numbers)


def _required(row_type: RowType, column: Column) -> RowType:
    """Return the declaration of `column` alone, for rows that all have it."""
    return RowType(row_type.name, (column,), row_type.ended_at)


def _ingest_samples(
    rows: Sequence[SampleRow], store_of: Stores, observers: Sequence[ColumnObserver]
) -> dict[str, int]:
    """Add samples of any metrics; return the number of refused ones by the metric's name."""
    by_metric: dict[str, list[SampleRow]] = {}
    for row in rows:
        name = row[0].name
        if name in by_metric:
            by_metric[name].append(row)
        else:
            by_metric[name] = [row]
    refused: dict[str, int] = {}
    for name, samples in by_metric.items():
        usable = _usable(samples, store_of)
        if usable:
            metric = usable[0][0]
            columns = list(zip(*usable, strict=True))
            by_tags = _by_tags(usable, columns, 1)
            parts = {key: part[2] for key, part in by_tags.items()}
            numbers = {key: part[1] for key, part in by_tags.items()}
            if metric.kind is MetricKind.GAUGE and len(parts) > 1:
                # Its last value counts: the youngest part comes last.
                parts = {key: parts[key] for key in _by_last_occurrence(columns[1])}
            store_of(metric).add(columns[2], parts)
            for observer in observers:
                observer.see(metric, parts, None, numbers)
        if len(usable) < len(samples):
            refused[name] = len(samples) - len(usable)
    return refused


def _usable(rows: list[SampleRow], store_of: Stores) -> list[SampleRow]:
    """Return those of `rows` that the sinks can take: all of them, as a rule.

    Refused are values that are no finite numbers, and samples of a metric that
    shares its name with another one but not its kind.
    """
    if _are_countable([row[2] for row in rows]):
        metric = store_of(rows[0][0]).metric
        if all(row[0] is metric for row in rows):
            return rows
    return [row for row in rows if is_countable(row[2]) and store_of(row[0]).metric == row[0]]


def _are_countable(values: list[float]) -> bool:
    """Tell, in C, whether all `values` are surely fine: one that is not spoils the sum."""
    if not _NUMBERS.issuperset(map(type, values)):
        return False
    try:
        return math.isfinite(sum(values))
    except OverflowError:
        return False


def _by_tags(rows: Iterable[Any], columns: _Columns, key: int = 0) -> Mapping[int, _Columns]:
    """Return `columns` split by the numbers of the tag sets, which are in column `key`."""
    first = columns[key][0]
    if columns[key].count(first) == len(columns[key]):
        return {first: columns}
    groups: dict[int, list[Any]] = {}
    for row in rows:
        group = groups.get(row[key])
        if group is None:
            groups[row[key]] = [row]
        else:
            group.append(row)
    return {tags_id: list(zip(*group, strict=True)) for tags_id, group in groups.items()}


def _by_last_occurrence(column: Sequence[int]) -> list[int]:
    """Return the different numbers in `column`, in the order of their last occurrences."""
    return list(dict.fromkeys(reversed(column)))[::-1]
