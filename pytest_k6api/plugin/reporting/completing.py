"""What pytest's reports about a load test carry beyond its outcome."""

import pytest

from pytest_k6api.plugin.reporting.failure_report import attach_summary
from pytest_k6api.plugin.runtime.output_limits import shorten_sections
from pytest_k6api.plugin.runtime.session import address_of
from pytest_k6api.plugin.runtime.xdist_worker import attach_lines


def complete_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach to `report` what the terminal tells of it, and bound what it quotes."""
    shorten_sections(report)
    if report.when == "setup":
        attach_lines(item.config, report, address_of(item.config))
    elif report.when == "call":
        attach_summary(item, report)
