"""Outputs: where the samples of a load test go while it runs, off the hot path.

An output is any object with the three methods of `Output`. What writes to a file or
a network is a `Writer`, and `QueuedOutput` gives it a thread, a bounded queue,
back-off and a last flush. It sees batches of samples and nothing above.
"""

from pytest_k6api.outputs.base import Output, OutputError, OutputUnavailable, Writer
from pytest_k6api.outputs.queued import OutputStatus, QueuedOutput

__all__ = [
    "Output",
    "OutputError",
    "OutputStatus",
    "OutputUnavailable",
    "QueuedOutput",
    "Writer",
]
