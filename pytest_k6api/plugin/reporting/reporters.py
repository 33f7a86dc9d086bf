"""pytest's reporters, prepared for load tests. Imported in every session."""

from collections.abc import Iterator, Mapping

import pytest

from pytest_k6api.plugin.hooks.stash_keys import SUMMARIES, SUMMARY

SECTION = "Load test"
"""The title of the summary among a report's sections, for plugins that show those."""


def prepare_reporters(config: pytest.Config) -> None:
    """Prepare pytest's reporters for load tests.

    The terminal prints summaries together and once. JUnit XML gets their numbers.
    """
    _hide_sections(config.pluginmanager.get_plugin("terminalreporter"))
    if config.getoption("xmlpath", None):
        from pytest_k6api.plugin.reporting.junit import prepare_junit

        prepare_junit(config)


def has_summaries(config: pytest.Config, reporter: object) -> bool:
    """Return whether a load test has left a summary, in this process or with a report."""
    return SUMMARIES in config.stash or any(reports_with_summary(reporter))


def reports_with_summary(reporter: object) -> Iterator[pytest.TestReport]:
    """Yield the reports that `reporter` has seen and that carry a summary."""
    stats: Mapping[str, list[pytest.TestReport]] = getattr(reporter, "stats", {})
    for found in stats.values():
        yield from (report for report in found if getattr(report, SUMMARY, None))


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
