"""Requests by name as rows of a table, for a terminal and for Markdown. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pytest_k6api.metrics import RequestsRow, TracedRequest
from pytest_k6api.model import printable
from pytest_k6api.report.text.units import NOTHING, format_count, format_per_second, format_time

_LONGEST_NAME = 36
_TIMES = ("avg", "p(50)", "p(95)", "p(99)", "max")
_HEADS = ("avg", "p50", "p95", "p99", "max")
# Not two: in most cases the table then fits into 80 columns.
_GAP = " "


def request_tables(requests: Iterable[RequestsRow], target: str) -> Iterator[list[list[str]]]:
    """Yield a table for each protocol that has rows, as cells; the head of a table first.

    Args:
        requests: The rows.
        target: What relative URLs are joined to; names leave it out.
    """
    for protocol, rows in groupby(requests, key=lambda row: row.protocol):
        head = [protocol.named, "count", "failed", protocol.rate, *_HEADS]
        yield [head, *(_cells(row, target) for row in rows)]


def _cells(row: RequestsRow, target: str) -> list[str]:
    return [
        _label(row, target),
        format_count(row.count),
        format_count(row.failed),
        format_per_second(row.per_second).removesuffix("/s"),
        *(format_time(row.times[stat]) if row.times else NOTHING for stat in _TIMES),
    ]


def request_lines(requests: Sequence[RequestsRow], target: str) -> list[str]:
    """Return the table of one protocol as lines for a terminal; empty if there are no rows."""
    tables = list(request_tables(requests, target))
    if not tables:
        return []
    ((head, *body),) = tables
    # Names stand below their scenario.
    body = [
        [f"{'  ' if row.scenario and row.name else ''}{name}", *cells]
        for row, (name, *cells) in zip(requests, body, strict=True)
    ]
    lines = [[head[0].upper(), *head[1:]], *([f"  {name}", *cells] for name, *cells in body)]
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
    base = target.rstrip("/")
    # WebSocket's scheme stands for HTTP's.
    for start in (f"{base}/", f"{base.replace('http', 'ws', 1)}/") if base else ():
        if name.startswith(start):
            name = name[len(start) - 1 :]
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
