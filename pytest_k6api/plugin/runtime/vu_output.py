"""What VUs print and log, line by line with the VU that said it.

Hundreds of VUs share one standard output. While a load test runs, whatever is
written there asks who is writing; whoever writes nothing pays nothing. Lines
that a VU writes in pieces are kept until they are whole, so that the pieces of
two VUs never share a line.
"""

import contextvars
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

import pytest

from pytest_k6api.model import printable
from pytest_k6api.plugin.reporting.terminal import Terminal, uncaptured
from pytest_k6api.vu import current_vu

LONGEST_LINE = 10_000
"""Characters after which a line that does not end is written all the same."""


def speaker() -> str:
    """Return who runs the current task or thread: ``[test_buy vu 3] ``; empty if it is no VU."""
    vu = current_vu.get(None)
    # Setup and teardown run for VU 0, which is nobody.
    return f"[{vu.scenario} vu {vu.id}] " if vu is not None and vu.id else ""


class AttributedLines:
    """Writes what a VU says in whole lines that begin with its name, all else as it is.

    Args:
        write: Where it is written.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._begun: dict[str, str] = {}
        self._is_open = True

    def write(self, text: str) -> int:
        """Write `text`, or keep it until its line is whole; return its length."""
        who = speaker() if self._is_open else ""
        if not who:
            self._write(text)
            return len(text)
        *lines, rest = (self._begun.pop(who, "") + text).split("\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = ""
        if rest:
            self._begun[who] = rest
        if lines:
            # In one piece, because other threads write, too.
            self._write("".join(f"{who}{printable(line, lines=True)}\n" for line in lines))
        return len(text)

    def close(self) -> None:
        """Write the lines that were begun; from now on all passes as it is."""
        self._is_open = False
        begun, self._begun = self._begun, {}
        for who, text in begun.items():
            self._write(f"{who}{printable(text, lines=True)}\n")

    def open(self) -> None:
        """Ask again who is writing."""
        self._is_open = True


@contextmanager
def attributed_output(item: pytest.Function) -> Iterator[None]:
    """Say of every line that a VU prints or logs meanwhile which VU that is.

    Not of what a debugger says, and not of what is printed where the load test reads
    that itself, with ``capsys`` and its like. ``caplog`` has the records as they are.
    """
    with ExitStack() as stack:
        stack.enter_context(_attributed_logs(item.config))
        if not _is_read_by_others(item):
            lines = [
                stack.enter_context(_attributed(stream)) for stream in (sys.stdout, sys.stderr)
            ]
            pauser = _Debugging([each for each in lines if each is not None])
            item.config.pluginmanager.register(pauser)
            stack.callback(item.config.pluginmanager.unregister, pauser)
        yield


def _is_read_by_others(item: pytest.Function) -> bool:
    reads = any(isinstance(value, pytest.CaptureFixture) for value in item.funcargs.values())
    return reads or any(item.config.getoption(name, False) for name in ("usepdb", "trace"))


@contextmanager
def _attributed(stream: Any) -> Iterator[AttributedLines | None]:  # whatever sys.stdout is
    # The stream itself, not sys.stdout: pytest puts that back as it was whenever
    # it lets something through to the terminal.
    names = getattr(stream, "__dict__", None)
    if names is None:
        yield None
        return
    before = names.get("write")
    lines = AttributedLines(stream.write)
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

    In a worker of pytest-xdist, whose terminal is nowhere, it goes to the standard error
    stream, which is that of the controller where both are on one machine.
    """
    who = speaker()
    lines = [f"{who}{line}" for line in text.split("\n")]
    # In no context, where it is no VU that prints: the lines have its name already.
    contextvars.Context().run(_print_past_capture, config, lines)


def _print_past_capture(config: pytest.Config, lines: list[str]) -> None:
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
    """Lets everything pass while somebody debugs: prompts are no whole lines."""

    def __init__(self, lines: list[AttributedLines]) -> None:
        self._lines = lines

    def pytest_enter_pdb(self) -> None:
        for lines in self._lines:
            lines.close()

    def pytest_leave_pdb(self) -> None:
        for lines in self._lines:
            lines.open()


def _indented(text: str) -> str:
    # No line but the first begins where a line of pytest's could.
    return printable(text, lines=True).replace("\n", "\n    ")


class _AttributedRecords(logging.Formatter):
    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        # What a message brings along is shown; only the formatter's own colours are obeyed.
        shown.name = printable(record.name)
        shown.msg, shown.args = _indented(record.getMessage()), None
        if record.exc_info:
            shown.exc_text = _indented(self._formatter.formatException(record.exc_info))
        return f"{speaker()}{self._formatter.format(shown)}"


@contextmanager
def _attributed_logs(config: pytest.Config) -> Iterator[None]:
    logs = config.pluginmanager.get_plugin("logging-plugin")
    # Private to pytest: the report, the live log, the log file. Not that of `caplog`.
    names = ("report_handler", "log_cli_handler", "log_file_handler")
    handlers: list[Any] = [getattr(logs, name) for name in names] if logs is not None else []
    formatters = [handler.formatter for handler in handlers]
    for handler in handlers:
        handler.setFormatter(_AttributedRecords(handler.formatter))
    try:
        yield
    finally:
        for handler, formatter in zip(handlers, formatters, strict=True):
            handler.setFormatter(formatter)
