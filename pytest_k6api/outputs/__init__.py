"""Outputs: where the samples of a load test go while it runs, off the hot path.

An output is any object with the three methods of `Output`. What writes to a file or
a network is a `Writer`, and `QueuedOutput` gives it a thread, a bounded queue,
back-off and a last flush. It sees batches of samples and nothing above.
"""

from pytest_k6api.outputs.base import Output, OutputError, OutputUnavailable, Writer
from pytest_k6api.outputs.csv_rows import CsvWriter
from pytest_k6api.outputs.json_lines import JsonLinesWriter
from pytest_k6api.outputs.queued import OutputStatus, QueuedOutput

__all__ = [
    "CsvWriter",
    "JsonLinesWriter",
    "Output",
    "OutputError",
    "OutputStatus",
    "OutputUnavailable",
    "QueuedOutput",
    "Writer",
]
