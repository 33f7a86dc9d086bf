"""Output of VUs: each line that a VU prints or logs begins with its scenario and number.

Hundreds of VUs share one standard output. While a load test runs, each write looks up
the VU of the current task or thread; a VU that prints nothing pays nothing. Lines
that a VU writes in pieces are kept until they are whole, so that the pieces of
two VUs never share a line.
"""

import contextvars
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

import pytest

from pytest_k6api.model import printable
from pytest_k6api.plugin.hooks.stash_keys import EXCHANGES
from pytest_k6api.plugin.reporting.terminal import Terminal, uncaptured
from pytest_k6api.vu import current_vu

PREFIX = "pytest_k6api_prefix"
"""The attribute of a log record that has the prefix of a VU in another process."""

LONGEST_LINE = 10_000
"""Length at which a line without an end is written."""


def vu_prefix() -> str:
    """Return the prefix of the current VU, such as ``[test_buy vu 3] ``; empty outside of VUs."""
    vu = current_vu.get(None)
    # Setup and teardown run as VU 0, which is no virtual user.
    return f"[{vu.scenario} vu {vu.id}] " if vu is not None and vu.id else ""


class VULines:
    """Writes output of VUs in whole lines with their prefix, and other output unchanged.

    Args:
        write: Writes text to the stream.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._begun: dict[str, str] = {}
        self._is_open = True

    def write(self, text: str) -> int:
        """Write `text`, or keep it until its line is whole; return its length."""
        prefix = vu_prefix() if self._is_open else ""
        if not prefix:
            self._write(text)
            return len(text)
        *lines, rest = (self._begun.pop(prefix, "") + text).split("\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = ""
        if rest:
            self._begun[prefix] = rest
        if lines:
            # In one piece, because other threads write, too.
            self._write("".join(f"{prefix}{printable(line, lines=True)}\n" for line in lines))
        return len(text)

    def close(self) -> None:
        """Write unfinished lines; from now on all output passes unchanged."""
        self._is_open = False
        begun, self._begun = self._begun, {}
        for prefix, text in begun.items():
            self._write(f"{prefix}{printable(text, lines=True)}\n")

    def open(self) -> None:
        """Add prefixes again."""
        self._is_open = True


@contextmanager
def prefixed_output(item: pytest.Function) -> Iterator[None]:
    """Add the prefix of the VU to every line that a VU prints or logs meanwhile.

    Output of a debugger has none, nor has printed output that the load test reads
    itself, with ``capsys`` and its like. ``caplog`` has the records unchanged.
    """
    with ExitStack() as stack:
        stack.enter_context(_prefixed_logs(item.config))
        if not _is_read_by_others(item):
            lines = [stack.enter_context(_prefixed(stream)) for stream in (sys.stdout, sys.stderr)]
            pauser = _Debugging([each for each in lines if each is not None])
            item.config.pluginmanager.register(pauser)
            stack.callback(item.config.pluginmanager.unregister, pauser)
        yield


def _is_read_by_others(item: pytest.Function) -> bool:
    reads = any(isinstance(value, pytest.CaptureFixture) for value in item.funcargs.values())
    return reads or any(item.config.getoption(name, False) for name in ("usepdb", "trace"))


@contextmanager
def _prefixed(stream: Any) -> Iterator[VULines | None]:  # any object can be sys.stdout
    # The stream itself, not sys.stdout: pytest restores that whenever it suspends its
    # capture.
    names = getattr(stream, "__dict__", None)
    if names is None:
        yield None
        return
    before = names.get("write")
    lines = VULines(stream.write)
    stream.write = lines.write
    try:
        yield lines
    finally:
        if before is not None:
            stream.write = before
        else:
            del stream.write
        lines.close()


def print_exchange(config: pytest.Config, text: str) -> None:
    """Print `text` past pytest's capture, each line with the VU that made the request.

    In a worker of pytest-xdist, which has no terminal, it goes to the standard error
    stream, which is the controller's where both are on one machine. A worker of this plugin
    keeps it for its controller.
    """
    prefix = vu_prefix()
    lines = [f"{prefix}{line}" for line in text.split("\n")]
    # In an empty context, outside of VUs: the lines have their prefix already.
    contextvars.Context().run(print_past_capture, config, lines)


def print_past_capture(config: pytest.Config, lines: Sequence[str]) -> None:
    """Print `lines` to the terminal, whether pytest captures output or not."""
    if (kept := config.stash.get(EXCHANGES, None)) is not None:
        kept.extend(lines)
        return
    terminal = Terminal(config)
    with uncaptured(config):
        if terminal.stream is None or hasattr(config, "workerinput"):
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()
            return
        terminal.end_line()
        for line in lines:
            terminal.write_line(line)
        terminal.flush()


class _Debugging:
    """Passes all output while a debugger runs: prompts are unfinished lines."""

    def __init__(self, lines: list[VULines]) -> None:
        self._lines = lines

    def pytest_enter_pdb(self) -> None:
        for lines in self._lines:
            lines.close()

    def pytest_leave_pdb(self) -> None:
        for lines in self._lines:
            lines.open()


def _indented(text: str) -> str:
    # Further lines are indented, so that none looks like a line of pytest's.
    return printable(text, lines=True).replace("\n", "\n    ")


class _PrefixedRecords(logging.Formatter):
    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        # Control characters of messages are escaped; the formatter's own colours stay.
        shown.name = printable(record.name)
        shown.msg, shown.args = _indented(record.getMessage()), None
        if record.exc_info:
            shown.exc_text = _indented(self._formatter.formatException(record.exc_info))
        prefix: str = getattr(record, PREFIX, None) or vu_prefix()
        return f"{prefix}{self._formatter.format(shown)}"


@contextmanager
def _prefixed_logs(config: pytest.Config) -> Iterator[None]:
    logs = config.pluginmanager.get_plugin("logging-plugin")
    # Private to pytest: the report, the live log, the log file. Not that of `caplog`.
    names = ("report_handler", "log_cli_handler", "log_file_handler")
    handlers: list[Any] = [getattr(logs, name) for name in names] if logs is not None else []
    formatters = [handler.formatter for handler in handlers]
    for handler in handlers:
        handler.setFormatter(_PrefixedRecords(handler.formatter))
    try:
        yield
    finally:
        for handler, formatter in zip(handlers, formatters, strict=True):
            handler.setFormatter(formatter)
