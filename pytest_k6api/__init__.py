"""Load tests are pytest tests.

A function marked as a scenario is run by many virtual users at once; its
timings are kept exactly, thresholds decide whether it passes, and a REST API
steers it while it runs. What is listed in ``__all__`` is the public interface.

Names are imported when they are first used: pytest imports this package in
every session, also in those without a load test, which must not pay for it.

``docs/explanation/architecture.md`` shows the packages, what each may import, and
where to add what.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch, Series, ThresholdSnapshot
    from pytest_k6api.model import K6ApiError, LoadTestInfo, ScenarioOptions
    from pytest_k6api.outputs import (
        Aggregator,
        BatchRefused,
        Output,
        OutputContext,
        OutputError,
        OutputUnavailable,
        QueuedOutput,
        Writer,
    )
    from pytest_k6api.plugin.collection.marks import load_test, scenario, vu_fixture
    from pytest_k6api.plugin.runtime.results import LoadTestResults
    from pytest_k6api.protocols.grpc import GrpcError, GrpcResponse, StatusCode
    from pytest_k6api.protocols.http import (
        BearerAuth,
        DigestAuth,
        HTTPStatusError,
        Response,
        ServerSentEvent,
        StreamedResponse,
        SyncStreamedResponse,
    )
    from pytest_k6api.protocols.instrument import instrument
    from pytest_k6api.protocols.websocket import SyncWebSocket, WebSocket, WebSocketClosed
    from pytest_k6api.vu import VU, Counter, Gauge, Rate, SyncVU, Trend, feeder

__all__ = [
    "VU",
    "Aggregator",
    "BatchRefused",
    "BearerAuth",
    "Counter",
    "DigestAuth",
    "Gauge",
    "GrpcError",
    "GrpcResponse",
    "HTTPStatusError",
    "K6ApiError",
    "LoadTestInfo",
    "LoadTestResults",
    "Output",
    "OutputContext",
    "OutputError",
    "OutputUnavailable",
    "QueuedOutput",
    "Rate",
    "Response",
    "SampleBatch",
    "ScenarioOptions",
    "Series",
    "ServerSentEvent",
    "StatusCode",
    "StreamedResponse",
    "SyncStreamedResponse",
    "SyncVU",
    "SyncWebSocket",
    "ThresholdSnapshot",
    "Trend",
    "WebSocket",
    "WebSocketClosed",
    "Writer",
    "feeder",
    "instrument",
    "load_test",
    "scenario",
    "vu_fixture",
]

__getattr__ = late_names(
    __name__,
    {
        ".protocols.http": (
            "BearerAuth",
            "DigestAuth",
            "HTTPStatusError",
            "Response",
            "ServerSentEvent",
            "StreamedResponse",
            "SyncStreamedResponse",
        ),
        ".protocols.instrument": ("instrument",),
        ".protocols.grpc": ("GrpcError", "GrpcResponse", "StatusCode"),
        ".protocols.websocket": ("SyncWebSocket", "WebSocket", "WebSocketClosed"),
        ".vu": ("VU", "Counter", "Gauge", "Rate", "SyncVU", "Trend", "feeder"),
        ".metrics": ("SampleBatch", "Series", "ThresholdSnapshot"),
        ".model": ("K6ApiError", "LoadTestInfo", "ScenarioOptions"),
        ".outputs": (
            "Aggregator",
            "BatchRefused",
            "Output",
            "OutputContext",
            "OutputError",
            "OutputUnavailable",
            "QueuedOutput",
            "Writer",
        ),
        ".plugin.collection.marks": ("load_test", "scenario", "vu_fixture"),
        ".plugin.runtime.results": ("LoadTestResults",),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
