"""Reports of a load test for people and programs: live view, summary, files.

Reads snapshots, never executors.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pytest_k6api.report.comparison.comparing import (
    Baseline,
    Comparison,
    comparison_line,
    comparison_lines,
)
from pytest_k6api.report.comparison.rule import ComparisonRule, parse_rule
from pytest_k6api.report.files.environment import describe_environment
from pytest_k6api.report.files.markdown import markdown_summary
from pytest_k6api.report.files.results_file import (
    Results,
    ResultsFormatError,
    ids_by_name,
    kept_names,
    read_results,
    results_document,
)
from pytest_k6api.report.files.summary_export import summary_export
from pytest_k6api.report.files.writing import file_of_its_own, file_stem, write_whole
from pytest_k6api.report.html.document import (
    MOST_NAMES,
    LoadTestFacts,
    load_test_document,
    report_document,
    shown_document,
)
from pytest_k6api.report.live.progress import (
    ProgressLine,
    ProgressReader,
    ProgressView,
    progress_text,
)
from pytest_k6api.report.text.requests_table import request_rows
from pytest_k6api.report.text.summary import observed_text, summary_line, summary_lines
from pytest_k6api.report.text.units import format_share, in_encoding

if TYPE_CHECKING:
    from pytest_k6api.report.html.files import html_report, json_report, read_report
    from pytest_k6api.report.live.display import ProgressDisplay

__all__ = [
    "MOST_NAMES",
    "Baseline",
    "Comparison",
    "ComparisonRule",
    "LoadTestFacts",
    "ProgressDisplay",
    "ProgressLine",
    "ProgressReader",
    "ProgressView",
    "Results",
    "ResultsFormatError",
    "comparison_line",
    "comparison_lines",
    "describe_environment",
    "file_of_its_own",
    "file_stem",
    "format_share",
    "html_report",
    "ids_by_name",
    "in_encoding",
    "json_report",
    "kept_names",
    "load_test_document",
    "markdown_summary",
    "observed_text",
    "parse_rule",
    "progress_text",
    "read_report",
    "read_results",
    "report_document",
    "request_rows",
    "results_document",
    "shown_document",
    "summary_export",
    "summary_line",
    "summary_lines",
    "write_whole",
]


# The live view imports rich; reports of HTML and JSON are made only where they are asked for.
_LATE = {
    "ProgressDisplay": "live.display",
    "html_report": "html.files",
    "json_report": "html.files",
    "read_report": "html.files",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
