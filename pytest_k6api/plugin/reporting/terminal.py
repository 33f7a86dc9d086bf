"""The terminal of a session, through the plugin that reports to it: pytest's, another, or none.

Reporters of other plugins have some attributes of pytest's reporter; a missing
attribute costs a line of output, never a test, and so does a terminal that has been
closed. Control characters are escaped, and characters that the encoding lacks are
replaced.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, TextIO

import pytest

_NO_CURSOR = frozenset({"dumb", "unknown"})


class Terminal:
    """The terminal of a session.

    Args:
        config: The session's.
    """

    def __init__(self, config: pytest.Config) -> None:
        # Of any class: other plugins register reporters under this name.
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._writer: Any = getattr(self._reporter, "_tw", None)
        self.verbosity = config.get_verbosity()

    @property
    def stream(self) -> TextIO | None:
        """The stream that it writes to; None without a terminal reporter."""
        stream: TextIO | None = getattr(self._writer, "_file", None)
        return stream

    @property
    def is_interactive(self) -> bool:
        """Whether the cursor can be moved; valid where output is `uncaptured`."""
        isatty = getattr(self.stream, "isatty", None)
        return isatty is not None and isatty() and os.environ.get("TERM") not in _NO_CURSOR

    @property
    def encoding(self) -> str:
        """The encoding of the stream; in a worker of pytest-xdist that of its own output."""
        return getattr(self.stream or sys.__stdout__, "encoding", None) or "utf-8"

    @property
    def width(self) -> int:
        """Columns of an interactive terminal; 0 for files and pipes, which get whole lines."""
        return self._writer.fullwidth if self.is_interactive else 0

    @property
    def line(self) -> str:
        """The text of the current line."""
        return getattr(self._writer, "_current_line", "")

    @property
    def has_colours(self) -> bool:
        """Whether colours are wanted."""
        return getattr(self._writer, "hasmarkup", False)

    def end_line(self) -> None:
        """End the line that pytest has begun, if it has."""
        with suppress(OSError, ValueError, AttributeError):
            self._reporter.ensure_newline()
            if self.line:
                self._writer.line()

    def section(self, title: str) -> None:
        """Write a heading over the whole width."""
        if self._writer is not None:
            self.end_line()
            with suppress(OSError, ValueError):
                self._writer.sep("=", title, bold=True)

    def write_line(self, line: str, **markup: bool) -> None:
        """Write `line` and end it."""
        from pytest_k6api.model import printable
        from pytest_k6api.report import in_encoding

        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.line(in_encoding(printable(line), self.encoding), **markup)

    def write(self, text: str) -> None:
        """Write `text` unchanged."""
        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.write(text, flush=True)

    def flush(self) -> None:
        """Flush the stream."""
        with suppress(OSError, ValueError, AttributeError):
            self._writer.flush()


def tell(config: pytest.Config, line: str, *, even_quiet: bool = False, **markup: bool) -> None:
    """Write a line to the terminal, on a line of its own; not with ``-q``."""
    terminal = Terminal(config)
    if even_quiet or terminal.verbosity >= 0:
        with uncaptured(config):
            terminal.end_line()
            terminal.write_line(line, **markup)
            terminal.flush()


@contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Suspend pytest's capture, so that output reaches the terminal."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        yield
