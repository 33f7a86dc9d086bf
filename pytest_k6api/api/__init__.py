"""The control API: k6's REST API, complete, on every load test, and safe to have open.

``documents`` has the members of every answer, ``ports`` what the API asks of the session,
``server`` is from the port to the application, ``k6`` the endpoints that k6 has,
``extensions`` those beyond it, ``page`` the files of ``/v1/``. This front door imports neither Quart nor msgspec;
`ApiServer` does for the first client.
"""

from pytest_k6api.api.ports import (
    PATIENCE,
    CommandResult,
    Delivery,
    LoadTestPort,
    ResultsPort,
    SessionPort,
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
    "CommandResult",
    "Delivery",
    "LoadTestPort",
    "ResultsPort",
    "SessionPort",
    "parse_address",
]
