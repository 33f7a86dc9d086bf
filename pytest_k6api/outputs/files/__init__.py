"""Outputs that write lines to a file, a compressed file or the standard output."""

from pytest_k6api.outputs.files.csv_rows import CsvWriter
from pytest_k6api.outputs.files.json_lines import JsonLinesWriter
from pytest_k6api.outputs.files.line_target import why_not_writable

__all__ = ["CsvWriter", "JsonLinesWriter", "why_not_writable"]
