"""Everything the API answers, as one table.

The router, the OpenAPI document and the index page are made from it.
"""

from collections.abc import Mapping
from typing import Final

from pytest_k6api.api import document_types as doc
from pytest_k6api.api import k6_handlers as k6
from pytest_k6api.api import session_handlers as session
from pytest_k6api.api.index import show_index
from pytest_k6api.api.openapi import show_openapi
from pytest_k6api.api.reply import HTML, Query, Route
from pytest_k6api.api.scenario_change import SCENARIO_BODY

_FLAG: Final = {"type": "boolean"}
_PAUSED: Final = {
    "type": ["boolean", "null"],
    "description": "Pause or resume; null leaves it.",
}
_VUS: Final = {
    "description": "null or an empty text leaves it; a number may be in quotes.",
    "anyOf": [
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "null"},
        {"type": "string", "pattern": "^([+-]?[0-9]{1,18})?$"},
    ],
}
_STATUS_BODY: Final[Mapping[str, object]] = {
    "type": ["object", "null"],
    "properties": {
        "data": {
            "type": ["object", "null"],
            "properties": {
                "type": {"type": ["string", "null"], "description": "Is not looked at."},
                "id": {"type": ["string", "null"], "description": "Is not looked at."},
                "attributes": {
                    "type": ["object", "null"],
                    "properties": {
                        "paused": _PAUSED,
                        "vus": _VUS,
                        "vus-max": _VUS,
                        "stopped": {
                            "type": ["boolean", "null"],
                            "description": "true ends the load test; all else is ignored then.",
                        },
                        "scope": {
                            "enum": ["test", "session", None],
                            "description": "Whether `stopped` ends the pytest session too.",
                        },
                        "status": {
                            "type": ["integer", "null"],
                            "minimum": 0,
                            "maximum": 2**32 - 1,
                            "description": "Is not looked at.",
                        },
                        "running": {**_FLAG, "type": ["boolean", "null"]},
                        "tainted": {**_FLAG, "type": ["boolean", "null"]},
                    },
                },
            },
        }
    },
}
_ANY_JSON: Final[Mapping[str, object]] = {
    "description": "The setup data: any JSON, or the envelope that GET answers with."
}
_STATS: Final = Query(
    name="stats",
    description="The statistics to show instead of k6's, separated by commas: count, sum, avg,"
    " min, med, max, p(N), rate, value.",
    example="p(99),max",
)

ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/status",
        handler=k6.get_status,
        answers=doc.Document[doc.StatusData],
        media=k6.STATUS_JSON,
        error_media=k6.STATUS_JSON,
        example="{url}/v1/status",
        each_test=True,
    ),
    Route(
        method="PATCH",
        path="/v1/status",
        handler=k6.change_status,
        answers=doc.Document[doc.StatusData],
        media=k6.STATUS_JSON,
        error_media=k6.STATUS_JSON,
        errors=(400, 409, 500),
        body=_STATUS_BODY,
        example='-X PATCH {url}/v1/status -d \'{"data":{"attributes":{"paused":true}}}\'',
    ),
    Route(
        method="GET",
        path="/v1/metrics",
        handler=k6.list_metrics,
        answers=doc.Document[list[doc.MetricData]],
        example="{url}/v1/metrics",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/metrics/{id...}",
        handler=k6.get_metric,
        answers=doc.Document[doc.MetricData],
        errors=(400, 404),
        queries=(_STATS,),
        example="'{url}/v1/metrics/http_req_duration?stats=p(99),max'",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/groups",
        handler=k6.list_groups,
        answers=doc.Document[list[doc.GroupData]],
        example="{url}/v1/groups",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/groups/{id}",
        handler=k6.get_group,
        answers=doc.Document[doc.GroupData],
        errors=(404,),
        example="{url}/v1/groups/d41d8cd98f00b204e9800998ecf8427e",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/setup",
        handler=k6.get_setup,
        answers=doc.Document[doc.SetupData],
        example="{url}/v1/setup",
        each_test=True,
    ),
    Route(
        method="POST",
        path="/v1/setup",
        handler=k6.run_setup,
        answers=doc.Document[doc.SetupData],
        errors=(409, 500),
        example="-X POST {url}/v1/setup",
    ),
    Route(
        method="PUT",
        path="/v1/setup",
        handler=k6.replace_setup,
        answers=doc.Document[doc.SetupData],
        errors=(400, 409),
        body=_ANY_JSON,
        body_required=False,
        example='-X PUT {url}/v1/setup -d \'{"user":"anna"}\'',
    ),
    Route(
        method="POST",
        path="/v1/teardown",
        handler=k6.run_teardown,
        errors=(409, 500),
        example="-X POST {url}/v1/teardown",
    ),
    Route(
        method="GET",
        path="/v1/scenarios",
        handler=session.list_scenarios,
        answers=doc.Document[list[doc.ScenarioData]],
        example="{url}/v1/scenarios",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/scenarios/{name}",
        handler=session.get_scenario,
        answers=doc.Document[doc.ScenarioData],
        errors=(404,),
        each_test=True,
    ),
    Route(
        method="PATCH",
        path="/v1/scenarios/{name}",
        handler=session.change_scenario,
        answers=doc.Document[doc.ScenarioData],
        errors=(400, 404, 409, 500),
        body=SCENARIO_BODY,
        example='-X PATCH {url}/v1/scenarios/test_buy -d \'{"data":{"attributes":{"rate":50}}}\'',
    ),
    Route(
        method="GET",
        path="/v1/thresholds",
        handler=session.list_thresholds,
        answers=doc.Document[list[doc.ThresholdData]],
        example="{url}/v1/thresholds",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/failures",
        handler=session.list_failures,
        answers=doc.Document[list[doc.FailureData]],
        example="{url}/v1/failures",
        each_test=True,
    ),
    Route(
        method="GET",
        path="/v1/tests",
        handler=session.list_load_tests,
        answers=doc.Document[list[doc.LoadTestData]],
        example="{url}/v1/tests",
    ),
    Route(
        method="GET",
        path="/v1/tests/{test}",
        handler=session.get_load_test,
        answers=doc.Document[doc.LoadTestData],
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/v1/events",
        handler=session.stream_events,
        media="text/event-stream",
        example="-N {url}/v1/events",
    ),
    Route(
        method="GET",
        path="/v1/openapi.json",
        handler=show_openapi,
        answers=dict[str, object],
        example="{url}/v1/openapi.json",
    ),
    Route(method="GET", path="/v1/", handler=show_index, media=HTML),
    Route(
        method="GET",
        path="/metrics",
        handler=session.export_prometheus,
        media=session.PROMETHEUS,
        example="{url}/metrics",
    ),
)
ROUTES_OF_EACH_TEST: Final = tuple(route.below_tests() for route in ROUTES if route.each_test)
ALL_ROUTES: Final = ROUTES + ROUTES_OF_EACH_TEST
"""Everything; the routes below ``/v1/tests/{test}`` are made from those above."""
