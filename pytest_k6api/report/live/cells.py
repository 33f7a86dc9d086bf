"""Cells of progress lines that fit into the width of a terminal.

Nothing wraps. The bar takes what is left over; where there is too little, it goes
first, then words become short and long names end in …, a percentage stands for state
and time, and the numbers go that are least missed. What failed is always told.
"""

from collections.abc import Callable, Mapping, Sequence

from rich.console import OverflowMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pytest_k6api.report.live.progress import ProgressLine
from pytest_k6api.report.text.units import format_count

_MARGIN = 2
_GAP = 2
_LONGEST_BAR = 20
_SHORTEST_BAR = 8
_SHORTEST_NAME = 16


def table_of(
    lines: Sequence[ProgressLine], width: int, *, overflow: OverflowMethod = "ellipsis"
) -> Table:
    """Return a table of `lines`, at most `width` columns wide if that is 20 or more.

    Args:
        lines: One for each scenario.
        width: Columns of the terminal.
        overflow: How a name ends that is too long.
    """
    columns = _fitting(lines, width)
    left = width - _MARGIN - sum(_width(column) + _GAP for column in columns)
    names = [Text(line.name, style="bold") for line in lines]
    bar = min(left - _width(names) - _GAP, _LONGEST_BAR)
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for number, line in enumerate(lines):
        names[number].truncate(max(left, 1), overflow=overflow)
        cells: list[RenderableType] = [Text(" " * _MARGIN) + names[number]]
        if bar >= _SHORTEST_BAR:
            cells.append(_bar(line, bar))
        table.add_row(*cells, *(column[number] for column in columns))
    return table


def _fitting(lines: Sequence[ProgressLine], width: int) -> list[list[Text]]:
    longest = _width([Text(line.name) for line in lines])
    for selection in _SELECTIONS:
        columns = [[_CELLS[name](line) for line in lines] for name in selection]
        # Names are shortened only when the words are.
        name = longest if selection is _SELECTIONS[0] else min(longest, _SHORTEST_NAME)
        if _MARGIN + name + sum(_width(column) + _GAP for column in columns) <= width:
            break
    return columns


def _width(cells: Sequence[Text]) -> int:
    return max(cell.cell_len for cell in cells)


def _bar(line: ProgressLine, width: int) -> ProgressBar:
    if line.share is None:
        return ProgressBar(total=None, width=width, pulse=True)
    return ProgressBar(total=1.0, completed=min(line.share, 1.0), width=width)


def _state(line: ProgressLine) -> Text:
    return Text(line.state, style="yellow" if line.state == "paused" else "dim")


def _elapsed(line: ProgressLine) -> Text:
    return Text(line.time_text)


def _so_far(line: ProgressLine) -> Text:
    if line.state == "paused":
        return _state(line)
    return Text(f"{line.share:.0%}") if line.share is not None else _elapsed(line)


def _p95(line: ProgressLine) -> Text:
    return Text(line.p95_text)


def _failed(line: ProgressLine) -> Text:
    style = "red" if line.failures else "dim"
    return Text(line.failures_text, style=style)


_CELLS: Mapping[str, Callable[[ProgressLine], Text]] = {
    "state": _state,
    "elapsed": _elapsed,
    "so far": _so_far,
    "VUs": lambda line: Text(f"{line.vus}/{line.vus_max} VUs"),
    "iterations": lambda line: Text(f"{format_count(line.iterations)} iterations"),
    "iter": lambda line: Text(f"{format_count(line.iterations)} iter"),
    "req/s": lambda line: Text(line.rate_text),
    "p95": _p95,
    "failed": _failed,
}

# The first that fits is shown.
_SELECTIONS: Sequence[Sequence[str]] = [
    ("state", "elapsed", "VUs", "iterations", "req/s", "p95", "failed"),
    ("state", "elapsed", "VUs", "iter", "req/s", "p95", "failed"),
    ("so far", "VUs", "iter", "req/s", "p95", "failed"),
    ("so far", "VUs", "req/s", "p95", "failed"),
    ("so far", "req/s", "p95", "failed"),
    ("so far", "req/s", "failed"),
    ("so far", "failed"),
    ("failed",),
]
