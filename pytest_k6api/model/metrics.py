"""Metrics: name, kind, and the meaning of their numbers.

Values and names only; the numbers themselves live in ``pytest_k6api.metrics``.
"""

import re
from dataclasses import dataclass
from enum import Enum

from pytest_k6api.model.errors import MetricError

# k6's message says «up to 128 characters»; its pattern takes 2 to 129.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{1,128}")


class MetricKind(Enum):
    """The kinds of metrics; the values are k6's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    RATE = "rate"
    TREND = "trend"


class Contains(Enum):
    """The meaning of a metric's numbers; the values are k6's words."""

    DEFAULT = "default"
    TIME = "time"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, built in or declared by a user.

    Attributes:
        name: 2 to 129 letters, digits and underscores, not starting with a digit.
        kind: Counter, gauge, rate or trend.
        contains: Plain numbers, milliseconds or bytes.
        samples_per_unit: How many of the numbers in its samples make one reported
            unit. Built-in times are sampled in whole microseconds and reported in
            milliseconds, so theirs is 1000; everything else has 1.

    Source: k6 v1.1.0, ``metrics/registry.go``, ``checkName``.
    """

    name: str
    kind: MetricKind
    contains: Contains = Contains.DEFAULT
    samples_per_unit: int = 1

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MetricError(
                f"cannot name a metric {self.name!r}; use 2 to 129 ASCII letters, digits and"
                " underscores, and do not start with a digit"
            )


def _time(name: str) -> Metric:
    return Metric(name=name, kind=MetricKind.TREND, contains=Contains.TIME, samples_per_unit=1000)


def _counter(name: str, contains: Contains = Contains.DEFAULT) -> Metric:
    return Metric(name=name, kind=MetricKind.COUNTER, contains=contains)


def _rate(name: str) -> Metric:
    return Metric(name=name, kind=MetricKind.RATE)


def _gauge(name: str) -> Metric:
    return Metric(name=name, kind=MetricKind.GAUGE)


VUS = _gauge("vus")
VUS_MAX = _gauge("vus_max")
ITERATIONS = _counter("iterations")
ITERATION_DURATION = _time("iteration_duration")
DROPPED_ITERATIONS = _counter("dropped_iterations")
CHECKS = _rate("checks")
GROUP_DURATION = _time("group_duration")
HTTP_REQS = _counter("http_reqs")
HTTP_REQ_FAILED = _rate("http_req_failed")
HTTP_REQ_DURATION = _time("http_req_duration")
HTTP_REQ_BLOCKED = _time("http_req_blocked")
HTTP_REQ_CONNECTING = _time("http_req_connecting")
HTTP_REQ_TLS_HANDSHAKING = _time("http_req_tls_handshaking")
HTTP_REQ_SENDING = _time("http_req_sending")
HTTP_REQ_WAITING = _time("http_req_waiting")
HTTP_REQ_RECEIVING = _time("http_req_receiving")
WS_SESSIONS = _counter("ws_sessions")
WS_CONNECTING = _time("ws_connecting")
WS_SESSION_DURATION = _time("ws_session_duration")
WS_MSGS_SENT = _counter("ws_msgs_sent")
WS_MSGS_RECEIVED = _counter("ws_msgs_received")
WS_PING = _time("ws_ping")
GRPC_REQ_DURATION = _time("grpc_req_duration")
GRPC_STREAMS = _counter("grpc_streams")
GRPC_STREAMS_MSGS_SENT = _counter("grpc_streams_msgs_sent")
GRPC_STREAMS_MSGS_RECEIVED = _counter("grpc_streams_msgs_received")
DATA_SENT = _counter("data_sent", Contains.DATA)
DATA_RECEIVED = _counter("data_received", Contains.DATA)

# Ours, beyond k6: what pytest promises needs them (a green test means that
# nothing went wrong), and so do honest pacing and honest requests; two are for
# `vu.measure`, two for what k6 lacks of WebSocket, the last for server-sent events.
ITERATION_FAILURES = _rate("iteration_failures")
ITERATION_LATENESS = _time("iteration_lateness")
GENERATOR_LATENESS = _time("generator_lateness")
RESPONSE_TIME_FROM_DUE = _time("response_time_from_due")
ITERATIONS_SKIPPED = _counter("iterations_skipped")
HTTP_REQ_RETRIES = _counter("http_req_retries")
MEASURED_DURATION = _time("measured_duration")
MEASURED_FAILED = _rate("measured_failed")
WS_FAILED = _rate("ws_failed")
WS_RESPONSE_TIME = _time("ws_response_time")
SSE_EVENTS = _counter("sse_events")
SSE_TIME_TO_FIRST_EVENT = _time("sse_time_to_first_event")
SSE_EVENT_GAP = _time("sse_event_gap")
SSE_RECONNECTIONS = _counter("sse_reconnections")
SSE_FAILED = _rate("sse_failed")
GRPC_REQ_FAILED = _rate("grpc_req_failed")

BUILT_IN: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
