"""Requests by name as rows of a table, for a terminal and for Markdown. Pure."""

from collections.abc import Iterator, Sequence

from pytest_k6api.metrics import RequestsRow
from pytest_k6api.report.text.units import format_count, format_per_second, format_time

_LONGEST_NAME = 36
_TIMES = ("avg", "p(50)", "p(95)", "p(99)", "max")
# Not two: in most cases the table then fits into 80 columns.
_GAP = " "


def request_rows(requests: Sequence[RequestsRow], target: str) -> Iterator[list[str]]:
    """Yield the head of the table, then the cells of each row; nothing if there are no rows.

    Args:
        requests: The rows.
        target: What relative URLs are joined to; names leave it out.
    """
    if requests:
        yield ["name", "count", "failed", "req/s", "avg", "p50", "p95", "p99", "max"]
    for row in requests:
        yield [
            _label(row, target),
            format_count(row.count),
            format_count(row.failed),
            format_per_second(row.per_second).removesuffix("/s"),
            *(format_time(row.times[stat]) for stat in _TIMES),
        ]


def request_lines(requests: Sequence[RequestsRow], target: str) -> list[str]:
    """Return the table as lines for a terminal, its title first; empty if there are no rows."""
    rows = list(request_rows(requests, target))
    if not rows:
        return []
    head, *body = rows
    # Names stand below their scenario.
    body = [
        [f"{'  ' if row.scenario and row.name else ''}{name}", *cells]
        for row, (name, *cells) in zip(requests, body, strict=True)
    ]
    lines = [["REQUESTS BY NAME", *head[1:]], *([f"  {name}", *cells] for name, *cells in body)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        _GAP.join(
            [
                f"{name:<{widths[0]}}",
                *(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)),
            ]
        )
        for name, *cells in lines
    ]


def _label(row: RequestsRow, target: str) -> str:
    if not row.name:
        return row.scenario or f"{format_count(row.names)} more names"
    name = row.name
    if target and name.startswith(f"{target.rstrip('/')}/"):
        name = name[len(target.rstrip("/")) :]
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
