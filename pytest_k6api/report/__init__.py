"""What people read of a load test: the live view, the summary, the exported files.

Sees snapshots, never executors.
"""

from typing import TYPE_CHECKING

from pytest_k6api.report.characters import in_encoding
from pytest_k6api.report.comparison import Comparison, Yardstick, comparison_line, comparison_lines
from pytest_k6api.report.comparison_rule import ComparisonRule, parse_rule
from pytest_k6api.report.environment import describe_environment
from pytest_k6api.report.files import file_stem, write_whole
from pytest_k6api.report.markdown import markdown_summary
from pytest_k6api.report.progress_line import ProgressLine, progress_text
from pytest_k6api.report.requests_table import request_rows
from pytest_k6api.report.results_file import (
    Results,
    ResultsFormatError,
    ids_by_name,
    kept_names,
    read_results,
    results_document,
)
from pytest_k6api.report.summary import observed_text, summary_line, summary_lines
from pytest_k6api.report.summary_export import summary_export

if TYPE_CHECKING:
    from pytest_k6api.report.progress import ProgressDisplay

__all__ = [
    "Comparison",
    "ComparisonRule",
    "ProgressDisplay",
    "ProgressLine",
    "Results",
    "ResultsFormatError",
    "Yardstick",
    "comparison_line",
    "comparison_lines",
    "describe_environment",
    "file_stem",
    "ids_by_name",
    "in_encoding",
    "kept_names",
    "markdown_summary",
    "observed_text",
    "parse_rule",
    "progress_text",
    "read_results",
    "request_rows",
    "results_document",
    "summary_export",
    "summary_line",
    "summary_lines",
    "write_whole",
]


def __getattr__(name: str) -> object:
    # Only the live view needs rich.
    if name == "ProgressDisplay":
        from pytest_k6api.report.progress import ProgressDisplay

        return ProgressDisplay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
