"""Summaries of load tests, printed together at the end of the session."""

import re
import textwrap
from collections.abc import Mapping

import pytest

from pytest_k6api.plugin.hooks.stash_keys import SUMMARIES, SUMMARY, KeptSummary
from pytest_k6api.plugin.reporting.reporters import reports_with_summary
from pytest_k6api.plugin.reporting.terminal import Terminal
from pytest_k6api.plugin.settings.sources import Settings

_COLOURS: Mapping[str, dict[str, bool]] = {
    "✓": {"green": True},
    "✗": {"red": True},
    "↳": {"red": True},
    "!": {"yellow": True},
}

# The label of a metric; wrapped values are aligned behind it.
_LABEL = re.compile(r" +\S.*?\.{3,}: |! ")

_PRINTED = pytest.StashKey[bool]()


def print_missed_summaries(config: pytest.Config) -> None:
    """Print the summaries if pytest's own summary was left out, as after ``pytest.exit(…, 7)``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.stash.get(_PRINTED, False):
        print_summaries(config, reporter)


def print_summaries(config: pytest.Config, reporter: object) -> None:
    """Print the summaries of all load tests of this process, and of those `reporter` has seen."""
    config.stash[_PRINTED] = True
    summaries = [*config.stash.get(SUMMARIES, [])]
    # Those of other processes came with their reports, which the reporter has by outcome.
    for report in sorted(reports_with_summary(reporter), key=lambda report: report.start):
        found: list[KeptSummary] = getattr(report, SUMMARY)
        summaries += [summary for summary in found if summary not in summaries]
    if not summaries:
        return
    terminal = Terminal(config)
    extent = Settings.of(config).text("summary") or (
        "compact" if terminal.verbosity < 0 else "full"
    )
    if extent == "off":
        return
    terminal.section("load tests")
    for summary in summaries:
        _print(terminal, _shortened(summary) if extent == "compact" else summary["lines"])
        if extent == "full":
            terminal.write_line("")
    for file in Settings.of(config).entries("report"):
        if (config.invocation_params.dir / file).exists():  # else its load tests have failed
            terminal.write_line(f"report: {file}")


def _shortened(summary: KeptSummary) -> list[str]:
    # A green dot alone would hide warnings, such as that the generator was the limit.
    return [summary["line"], *(line for line in summary["lines"] if line.startswith("! "))]


def _print(terminal: Terminal, lines: list[str]) -> None:
    heading, *rest = lines
    terminal.write_line(heading, bold=True)
    for line in rest:
        for part in _wrapped(line, terminal.width - 2):
            terminal.write_line(f"  {part}".rstrip(), **_colour(line))


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
