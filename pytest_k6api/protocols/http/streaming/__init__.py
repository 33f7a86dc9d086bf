"""Responses that are read as they come, by ``vu.http.stream``."""

from pytest_k6api.protocols.http.streaming.block import ResponseStream, SyncResponseStream
from pytest_k6api.protocols.http.streaming.download import StreamingClient
from pytest_k6api.protocols.http.streaming.response import (
    StreamedResponse,
    StreamError,
    SyncStreamedResponse,
)

__all__ = [
    "ResponseStream",
    "StreamError",
    "StreamedResponse",
    "StreamingClient",
    "SyncResponseStream",
    "SyncStreamedResponse",
]
