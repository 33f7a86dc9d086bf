"""The live view of a running load test: one line for each scenario, on a terminal only.

rich draws; nothing here has a timer or a thread of its own, so that drawing
happens only where the load test's loop wants it to. On a narrow terminal a line
shows less (`progress_cells`), because one that wraps is no line.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TextIO

from rich.console import Console
from rich.live import Live

from pytest_k6api.report.progress_cells import table_of
from pytest_k6api.report.progress_line import ProgressLine


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
            self._live.update(table_of(lines, self._live.console.width), refresh=True)

    def close(self) -> None:
        """Take the lines away."""
        if self._started:
            with self._uncaptured():
                self._live.stop()
