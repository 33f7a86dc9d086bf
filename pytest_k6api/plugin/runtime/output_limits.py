"""Limits of captured output and log records.

pytest keeps them in memory for the report of a failed test. A million iterations
that log a line each would take gigabytes and make the report useless.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MOST_RECORDS = 10_000
"""The number of log records of a load test that pytest and `caplog` keep: the first ones."""

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
