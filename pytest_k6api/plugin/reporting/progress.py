"""Progress of a running load test: a live view on a terminal, a line at intervals elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest

from pytest_k6api.plugin.reporting.terminal import Terminal, uncaptured
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.report import ProgressLine, ProgressView, progress_text


@contextmanager
def shown_progress(config: pytest.Config, target: str) -> Iterator[ProgressView | None]:
    """Yield the view of a load test's progress, or None where no progress is shown.

    Args:
        config: The session's.
        target: The base of relative URLs; empty if there is none.
    """
    terminal = Terminal(config)
    settings = Settings.of(config)
    period = settings.seconds("progress")
    with uncaptured(config):
        is_interactive = terminal.is_interactive
    if is_interactive and terminal.verbosity >= 0:
        with _drawn(config, terminal, target) as view:
            yield view
    elif period > 0 and (terminal.verbosity >= 0 or settings.was_given("progress")):
        log = _Log(period, target, config, terminal)
        yield log
        log.close()
    else:
        yield None


class _Log:
    """Writes the progress of each scenario as a line of text, below pytest's current line."""

    def __init__(
        self, period: float, target: str, config: pytest.Config, terminal: Terminal
    ) -> None:
        self.period = period
        self._target = target
        self._config = config
        self._terminal = terminal
        self._begun = ""

    def show(self, lines: Sequence[ProgressLine]) -> None:
        with uncaptured(self._config):
            if self._terminal.line:
                # Not by pytest's reporter, which would forget its current line.
                self._begun = self._terminal.line
                self._terminal.write("\n")
            for line in lines:
                self._terminal.write_line(f"k6: {progress_text(line, self._target)}")
            self._terminal.flush()

    def close(self) -> None:
        """Write that line again, so that the test's dot or word has its column."""
        if self._begun:
            with uncaptured(self._config):
                self._terminal.write(self._begun)


@contextmanager
def _drawn(config: pytest.Config, terminal: Terminal, target: str) -> Iterator[ProgressView]:
    from pytest_k6api.report import ProgressDisplay

    assert terminal.stream is not None
    display = ProgressDisplay(
        terminal.stream,
        partial(uncaptured, config),
        target=target,
        line=terminal.line,
        coloured=terminal.has_colours,
    )
    # With -s the output of VUs reaches the terminal as well.
    prints = config.getoption("capture", "fd") == "no"
    streams = (sys.stdout, sys.stderr) if prints else ()
    pauser = _WhileDebugging(display.close)
    config.pluginmanager.register(pauser)
    try:
        with display.making_way(*streams):
            yield display
    finally:
        config.pluginmanager.unregister(pauser)
        display.close()


class _WhileDebugging:
    """Removes the view before the prompt of a debugger; the loop draws it again afterwards."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def pytest_enter_pdb(self) -> None:
        self._close()
