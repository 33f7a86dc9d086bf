"""The endpoints that k6 v1 has: status, metrics, groups, setup, teardown.

A handler takes a `Call` and returns a `Reply`; what goes wrong in between is a
`ControlError`, which the application turns into k6's error document.

Source: k6 v1.1.0, ``api/v1/*_routes.go``.
"""

from typing import Final

from pytest_k6api.api.documents import (
    Document,
    GroupData,
    Meta,
    MetricData,
    SetupData,
    StatusData,
    groups_data,
    metric_data,
    setup_data,
    status_data,
)
from pytest_k6api.api.k6.setup_data import AnyJson, setup_text
from pytest_k6api.api.k6.status_change import StatusBody, decode_status_change
from pytest_k6api.api.messages import Call, Endpoint, Query, Reply
from pytest_k6api.api.ports import Delivery
from pytest_k6api.metrics import MetricSnapshot
from pytest_k6api.model import ControlError, MetricError

_STATUS_JSON: Final = "application/json; charset=utf-8"
"""The content type of k6's status documents; all other JSON goes without the charset."""

_NOT_FOUND: Final = "Not Found"

_STATS: Final = Query(
    name="stats",
    description="The statistics to show instead of k6's, separated by commas: count, sum, avg,"
    " min, med, max, p(N), rate, value.",
    example="p(99),max",
)


@Endpoint("GET", "/v1/status", media=_STATUS_JSON, each_test=True)
async def get_status(call: Call) -> Reply[Document[StatusData]]:
    """Show the state of the load test and its VUs."""
    data = status_data(await call.load_test.read(lambda now: now.status))
    blocked = call.load_test.unresponsive
    if not blocked:
        return Reply(Document(data))
    return Reply(Document(data, Meta(unresponsive=blocked, detail=_blocked(blocked))))


@Endpoint(
    "PATCH",
    "/v1/status",
    media=_STATUS_JSON,
    errors=(400, 409, 500),
    takes=StatusBody,
    example='-X PATCH {url}/v1/status -d \'{"data":{"attributes":{"paused":true}}}\'',
)
async def change_status(call: Call) -> Reply[Document[StatusData]]:
    """Pause, resume, scale or stop the load test."""
    result = await call.load_test.execute(decode_status_change(call.body))
    data = status_data(result.status)
    if result.delivery is Delivery.DONE:
        return Reply(Document(data))
    return Reply(Document(data, meta_of_later(call)), status=202)


def meta_of_later(call: Call) -> Meta:
    """Return the remark on a command that waits for the load test's blocked loop."""
    detail = f"{_blocked(call.load_test.unresponsive)}; the change is made when it goes on"
    return Meta(delivery=Delivery.LATER.value, detail=detail)


def _blocked(seconds: float) -> str:
    return f"event loop blocked for {seconds:.1f} s by a scenario"


@Endpoint("GET", "/v1/metrics", each_test=True)
async def list_metrics(call: Call) -> Reply[Document[list[MetricData]]]:
    """List the metrics that have samples or thresholds."""
    snapshot = await call.load_test.snapshot()
    return Reply(Document([metric_data(metric) for metric in snapshot.metrics.values()]))


@Endpoint(
    "GET",
    "/v1/metrics/{id...}",
    errors=(400, 404),
    queries=(_STATS,),
    example="'{url}/v1/metrics/http_req_duration?stats=p(99),max'",
    each_test=True,
)
async def get_metric(call: Call) -> Reply[Document[MetricData]]:
    """Show one metric, with any tag filter and any statistics."""
    metric_id = call.parameters["id"]
    names = [name.strip() for name in call.query.get("stats", "").split(",")]
    stats = tuple(dict.fromkeys(name for name in names if name))
    metric = await _find_metric(call, metric_id, stats)
    if metric is None:
        raise ControlError(_NOT_FOUND, "No metric with that ID was found", status=404)
    return Reply(Document(metric_data(metric, stats)))


async def _find_metric(call: Call, metric_id: str, stats: tuple[str, ...]) -> MetricSnapshot | None:
    try:
        return await call.load_test.read(lambda now: now.query(metric_id, stats))
    except MetricError as error:
        if not stats and "{" not in metric_id:
            return None
        raise ControlError("Invalid metric query", str(error)) from None


@Endpoint("GET", "/v1/groups", each_test=True)
async def list_groups(call: Call) -> Reply[Document[list[GroupData]]]:
    """List the groups with their checks, parents first."""
    snapshot = await call.load_test.snapshot()
    return Reply(Document(list(groups_data(snapshot.root))))


@Endpoint(
    "GET",
    "/v1/groups/{id}",
    errors=(404,),
    example="{url}/v1/groups/d41d8cd98f00b204e9800998ecf8427e",
    each_test=True,
)
async def get_group(call: Call) -> Reply[Document[GroupData]]:
    """Show one group with its checks."""
    snapshot = await call.load_test.snapshot()
    for group in groups_data(snapshot.root):
        if group.id == call.parameters["id"]:
            return Reply(Document(group))
    raise ControlError(_NOT_FOUND, "No group with that ID was found", status=404)


@Endpoint("GET", "/v1/setup", each_test=True)
async def get_setup(call: Call) -> Reply[Document[SetupData]]:
    """Show the setup data."""
    return Reply(Document(setup_data(call.load_test.setup_data)))


@Endpoint("POST", "/v1/setup", errors=(409, 500), example="-X POST {url}/v1/setup")
async def run_setup(call: Call) -> Reply[Document[SetupData]]:
    """Run setup now; what it returns becomes the setup data."""
    return Reply(Document(setup_data(await call.load_test.run_setup())))


@Endpoint(
    "PUT",
    "/v1/setup",
    errors=(400, 409),
    takes=AnyJson,
    body_required=False,
    example='-X PUT {url}/v1/setup -d \'{"user":"anna"}\'',
)
async def replace_setup(call: Call) -> Reply[Document[SetupData]]:
    """Replace the setup data by the body; an empty body removes it."""
    text = setup_text(call.body)
    await call.load_test.replace_setup_data(text)
    return Reply(Document(setup_data(text)))


@Endpoint("POST", "/v1/teardown", errors=(409, 500), example="-X POST {url}/v1/teardown")
async def run_teardown(call: Call) -> Reply[None]:
    """Run teardown now."""
    await call.load_test.run_teardown()
    return Reply(None)


K6_ENDPOINTS: Final = (
    get_status,
    change_status,
    list_metrics,
    get_metric,
    list_groups,
    get_group,
    get_setup,
    run_setup,
    replace_setup,
    run_teardown,
)
"""All endpoints of k6's API."""
