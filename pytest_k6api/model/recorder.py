"""What one virtual user records into: its buffer, its place, its byte counts.

The virtual user, its HTTP client and the custom metrics share one recorder, so
that a group entered by the one is a tag on the samples of the others.
"""

from contextvars import ContextVar

from pytest_k6api.model.samples import SampleBuffer
from pytest_k6api.model.tags import TagContext


class Recorder:
    """The writing end of the metrics, for one virtual user (or setup, teardown).

    Attributes:
        buffer: Where rows go. Always reached through the recorder, never kept:
            `cut` replaces it.
        context: Where the VU stands; entering a group replaces it.
        bytes_sent: Bytes put on the wire since the iteration began.
        bytes_received: Bytes read off the wire since the iteration began.
    """

    __slots__ = ("buffer", "bytes_received", "bytes_sent", "context")

    def __init__(self, buffer: SampleBuffer, context: TagContext) -> None:
        self.buffer = buffer
        self.context = context
        self.bytes_sent = 0
        self.bytes_received = 0

    def cut(self) -> SampleBuffer:
        """Drop what is written from now on; return the buffer used so far.

        k6 drops whatever an interrupted iteration still writes.
        """
        buffer, self.buffer = self.buffer, SampleBuffer()
        return buffer


current_recorder: ContextVar[Recorder] = ContextVar("pytest_k6api_recorder")
