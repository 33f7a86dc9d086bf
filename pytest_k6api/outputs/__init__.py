"""Outputs: where the samples of a load test go while it runs, off the hot path.

An output is any object with the three methods of `Output`. What writes to a file or
a network is a `Writer` or an `Aggregator`, and `QueuedOutput` gives it a thread, a bounded
queue, back-off and a last flush. It sees batches of samples and nothing above.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.outputs.base import (
        Aggregator,
        BatchRefused,
        Output,
        OutputContext,
        OutputError,
        OutputFactory,
        OutputUnavailable,
        Writer,
    )
    from pytest_k6api.outputs.files import CsvWriter, JsonLinesWriter, why_not_writable
    from pytest_k6api.outputs.queued import OutputStatus, QueuedOutput
    from pytest_k6api.outputs.registry import file_target, find_factory

__all__ = [
    "Aggregator",
    "BatchRefused",
    "CsvWriter",
    "JsonLinesWriter",
    "Output",
    "OutputContext",
    "OutputError",
    "OutputFactory",
    "OutputStatus",
    "OutputUnavailable",
    "QueuedOutput",
    "Writer",
    "file_target",
    "find_factory",
    "why_not_writable",
]

__getattr__ = late_names(
    __name__,
    {
        ".base": (
            "Aggregator",
            "BatchRefused",
            "Output",
            "OutputContext",
            "OutputError",
            "OutputFactory",
            "OutputUnavailable",
            "Writer",
        ),
        ".files": ("CsvWriter", "JsonLinesWriter", "why_not_writable"),
        ".queued": ("OutputStatus", "QueuedOutput"),
        ".registry": ("file_target", "find_factory"),
    },
)
