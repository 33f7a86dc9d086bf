"""From rows, as virtual users write them, to columns, as sinks take them.

This is the hot half of the engine: what is done here is done for each request
(``benchmarks/bench_ingest.py`` has the figures). So rows are turned into columns
by one ``zip``, and sorted by tag set with one dictionary lookup each; whatever
is counted is counted a column at a time, in C.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from pytest_k6api.metrics.sinks.trend import is_countable
from pytest_k6api.model import Batch, HttpRow, IterationRow, Metric, MetricKind, SampleRow, ValueRow
from pytest_k6api.model import metrics as built_in


class Store(Protocol):
    """What columns are added to: the samples of one metric."""

    @property
    def metric(self) -> Metric:
        """The metric."""

    def add(self, values: Sequence[float], parts: Mapping[int, Sequence[float]], /) -> None:
        """Add `values`, which are in `parts` by the numbers of their tag sets."""


Stores = Callable[[Metric], Store]
# Columns of mixed types, as zip gives them: typed by the row types in `model.samples`.
Columns = Sequence[tuple[Any, ...]]
Parts = Mapping[int, Columns]

_HTTP_TRENDS = (
    (built_in.HTTP_REQ_DURATION, 2),
    (built_in.HTTP_REQ_BLOCKED, 3),
    (built_in.HTTP_REQ_CONNECTING, 4),
    (built_in.HTTP_REQ_TLS_HANDSHAKING, 5),
    (built_in.HTTP_REQ_SENDING, 6),
    (built_in.HTTP_REQ_WAITING, 7),
    (built_in.HTTP_REQ_RECEIVING, 8),
)
_NUMBERS = frozenset((int, float, bool))


def ingest(batch: Batch, store_of: Stores) -> dict[str, int]:
    """Add everything in `batch`; return how many samples were refused, by the metric's name."""
    if batch.http:
        _ingest_http(batch.http, store_of)
    if batch.iterations:
        _ingest_iterations(batch.iterations, store_of)
    if batch.groups:
        _ingest_values(built_in.GROUP_DURATION, batch.groups, store_of)
    if batch.checks:
        _ingest_values(built_in.CHECKS, batch.checks, store_of)
    return _ingest_samples(batch.samples, store_of) if batch.samples else {}


def _ingest_http(rows: Sequence[HttpRow], store_of: Stores) -> None:
    """Add requests: how many, how many failed, and seven times of each."""
    columns = list(zip(*rows, strict=True))
    parts = _by_tags(rows, columns)
    _add_ones(store_of(built_in.HTTP_REQS), columns, parts)
    _add_judged(store_of(built_in.HTTP_REQ_FAILED), columns, parts, 1)
    for metric, index in _HTTP_TRENDS:
        _add_column(store_of(metric), columns, parts, index)


def _ingest_iterations(rows: Sequence[IterationRow], store_of: Stores) -> None:
    """Add iterations: bytes of all; number, duration and failure of the complete ones."""
    columns = list(zip(*rows, strict=True))
    parts = _by_tags(rows, columns)
    if None not in columns[1]:
        _add_complete(columns, parts, store_of)
    elif complete := [row for row in rows if row[1] is not None]:
        kept = list(zip(*complete, strict=True))
        _add_complete(kept, _by_tags(complete, kept), store_of)
    _add_column(store_of(built_in.DATA_SENT), columns, parts, 3)
    _add_column(store_of(built_in.DATA_RECEIVED), columns, parts, 4)


def _add_complete(columns: Columns, parts: Parts, store_of: Stores) -> None:
    _add_ones(store_of(built_in.ITERATIONS), columns, parts)
    _add_column(store_of(built_in.ITERATION_DURATION), columns, parts, 1)
    _add_judged(store_of(built_in.ITERATION_FAILURES), columns, parts, 2)


def _ingest_values(metric: Metric, rows: Sequence[ValueRow], store_of: Stores) -> None:
    columns = list(zip(*rows, strict=True))
    _add_column(store_of(metric), columns, _by_tags(rows, columns), 1)


def _ingest_samples(rows: Sequence[SampleRow], store_of: Stores) -> dict[str, int]:
    """Add samples of any metrics; return how many were refused, by the metric's name."""
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
            columns = list(zip(*usable, strict=True))
            parts = _by_tags(usable, columns, 1)
            if usable[0][0].kind is MetricKind.GAUGE and len(parts) > 1:
                # Its last value counts: the youngest part comes last.
                parts = {tags_id: parts[tags_id] for tags_id in _by_last_place(columns[1])}
            _add_column(store_of(usable[0][0]), columns, parts, 2)
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


def _by_tags(rows: Iterable[Any], columns: Columns, key: int = 0) -> Parts:
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


def _by_last_place(column: Sequence[int]) -> list[int]:
    """Return the different numbers in `column`, in the order of their last places."""
    return list(dict.fromkeys(reversed(column)))[::-1]


def _add_column(store: Store, columns: Columns, parts: Parts, index: int) -> None:
    store.add(columns[index], {tags_id: part[index] for tags_id, part in parts.items()})


def _add_ones(store: Store, columns: Columns, parts: Parts) -> None:
    store.add(
        (1,) * len(columns[0]), {tags_id: (1,) * len(part[0]) for tags_id, part in parts.items()}
    )


def _add_judged(store: Store, columns: Columns, parts: Parts, index: int) -> None:
    """Add a column of 1 and 0, less what nobody has judged (None)."""
    column = columns[index]
    if None not in column:
        _add_column(store, columns, parts, index)
        return
    judged = _without_none(column)
    if judged:
        kept = {tags_id: _without_none(part[index]) for tags_id, part in parts.items()}
        store.add(judged, {tags_id: part for tags_id, part in kept.items() if part})


def _without_none(column: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value for value in column if value is not None)
