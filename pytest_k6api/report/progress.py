"""The live view of a running load test: one line for each scenario, on a terminal only.

rich draws; nothing here has a timer or a thread of its own, so that drawing
happens only where the load test's loop wants it to.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pytest_k6api.report.progress_line import ProgressLine
from pytest_k6api.report.units import format_count, format_time


class ProgressDisplay:
    """Draws progress lines over each other, at the bottom of a terminal.

    Args:
        stream: The terminal.
        uncaptured: Gives a context in which output reaches the terminal; pytest
            captures everything while a test runs.
    """

    def __init__(
        self, stream: TextIO, uncaptured: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._uncaptured = uncaptured
        console = Console(file=stream, force_terminal=True, highlight=False)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._started = False

    def show(self, lines: Sequence[ProgressLine]) -> None:
        """Draw `lines` in place of those shown before."""
        with self._uncaptured():
            if not self._started:
                # pytest has printed the test's file name without ending the line.
                self._live.console.print()
                self._live.start()
                self._started = True
            self._live.update(_table(lines), refresh=True)

    def close(self) -> None:
        """Take the lines away."""
        if self._started:
            with self._uncaptured():
                self._live.stop()


def _table(lines: Sequence[ProgressLine]) -> Table:
    table = Table.grid(padding=(0, 2))
    for line in lines:
        table.add_row(
            Text(f"  {line.name}", style="bold"),
            _bar(line),
            Text(line.state, style="yellow" if line.state == "paused" else "dim"),
            Text(format_time(round(line.elapsed, 1) * 1000)),
            Text(f"{line.vus}/{line.vus_max} VUs"),
            Text(f"{format_count(line.iterations)} iterations"),
            Text(f"{line.requests_per_second:,.0f} req/s"),
            Text(f"p95 {format_time(line.p95)}" if line.p95 is not None else ""),
            Text(f"{format_count(line.failures)} failed", style="red" if line.failures else "dim"),
        )
    return table


def _bar(line: ProgressLine) -> ProgressBar:
    if line.share is None:
        return ProgressBar(total=None, width=20, pulse=True)
    return ProgressBar(total=1.0, completed=min(line.share, 1.0), width=20)
