"""The recorder of one virtual user: its buffer, its tag context, its byte counts.

The virtual user, its HTTP client and the custom metrics share one recorder, so
that a group entered by the one is a tag on the samples of the others.
"""

from contextvars import ContextVar

from pytest_k6api.model.samples import Describe, SampleBuffer
from pytest_k6api.model.secrets import SECRETS
from pytest_k6api.model.tags import TagContext
from pytest_k6api.model.tracing import Tracer


class Recorder:
    """The writing end of the metrics, for one virtual user (or setup, teardown).

    Attributes:
        buffer: Receives rows. Always read it from the recorder: `cut` replaces it.
        context: The tags of the VU's position; entering a group replaces it.
        bytes_sent: Bytes put on the wire since the iteration began.
        bytes_received: Bytes read off the wire since the iteration began.
        failed: The response to the last failed request of the iteration; None before one.
        failed_tags: The number of that request's tag set.
        secrets: The rule of masking for names of requests.
        tracer: Makes the trace contexts of requests; None if they are not traced.
        got_no_response: Whether that request got none, as from a server that is down.
    """

    __slots__ = (
        "buffer", "bytes_received", "bytes_sent", "context", "failed", "failed_tags",
        "got_no_response", "secrets", "tracer",
    )  # fmt: skip

    def __init__(self, buffer: SampleBuffer, context: TagContext) -> None:
        self.buffer = buffer
        self.context = context
        self.bytes_sent = 0
        self.bytes_received = 0
        self.failed: object = None
        self.failed_tags = 0
        self.got_no_response = False
        self.secrets = SECRETS
        self.tracer: Tracer | None = None

    def keep_failed(self, tags_id: int, status: int, response: object, describe: Describe) -> None:
        """Keep one exchange of each tag set for reports; called for every failed request.

        Args:
            tags_id: The number of the tag set of the request's samples.
            status: The response's status; 0 without a response.
            response: The response that user code gets; None if it gets an exception.
            describe: Returns the exchange as text, masked.
        """
        self.failed = describe if response is None else response
        self.failed_tags = tags_id
        self.got_no_response = not status
        exchanges = self.buffer.exchanges
        if tags_id not in exchanges:
            exchanges[tags_id] = describe

    def cut(self) -> SampleBuffer:
        """Drop all later rows; return the buffer used so far.

        k6 drops the samples that an interrupted iteration still writes.
        """
        buffer, self.buffer = self.buffer, SampleBuffer()
        return buffer


current_recorder: ContextVar[Recorder] = ContextVar("pytest_k6api_recorder")
