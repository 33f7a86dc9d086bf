"""Reports of a load test: the live view, the summary, the exported files.

Sees snapshots, never executors.
"""

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
from pytest_k6api.report.html.files import html_report, json_report, read_report
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


def __getattr__(name: str) -> object:
    # Only the live view needs rich.
    if name == "ProgressDisplay":
        from pytest_k6api.report.live.display import ProgressDisplay

        return ProgressDisplay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
