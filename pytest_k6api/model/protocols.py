"""The main metrics of each protocol: what verdicts, summaries and reports name of it."""

from dataclasses import dataclass

from pytest_k6api.model import metrics as built_in
from pytest_k6api.model.metrics import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolMetrics:
    """The main metrics of one protocol.

    Attributes:
        title: The heading over its metrics in a summary.
        prefix: The beginning of their names.
        noun: The word for one exchange.
        failures: The word for several, in a verdict.
        named: The heading over a table of them.
        counted: Has a sample for each exchange.
        failed: The rate of those that failed.
        duration: The trend of the time that one took, or its answer.
        rate: The heading over how many there were in a second.
    """

    title: str
    prefix: str
    noun: str
    failures: str
    named: str
    counted: Metric
    failed: Metric
    duration: Metric
    rate: str = "/s"


HTTP = ProtocolMetrics(
    title="HTTP",
    prefix="http_req",
    noun="request",
    failures="requests",
    named="requests by name",
    counted=built_in.HTTP_REQS,
    failed=built_in.HTTP_REQ_FAILED,
    duration=built_in.HTTP_REQ_DURATION,
    rate="req/s",
)

PROTOCOLS = (
    HTTP,
    ProtocolMetrics(
        title="SERVER-SENT EVENTS",
        prefix="sse_",
        noun="stream",
        failures="event streams",
        named="first events by name",
        counted=built_in.SSE_FAILED,
        failed=built_in.SSE_FAILED,
        duration=built_in.SSE_TIME_TO_FIRST_EVENT,
    ),
    ProtocolMetrics(
        title="WEBSOCKET",
        prefix="ws_",
        noun="session",
        failures="WebSocket sessions",
        named="sessions, answers",
        counted=built_in.WS_SESSIONS,
        failed=built_in.WS_FAILED,
        duration=built_in.WS_RESPONSE_TIME,
    ),
    ProtocolMetrics(
        title="GRPC",
        prefix="grpc_",
        noun="call",
        failures="gRPC calls",
        named="calls by name",
        counted=built_in.GRPC_REQ_DURATION,
        failed=built_in.GRPC_REQ_FAILED,
        duration=built_in.GRPC_REQ_DURATION,
    ),
)
"""In the order in which they are listed."""

LISTED = (
    *PROTOCOLS,
    ProtocolMetrics(
        title="CUSTOM",
        prefix="measured_",
        noun="block",
        failures="measured blocks",
        named="measured by name",
        counted=built_in.MEASURED_DURATION,
        failed=built_in.MEASURED_FAILED,
        duration=built_in.MEASURED_DURATION,
    ),
)
"""What is listed by name: exchanges of protocols, and the blocks of ``vu.measure``."""
