"""Reports of a load test for people and programs: live view, summary, files.

Reads snapshots, never executors.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
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
        worker_document,
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
    from pytest_k6api.report.live.display import ProgressDisplay
    from pytest_k6api.report.live.progress import (
        ProgressLine,
        ProgressReader,
        ProgressView,
        progress_text,
    )
    from pytest_k6api.report.text.requests_table import request_tables
    from pytest_k6api.report.text.summary import summary_line, summary_lines
    from pytest_k6api.report.text.threshold_text import observed_text
    from pytest_k6api.report.text.units import format_share, in_encoding

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
    "request_tables",
    "results_document",
    "shown_document",
    "summary_export",
    "summary_line",
    "summary_lines",
    "worker_document",
    "write_whole",
]

__getattr__ = late_names(
    __name__,
    {
        ".comparison.comparing": ("Baseline", "Comparison", "comparison_line", "comparison_lines"),
        ".comparison.rule": ("ComparisonRule", "parse_rule"),
        ".files.environment": ("describe_environment",),
        ".files.markdown": ("markdown_summary",),
        ".files.results_file": (
            "Results",
            "ResultsFormatError",
            "ids_by_name",
            "kept_names",
            "read_results",
            "results_document",
            "worker_document",
        ),
        ".files.summary_export": ("summary_export",),
        ".files.writing": ("file_of_its_own", "file_stem", "write_whole"),
        ".html.document": (
            "MOST_NAMES",
            "LoadTestFacts",
            "load_test_document",
            "report_document",
            "shown_document",
        ),
        ".live.progress": ("ProgressLine", "ProgressReader", "ProgressView", "progress_text"),
        ".text.requests_table": ("request_tables",),
        ".text.summary": ("summary_line", "summary_lines"),
        ".text.threshold_text": ("observed_text",),
        ".text.units": ("format_share", "in_encoding"),
        ".html.files": ("html_report", "json_report", "read_report"),
        ".live.display": ("ProgressDisplay",),
    },
)
