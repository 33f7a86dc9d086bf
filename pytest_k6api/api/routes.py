"""Everything the API answers, as one table.

The router, the OpenAPI document and the index page are made from it.
"""

from dataclasses import dataclass
from typing import Final

from pytest_k6api.api import k6_handlers as k6
from pytest_k6api.api.reply import JSON, Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    Attributes:
        method: The HTTP method.
        path: The template; see `Router`.
        handler: What answers.
        content_type: Of its errors.
    """

    method: str
    path: str
    handler: Handler
    content_type: str = JSON


K6_ROUTES: Final = (
    Route(method="GET", path="/v1/status", handler=k6.get_status, content_type=k6.STATUS_JSON),
    Route(method="PATCH", path="/v1/status", handler=k6.change_status, content_type=k6.STATUS_JSON),
    Route(method="GET", path="/v1/metrics", handler=k6.list_metrics),
    Route(method="GET", path="/v1/metrics/{id...}", handler=k6.get_metric),
    Route(method="GET", path="/v1/groups", handler=k6.list_groups),
    Route(method="GET", path="/v1/groups/{id}", handler=k6.get_group),
    Route(method="GET", path="/v1/setup", handler=k6.get_setup),
    Route(method="POST", path="/v1/setup", handler=k6.run_setup),
    Route(method="PUT", path="/v1/setup", handler=k6.replace_setup),
    Route(method="POST", path="/v1/teardown", handler=k6.run_teardown),
)
ROUTES: Final = K6_ROUTES
