"""The live view of a running load test: its target and one line for each scenario, on a terminal.

pytest leaves the cursor behind a file's or a test's name, where the dot or the word
will stand. The view is drawn below, and taking it away puts the cursor back, so
that columns stay as they are. Whatever else is written to the terminal meanwhile
takes the view away first, and after a whole line the view is drawn again.

rich makes the table; nothing here has a timer or a thread of its own, so that
drawing happens only where the load test's loop wants it to. On a narrow terminal a
line shows less (`progress_cells`), because one that wraps is no line.
"""

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from io import StringIO
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console

from pytest_k6api.report.live.cells import table_of
from pytest_k6api.report.live.progress import ProgressLine
from pytest_k6api.report.text.units import in_encoding

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A terminal that has gone: closed, or hung up.
_GONE = (OSError, ValueError)


class ProgressDisplay:
    """Draws progress lines over each other, at the bottom of a terminal.

    Args:
        stream: The terminal.
        uncaptured: Gives a context in which output reaches the terminal; pytest
            captures everything while a test runs.
        target: Where requests go, for the first line; empty for none.
        line: What is written in the cursor's line.
        coloured: Whether colours may be used.
    """

    period = 0.5

    def __init__(
        self,
        stream: TextIO,
        uncaptured: Callable[[], AbstractContextManager[None]],
        *,
        target: str = "",
        line: str = "",
        coloured: bool = True,
    ) -> None:
        self._stream = stream
        self._write = stream.write
        self._uncaptured = uncaptured
        self._target = target
        self._column = _column_after(0, line)
        self._coloured = coloured
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._picture: list[str] = []
        self._height = 0
        self._back = ""
        # Scenarios in threads print, too.
        self._lock = threading.RLock()

    def show(self, lines: Sequence[ProgressLine]) -> None:
        """Draw `lines` in place of those shown before."""
        with self._uncaptured(), self._lock, suppress(*_GONE):
            width = shutil.get_terminal_size().columns
            picture = self._rendered(lines, width)
            self._write(self._erased() + self._drawn(picture, width))
            self._stream.flush()

    def close(self) -> None:
        """Take the lines away."""
        with self._uncaptured(), self._lock, suppress(*_GONE):
            self._picture = []
            if self._height:
                self._write(self._erased())
                self._stream.flush()

    @contextmanager
    def making_way(self, *streams: TextIO) -> Iterator[None]:
        """Let what is written to the terminal and to `streams` take the lines away first."""
        with ExitStack() as stack:
            for stream in {id(each): each for each in (self._stream, *streams)}.values():
                stack.enter_context(self._making_way(stream))
            yield

    @contextmanager
    def _making_way(self, stream: TextIO) -> Iterator[None]:
        names = getattr(stream, "__dict__", None)
        if names is None:
            yield
            return
        before, write = names.get("write"), stream.write

        def write_above(text: str) -> int:
            with self._lock:
                return self._above(text, write)

        stream.write = write_above  # type: ignore[method-assign]
        try:
            yield
        finally:
            if before is not None:
                stream.write = before  # type: ignore[method-assign]
            else:
                del stream.write

    def _above(self, text: str, write: Callable[[str], int]) -> int:
        if self._height:
            with suppress(*_GONE):
                self._write(self._erased())
                self._stream.flush()
        written = write(text)
        self._column = _column_after(self._column, text)
        if self._picture and not self._column:
            with suppress(*_GONE):
                self._write(self._drawn(self._picture, shutil.get_terminal_size().columns))
                self._stream.flush()
        return written

    def _rendered(self, lines: Sequence[ProgressLine], width: int) -> list[str]:
        console = Console(
            file=StringIO(),
            width=width,
            force_terminal=True,
            color_system="auto" if self._coloured else None,
            highlight=False,
        )
        can_draw = in_encoding("…", self._encoding) == "…"
        shown = [replace(line, name=in_encoding(line.name, self._encoding)) for line in lines]
        with console.capture() as captured:
            console.print(table_of(shown, width, overflow="ellipsis" if can_draw else "crop"))
        head = [f"  {self._target}"[:width]] if self._target else []
        return [
            in_encoding(line, self._encoding)
            for line in (*head, *captured.get().rstrip("\n").split("\n"))
        ]

    def _drawn(self, picture: list[str], width: int) -> str:
        self._picture = picture
        self._height = len(picture)
        # The cursor goes to the margin: the ^C that a terminal echoes has room there.
        drawn = "\n".join(picture) + "\r"
        if not self._column:
            self._back = ""
            return drawn
        # A long name goes on in the next line; at the end of a line the cursor stays in it.
        column = min((self._column - 1) % width + 2, width)
        self._back = f"\x1b[1A\x1b[{column}G"
        return "\n" + drawn

    def _erased(self) -> str:
        if not self._height:
            return ""
        # Behind a ^C that the terminal has echoed, the cursor is not at the margin.
        taken_away = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (self._height - 1)
        self._height = 0
        return taken_away + self._back


def _column_after(column: int, text: str) -> int:
    """Return in which column the cursor is when `text` has been written from `column` on."""
    *above, line = re.split(r"[\r\n]", _ESCAPE.sub("", text))
    return cell_len(line) + (0 if above else column)
