"""The endpoints beyond k6: scenarios, thresholds, failures, the session's load tests."""

from collections.abc import Sequence
from typing import Final

from pytest_k6api.api.documents import (
    Document,
    FailureData,
    LoadTestData,
    ScenarioData,
    ThresholdData,
    failure_data,
    load_test_data,
    scenario_data,
    threshold_data,
)
from pytest_k6api.api.extensions.events import EVENTS, PLAIN, status_with_outcome
from pytest_k6api.api.extensions.index import show_index
from pytest_k6api.api.extensions.live_page import show_report, sign_in
from pytest_k6api.api.extensions.openapi import show_openapi
from pytest_k6api.api.extensions.scenario_change import (
    ScenarioChangeDocument,
    decode_scenario_change,
)
from pytest_k6api.api.extensions.workers import list_workers
from pytest_k6api.api.k6.endpoints import meta_of_later
from pytest_k6api.api.messages import Call, Endpoint, Query, Reply, Stream
from pytest_k6api.api.ports import Delivery
from pytest_k6api.metrics import MOST_POINTS, TimelineDocument
from pytest_k6api.model import ControlError, ScenarioSnapshot

_POINTS: Final = 600
"""How many points a timeline has at most if the query does not tell."""

_POINTS_QUERY: Final = Query(
    name="points",
    description=f"The greatest number of points, up to {MOST_POINTS:,}; {_POINTS} by default.",
    example="60",
    most=MOST_POINTS,
)
_SINCE_QUERY: Final = Query(
    name="since",
    description="The second from which on points are wanted; all of them by default.",
    example="60",
    most=1_000_000_000,
)

_ONLY_QUERY: Final = Query(
    name="only",
    description="The events that are wanted; all but `report` and `timeline` by default.",
    example="status,threshold",
)

_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus' text format."""


@Endpoint("GET", "/v1/scenarios", each_test=True)
async def list_scenarios(call: Call) -> Reply[Document[list[ScenarioData]]]:
    """List the scenarios with their executors, progress, VUs and rates."""
    scenarios = await call.load_test.read(lambda now: now.scenarios)
    return Reply(Document([scenario_data(scenario) for scenario in scenarios]))


@Endpoint("GET", "/v1/scenarios/{name}", errors=(404,), each_test=True)
async def get_scenario(call: Call) -> Reply[Document[ScenarioData]]:
    """Show one scenario."""
    return Reply(Document(_named(call, await call.load_test.read(lambda now: now.scenarios))))


@Endpoint(
    "PATCH",
    "/v1/scenarios/{name}",
    errors=(400, 404, 409, 500),
    takes=ScenarioChangeDocument,
    example='-X PATCH {url}/v1/scenarios/test_buy -d \'{"data":{"attributes":{"rate":50}}}\'',
)
async def change_scenario(call: Call) -> Reply[Document[ScenarioData]]:
    """Pause or resume one scenario, or override its VUs or its rate."""
    command = decode_scenario_change(call.parameters["name"], call.body)
    try:
        result = await call.load_test.execute(command)
    except KeyError:
        raise _no_scenario() from None
    data = _named(call, result.scenarios)
    if result.delivery is Delivery.DONE:
        return Reply(Document(data))
    return Reply(Document(data, meta_of_later(call)), status=202)


def _named(call: Call, scenarios: Sequence[ScenarioSnapshot]) -> ScenarioData:
    """Return the scenario that the path of `call` names."""
    for scenario in scenarios:
        if scenario.name == call.parameters["name"]:
            return scenario_data(scenario)
    raise _no_scenario()


def _no_scenario() -> ControlError:
    return ControlError("Not Found", "No scenario with that name was found", status=404)


@Endpoint("GET", "/v1/thresholds", each_test=True)
async def list_thresholds(call: Call) -> Reply[Document[list[ThresholdData]]]:
    """List the thresholds with the numbers of their last evaluation."""
    snapshot = await call.load_test.snapshot()
    return Reply(Document([threshold_data(threshold) for threshold in snapshot.thresholds]))


