"""The reports that pytest makes of a load test, completed: sections, headline, lines of a worker."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.model import printable
from pytest_k6api.plugin.hooks.stash_keys import (
    ATTEMPTS,
    KEPT_SUMMARY,
    SUMMARIES,
    SUMMARY,
    KeptSummary,
)
from pytest_k6api.plugin.reporting.failure_text import PACKAGE
from pytest_k6api.plugin.reporting.reporters import SECTION
from pytest_k6api.plugin.runtime.output_limits import shorten_sections
from pytest_k6api.plugin.runtime.session import address_of
from pytest_k6api.plugin.runtime.xdist import attach_lines


def complete_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the lines of a worker or the summary to `report`, and shorten captured output."""
    shorten_sections(report)
    if report.when == "setup":
        attach_lines(item.config, report, address_of(item.config))
    elif report.when == "call":
        attach_summary(item, report)
    elif len(attempts := item.stash.get(ATTEMPTS, [])) > 1:
        # pytest-retry makes no report of its own for the later ones.
        setattr(report, SUMMARY, attempts)


def attach_summary(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the summary to `report`, and give it a headline of one line.

    Both travel with the report to another process.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        # In CI pytest's short summary quotes the whole message, which is the report.
        crash.message = crash.message.partition("\n")[0]
        if Path(crash.path).is_relative_to(PACKAGE):
            # The line of the load test, not that of `pytest.fail` in this package.
            path, line, _ = item.reportinfo()
            crash.path, crash.lineno = str(path), (line or 0) + 1
    summary = item.stash.get(KEPT_SUMMARY, None)
    was_skipped = report.skipped and not hasattr(report, "wasxfail")
    if summary is not None and not was_skipped:
        setattr(report, SUMMARY, [*item.stash.get(ATTEMPTS, [summary])])
        report.sections.append((SECTION, _text_of(summary)))
        if item.config.pluginmanager.hasplugin("allure_listener"):
            # Allure shows attachments, and of reports captured output only.
            allure: Any = import_module("allure")
            allure.attach(
                _text_of(summary), name=SECTION, attachment_type=allure.attachment_type.TEXT
            )


def _text_of(summary: KeptSummary) -> str:
    return "\n".join(map(printable, summary["lines"]))


def metadata_of(item: pytest.Item) -> dict[str, str] | None:
    """Return the metadata of `item` for pytest-json-report; None before its end."""
    summary = item.stash.get(KEPT_SUMMARY, None)
    return {SECTION: _text_of(summary)} if summary is not None else None


def list_summary(item: pytest.Item) -> None:
    """List the summary for the end of the session, whatever becomes of the test's report.

    pytest makes none when the session ends at once, and pytest-retry one for all attempts.
    """
    if summary := item.stash.get(KEPT_SUMMARY, None):
        item.config.stash.setdefault(SUMMARIES, []).append(summary)
        item.stash.setdefault(ATTEMPTS, []).append(summary)
