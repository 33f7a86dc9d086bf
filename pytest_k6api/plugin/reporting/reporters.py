"""What a session prints and writes of its load tests: summaries on the terminal, JUnit XML.

Imported in every session, so it imports nothing heavy.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping

import pytest
from _pytest.junitxml import LogXML, xml_key

from pytest_k6api.plugin.hooks.stash_keys import SUMMARIES, SUMMARY, KeptSummary
from pytest_k6api.plugin.reporting.terminal import Terminal

SECTION = "Load test"
"""The title of the summary among a report's sections, for plugins that show those."""

NUMBERS: Mapping[str, tuple[str, str, int]] = {
    "http_req_duration_p50_ms": ("http_req_duration", "p(50)", 3),
    "http_req_duration_p95_ms": ("http_req_duration", "p(95)", 3),
    "http_req_duration_p99_ms": ("http_req_duration", "p(99)", 3),
    "http_reqs_per_second": ("http_reqs", "rate", 3),
    "http_req_failed_rate": ("http_req_failed", "rate", 6),
}
"""The properties of every load test with requests: metric, statistic, digits after the point."""

_COLOURS: Mapping[str, dict[str, bool]] = {
    "✓": {"green": True},
    "✗": {"red": True},
    "↳": {"red": True},
    "!": {"yellow": True},
}

# The label of a metric; wrapped values are aligned behind it.
_LABEL = re.compile(r" +\S.*?\.{3,}: |! ")

_PRINTED = pytest.StashKey[bool]()


def prepare_reporters(config: pytest.Config) -> None:
    """Prepare pytest's reporters for load tests.

    The terminal prints summaries together and once. In JUnit XML a test case may have
    properties in the `xunit1` format only; in `xunit2`, pytest's default, they make the
    file invalid, so there the numbers become properties of the suite, with the name of
    the load test before theirs.
    """
    _hide_sections(config.pluginmanager.get_plugin("terminalreporter"))
    xml = config.stash.get(xml_key, None)
    if xml is not None and xml.family == "xunit2":
        config.pluginmanager.register(_SuiteProperties(xml))


def print_missed_summaries(config: pytest.Config) -> None:
    """Print the summaries if pytest's own summary was left out, as after ``pytest.exit(…, 7)``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.stash.get(_PRINTED, False):
        print_summaries(config, reporter)


def print_summaries(config: pytest.Config, reporter: object) -> None:
    """Print the summaries of all load tests that `reporter` has seen."""
    config.stash[_PRINTED] = True
    summaries = [*config.stash.get(SUMMARIES, [])]
    # Those of other processes came with their reports, which the reporter has by outcome.
    for report in sorted(_reports(reporter), key=lambda report: report.start):
        summary = getattr(report, SUMMARY)
        if summary not in summaries:
            summaries.append(summary)
    if not summaries:
        return
    from pytest_k6api.plugin.settings.sources import Settings

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
        terminal.write_line(f"report: {file}")


def _hide_sections(reporter: object) -> None:
    """Keep `reporter` from printing summaries among the captured output of a failed test."""
    # Private to pytest; every reporter that inherits pytest's prints sections by it.
    print_report = getattr(reporter, "_outrep_summary", None)
    if print_report is None:
        return

    def print_without_summary(report: pytest.TestReport) -> None:
        sections = report.sections
        report.sections = [each for each in sections if each[0] != SECTION]
        try:
            print_report(report)
        finally:
            report.sections = sections

    vars(reporter)["_outrep_summary"] = print_without_summary


def _reports(reporter: object) -> Iterator[pytest.TestReport]:
    stats: Mapping[str, list[pytest.TestReport]] = getattr(reporter, "stats", {})
    for found in stats.values():
        yield from (report for report in found if getattr(report, SUMMARY, None))


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


class _SuiteProperties:
    def __init__(self, xml: LogXML) -> None:
        self._xml = xml
        self._numbers: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The last run of a test counts, as in the terminal.
        for name, value in report.user_properties:
            if name in NUMBERS:
                self._numbers[f"{report.nodeid} {name}"] = str(value)
        report.user_properties = [each for each in report.user_properties if each[0] not in NUMBERS]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        for name, value in self._numbers.items():
            # pytest checks values, not names; a file may be called anything.
            safe = "".join(char if char.isprintable() else "?" for char in name)
            self._xml.add_global_property(safe, value)