@Endpoint("GET", "/v1/failures", each_test=True)
async def list_failures(call: Call) -> Reply[Document[list[FailureData]]]:
    """List the failures inside virtual users, like ones grouped, most frequent first."""
    return Reply(Document([failure_data(failure) for failure in call.load_test.live.failures]))


@Endpoint(
    "GET",
    "/v1/timeline",
    errors=(400, 503),
    each_test=True,
    queries=(_POINTS_QUERY, _SINCE_QUERY),
)
async def show_timeline(call: Call) -> Reply[TimelineDocument]:
    """Show requests, errors, VUs, lateness and data second by second."""
    points = _whole_number(call, _POINTS_QUERY, _POINTS)
    since = _whole_number(call, _SINCE_QUERY, 0)
    timeline = await call.load_test.read(lambda now: now.load_timeline())
    if timeline is None:
        raise ControlError(
            "Service Unavailable", "the event loop is blocked; try again", status=503
        )
    return Reply(timeline.document(points, since))


def _whole_number(call: Call, query: Query, default: int) -> int:
    text = call.query.get(query.name)
    if text is None:
        return default
    # No longer than the greatest: int() takes time in proportion to the square of the length.
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(query.most))
    if not is_number or not 0 < int(text) <= query.most:
        raise ControlError(
            "Invalid query",
            f"{query.name} is a number from 1 to {query.most}, got {text[:50]!r}",
            status=400,
        )
    return int(text)


@Endpoint("GET", "/v1/tests")
async def list_load_tests(call: Call) -> Reply[Document[list[LoadTestData]]]:
    """List the session's load tests in the order of their start."""
    current = call.session.current
    data = [
        load_test_data(
            load_test, await status_with_outcome(load_test), is_current=load_test is current
        )
        for load_test in call.session.load_tests
    ]
    return Reply(Document(data))


@Endpoint("GET", "/v1/tests/{test}", errors=(404,))
async def get_load_test(call: Call) -> Reply[Document[LoadTestData]]:
    """Show one load test of the session."""
    status = await status_with_outcome(call.load_test)
    is_current = call.load_test is call.session.current
    return Reply(Document(load_test_data(call.load_test, status, is_current=is_current)))


@Endpoint(
    "GET",
    "/v1/events",
    media="text/event-stream",
    errors=(400,),
    queries=(_ONLY_QUERY,),
    example="-N {url}/v1/events",
)
async def stream_events(call: Call) -> Reply[Stream]:
    """Stream server-sent events: starts and ends, states, metrics, thresholds."""
    asked = call.query.get(_ONLY_QUERY.name)
    names = PLAIN if asked is None else frozenset(asked.split(","))
    if unknown := sorted(names - EVENTS):
        raise ControlError(
            "Invalid query",
            f"only has names of events, such as {_ONLY_QUERY.example}; known are"
            f" {', '.join(sorted(EVENTS))}, got {unknown[0][:50]!r}",
            status=400,
        )
    return Reply(call.api.events.subscribe(names), headers={"Cache-Control": "no-store"})


@Endpoint(
    "GET",
    "/metrics",
    media=_PROMETHEUS,
    queries=(
        Query(
            name="names",
            description="With k6, series have the names of k6's remote write.",
            example="k6",
        ),
    ),
)
async def export_prometheus(call: Call) -> Reply[bytes]:
    """Show the metrics in the text format of Prometheus."""
    # Imported by the first scrape: other sessions do not pay for it.
    from pytest_k6api.api.extensions.prometheus import exposition

    snapshot = await call.load_test.snapshot()
    k6_names = call.query.get("names") == "k6"
    name, status = call.load_test.name, call.load_test.live.status
    return Reply(exposition(snapshot, name, status, k6_names=k6_names))


EXTENSIONS: Final = (
    list_scenarios,
    get_scenario,
    change_scenario,
    list_thresholds,
    list_failures,
    list_workers,
    show_timeline,
    list_load_tests,
    get_load_test,
    stream_events,
    show_openapi,
    show_index,
    show_report,
    sign_in,
    export_prometheus,
)
"""All endpoints beyond k6's."""
