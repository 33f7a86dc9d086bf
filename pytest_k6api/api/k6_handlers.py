"""The endpoints that k6 v1 has: status, metrics, groups, setup, teardown.

Each handler takes a `Call` and returns a `Reply`; what went wrong in between is
a `ControlError`, which the caller turns into k6's error document.

Source: k6 v1.1.0, ``api/v1/*_routes.go``.
"""

from typing import Final

from pytest_k6api.api.documents import groups_data, metric_data, setup_data, status_data
from pytest_k6api.api.go_scanner import GoSyntaxError
from pytest_k6api.api.ports import Delivery
from pytest_k6api.api.reply import Call, Reply, json_reply
from pytest_k6api.api.setup_body import setup_text
from pytest_k6api.api.status_change import decode_status_change
from pytest_k6api.metrics import MetricSnapshot
from pytest_k6api.model import ControlError, MetricError, StatusSnapshot

STATUS_JSON: Final = "application/json; charset=utf-8"
"""What k6 says about its status documents; all other JSON goes without the charset."""

_NOT_FOUND: Final = "Not Found"


async def get_status(call: Call) -> Reply:
    """Tell where in its life the load test is, and how many VUs it has."""
    status = await call.load_test.read_status()
    still = call.load_test.unresponsive
    meta = {"unresponsive": still, "detail": _still(still)} if still else {}
    return _status_reply(status, meta)


async def change_status(call: Call) -> Reply:
    """Pause, resume, scale or stop the load test."""
    change = decode_status_change(call.body)
    status, delivery = await call.load_test.change(change)
    if delivery is Delivery.DONE:
        return _status_reply(status, {})
    return _status_reply(status, meta_of_later(call), code=202)


def meta_of_later(call: Call) -> dict[str, object]:
    """Return what to say about a command that was left for the load test's loop."""
    detail = f"{_still(call.load_test.unresponsive)}; the change is made as soon as it moves"
    return {"delivery": Delivery.LATER.value, "detail": detail}


def _still(seconds: float) -> str:
    return f"event loop blocked for {seconds:.1f} s by a scenario"


def _status_reply(status: StatusSnapshot, meta: dict[str, object], *, code: int = 200) -> Reply:
    document: dict[str, object] = {"data": status_data(status)}
    if meta:
        document["meta"] = meta
    return json_reply(document, status=code, content_type=STATUS_JSON)


async def list_metrics(call: Call) -> Reply:
    """List the metrics that have samples or thresholds."""
    snapshot = await call.load_test.snapshot()
    return json_reply({"data": [metric_data(metric) for metric in snapshot.metrics.values()]})


async def get_metric(call: Call) -> Reply:
    """Show one metric, with any tag filter and any statistics."""
    metric_id = call.parameters["id"]
    stats = split_stats(call.query.get("stats", ""))
    metric = await _find_metric(call, metric_id, stats)
    if metric is None:
        raise ControlError(_NOT_FOUND, "No metric with that ID was found", status=404)
    return json_reply({"data": metric_data(metric, stats)})


async def _find_metric(call: Call, metric_id: str, stats: tuple[str, ...]) -> MetricSnapshot | None:
    try:
        return await call.load_test.metric(metric_id, stats)
    except MetricError as error:
        if not stats and "{" not in metric_id:
            return None
        raise ControlError("Invalid metric query", str(error)) from None


def split_stats(text: str) -> tuple[str, ...]:
    """Return the statistics named in `text`, such as ``p(99.9),count``, without repetition."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


async def list_groups(call: Call) -> Reply:
    """List the groups with their checks, parents first."""
    snapshot = await call.load_test.snapshot()
    return json_reply({"data": list(groups_data(snapshot.root))})


async def get_group(call: Call) -> Reply:
    """Show one group with its checks."""
    snapshot = await call.load_test.snapshot()
    for group in groups_data(snapshot.root):
        if group["id"] == call.parameters["id"]:
            return json_reply({"data": group})
    raise ControlError(_NOT_FOUND, "No group with that ID was found", status=404)


async def get_setup(call: Call) -> Reply:
    """Show the setup data."""
    return json_reply({"data": setup_data(call.load_test.setup_data)})


async def run_setup(call: Call) -> Reply:
    """Run setup now; what it returns becomes the setup data."""
    return json_reply({"data": setup_data(await call.load_test.run_setup())})


async def replace_setup(call: Call) -> Reply:
    """Replace the setup data by the body; an empty body removes it."""
    try:
        text = setup_text(call.body)
    except GoSyntaxError as error:
        raise ControlError("Error parsing request body", str(error)) from None
    await call.load_test.replace_setup_data(text)
    return json_reply({"data": setup_data(text)})


async def run_teardown(call: Call) -> Reply:
    """Run teardown now."""
    await call.load_test.run_teardown()
    return Reply()
