"""Server-sent events, by ``vu.http.sse``: their parser, their rows, and streams that connect again."""

from pytest_k6api.protocols.http.sse.block import EventStream, SyncEventStream
from pytest_k6api.protocols.http.sse.parser import EventParser, ServerSentEvent
from pytest_k6api.protocols.http.sse.rows import SSE_ROWS

__all__ = [
    "SSE_ROWS",
    "EventParser",
    "EventStream",
    "ServerSentEvent",
    "SyncEventStream",
]
