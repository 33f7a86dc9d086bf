"""What the end of a session tells about its load tests: a summary for each."""

import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.plugin.stashes import UNREPORTED

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY = "k6_summary"
"""The attribute of a report that carries a summary, also from another process."""

_COLOURS: "Mapping[str, dict[str, bool]]" = {
    "✓": {"green": True},
    "✗": {"red": True},
    "↳": {"red": True},
    "!": {"yellow": True},
}


# What stands before the values of a metric; they go on below each other.
_LABEL = re.compile(r" +\S.*?\.{3,}: |! ")


def print_summaries(reporter: "pytest.TerminalReporter") -> None:
    """Print every load test's summary; with -q those of failed ones, and warnings of the others."""
    reports = [
        report
        for found in reporter.stats.values()
        for report in found
        if getattr(report, SUMMARY, None)
    ]
    unreported: list[list[str]] = reporter.config.stash.get(UNREPORTED, [])
    summaries = [*(_shown(reporter, report) for report in reports), *unreported]
    if not any(summaries):
        return
    reporter.section("load tests", bold=True)
    for summary in filter(None, summaries):
        print_summary(reporter, summary)


def _shown(reporter: "pytest.TerminalReporter", report: "pytest.TestReport") -> list[str]:
    summary: list[str] = getattr(report, SUMMARY)
    if reporter.verbosity >= 0 or report.failed:
        return summary
    # A green dot alone would hide that, say, no request was answered.
    warnings = [line for line in summary if line.startswith("! ")]
    return [summary[0], *warnings] if warnings else []


def print_summary(reporter: "pytest.TerminalReporter", summary: list[str]) -> None:
    """Print one summary, its first line as a heading."""
    heading, *lines = summary
    # Files and pipes get whole lines: whoever searches them needs those.
    width = reporter.config.get_terminal_writer().fullwidth - 2 if reporter.isatty else 0
    reporter.write_line(heading, bold=True)
    for line in lines:
        for part in _wrapped(line, width):
            reporter.write_line(f"  {part}".rstrip(), **_colour(line))
    reporter.write_line("")


def _wrapped(line: str, width: int) -> list[str]:
    if not 0 < width < len(line):
        return [line]
    label = _LABEL.match(line)
    hanging = " " * (label.end() if label else len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line,
        max(width, len(hanging) + 10),
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _colour(line: str) -> dict[str, bool]:
    text = line.lstrip()
    if text and text == line and text.split()[0].isupper():
        return {"bold": True}
    return _COLOURS.get(text[:1], {})
