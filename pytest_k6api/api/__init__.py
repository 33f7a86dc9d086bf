"""The control API: k6's REST API, complete, on every load test, and safe to have open.

This front door imports neither Quart nor Hypercorn; `ApiServer` does, when somebody knocks.
"""

from pytest_k6api.api.ports import (
    PATIENCE,
    Delivery,
    FailureSnapshot,
    LoadTestPort,
    ScenarioChange,
    SessionPort,
    StatusChange,
)
from pytest_k6api.api.server.address import parse_address
from pytest_k6api.api.server.thread import ApiServer
from pytest_k6api.api.settings import DEFAULT_ADDRESS, ApiError, ApiLimits, ApiSettings

__all__ = [
    "DEFAULT_ADDRESS",
    "PATIENCE",
    "ApiError",
    "ApiLimits",
    "ApiServer",
    "ApiSettings",
    "Delivery",
    "FailureSnapshot",
    "LoadTestPort",
    "ScenarioChange",
    "SessionPort",
    "StatusChange",
    "parse_address",
]
