"""Requests by name as rows of a table, for a terminal and for Markdown. Pure."""

from collections.abc import Iterator, Sequence

from pytest_k6api.metrics import RequestsRow, TracedRequest
from pytest_k6api.model import printable
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


def slowest_rows(slowest: Sequence[TracedRequest], target: str) -> Iterator[list[str]]:
    """Yield the head of the table of the slowest requests, then their cells; nothing without any.

    Args:
        slowest: The requests, the slowest first.
        target: What relative URLs are joined to; names leave it out.
    """
    if slowest:
        yield ["slowest", "trace", "request"]
    for each in slowest:
        what = (each.status, each.method, _short(each.name, target))
        shown = " ".join(filter(None, what))
        yield [format_time(each.duration_us / 1000), each.trace_id, printable(shown)]


def slowest_lines(slowest: Sequence[TracedRequest], target: str) -> list[str]:
    """Return the table as lines for a terminal, its title first; empty without requests."""
    _, *rows = list(slowest_rows(slowest, target)) or [[]]
    width = max((len(row[0]) for row in rows), default=0)
    lines = [f"  {took:>{width}}  {trace}  {request}" for took, trace, request in rows]
    return ["SLOWEST REQUESTS AND THEIR TRACES", *lines] if lines else []


def _label(row: RequestsRow, target: str) -> str:
    if not row.name:
        return row.scenario or f"{format_count(row.names)} more names"
    return _short(row.name, target)


def _short(name: str, target: str) -> str:
    if target and name.startswith(f"{target.rstrip('/')}/"):
        name = name[len(target.rstrip("/")) :]
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
