"""Limits of captured output, log records and warnings.

pytest keeps them in memory for the report of a failed test, or of the session. A million
iterations that log a line each would take gigabytes and make the report useless.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

MOST_RECORDS = 10_000
"""The number of log records of a load test that pytest and `caplog` keep: the first ones."""

MOST_WARNINGS = 1_000
"""The number of warnings of a load test that differ in text, category or place: the first ones."""

MOST_TEXT = 100_000
"""The number of characters of one section of captured output in a report: start and end."""


class _First(logging.Filter):
    """Passes the first records, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - its name is logging's
        self.seen += 1
        return self.seen <= MOST_RECORDS


@contextmanager
def bounded_logs(config: pytest.Config) -> Iterator[None]:
    """Keep the first `MOST_RECORDS` log records, and report the number of others."""
    logs = config.pluginmanager.get_plugin("logging-plugin")
    if logs is None:
        yield
        return
    # Private to pytest, and the only places where records pile up.
    handlers: list[Any] = [logs.caplog_handler, logs.report_handler]
    firsts = [_First(), _First()]
    for handler, first in zip(handlers, firsts, strict=True):
        handler.addFilter(first)
    try:
        yield
    finally:
        for handler, first in zip(handlers, firsts, strict=True):
            handler.removeFilter(first)
        more = firsts[1].seen - MOST_RECORDS
        if more > 0:
            handlers[1].stream.write(f"\n… and {more:,} more log records, which were not kept\n")


@contextmanager
def watched_warnings(
    passes: Callable[[Warning | str, type[Warning], str, int], bool],
) -> Iterator[None]:
    """Show the warnings of which `passes` says so, by text, category, file and line."""
    shown = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any
    ) -> None:
        if passes(message, category, filename, lineno):
            shown(message, category, filename, lineno, *more)

    # The two parameters more are passed on as they come.
    warnings.showwarning = show  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = shown


def bounded_warnings() -> AbstractContextManager[None]:
    """Show each warning once, however many iterations make it, and the first `MOST_WARNINGS`."""
    seen: set[tuple[object, ...]] = set()

    def is_new(message: Warning | str, category: type[Warning], filename: str, lineno: int) -> bool:
        # Workers tell the category by name.
        kind = (str(message), category.__module__, category.__qualname__, filename, lineno)
        if kind in seen or len(seen) == MOST_WARNINGS:
            return False
        seen.add(kind)
        return True

    return watched_warnings(is_new)


def shorten_sections(report: pytest.TestReport) -> None:
    """Cut the middle of captured output that is longer than `MOST_TEXT`."""
    report.sections = [(title, shortened(text)) for title, text in report.sections]


def shortened(text: str) -> str:
    """Return `text`, without its middle if it is longer than `MOST_TEXT`."""
    more = len(text) - MOST_TEXT
    if more <= 0:
        return text
    half = MOST_TEXT // 2
    return f"{text[:half]}\n… {more:,} characters left out …\n{text[-half:]}"
