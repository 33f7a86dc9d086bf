"""What the end of a session tells about its load tests: a summary for each."""

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


def print_summaries(reporter: "pytest.TerminalReporter") -> None:
    """Print every load test's summary; with -q only those of load tests that failed."""
    reports = [
        report
        for found in reporter.stats.values()
        for report in found
        if getattr(report, SUMMARY, None)
    ]
    if reporter.verbosity < 0:
        reports = [report for report in reports if report.failed]
    unreported: list[list[str]] = reporter.config.stash.get(UNREPORTED, [])
    summaries = [*(getattr(report, SUMMARY) for report in reports), *unreported]
    if not summaries:
        return
    reporter.section("load tests", bold=True)
    for summary in summaries:
        print_summary(reporter, summary)


def print_summary(reporter: "pytest.TerminalReporter", summary: list[str]) -> None:
    """Print one summary, its first line as a heading."""
    heading, *lines = summary
    reporter.write_line(heading, bold=True)
    for line in lines:
        reporter.write_line(f"  {line}".rstrip(), **_colour(line))
    reporter.write_line("")


def _colour(line: str) -> dict[str, bool]:
    text = line.lstrip()
    if text and text == line and text.split()[0].isupper():
        return {"bold": True}
    return _COLOURS.get(text[:1], {})
