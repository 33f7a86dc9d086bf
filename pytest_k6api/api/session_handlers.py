"""The endpoints beyond k6: scenarios, thresholds, failures, the session's load tests."""

from typing import Final

from pytest_k6api.api.documents import (
    failure_data,
    load_test_data,
    scenario_data,
    thresholds_data,
)
from pytest_k6api.api.k6_handlers import meta_of_later
from pytest_k6api.api.ports import Delivery
from pytest_k6api.api.reply import Call, Reply, json_reply
from pytest_k6api.api.scenario_change import decode_scenario_change
from pytest_k6api.model import ControlError, ScenarioSnapshot

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus' text format."""


async def list_scenarios(call: Call) -> Reply:
    """List the scenarios with their executors, progress, VUs and rates."""
    scenarios = await call.load_test.read_scenarios()
    return json_reply({"data": [scenario_data(scenario) for scenario in scenarios]})


async def get_scenario(call: Call) -> Reply:
    """Show one scenario."""
    for scenario in await call.load_test.read_scenarios():
        if scenario.name == call.parameters["name"]:
            return _scenario_reply(scenario)
    raise _no_scenario()


async def change_scenario(call: Call) -> Reply:
    """Pause or resume one scenario, or override its VUs or its rate."""
    change = decode_scenario_change(call.body)
    try:
        scenario, delivery = await call.load_test.change_scenario(call.parameters["name"], change)
    except KeyError:
        raise _no_scenario() from None
    if delivery is Delivery.DONE:
        return _scenario_reply(scenario)
    document = {"data": scenario_data(scenario), "meta": meta_of_later(call)}
    return json_reply(document, status=202)


def _scenario_reply(scenario: ScenarioSnapshot) -> Reply:
    return json_reply({"data": scenario_data(scenario)})


def _no_scenario() -> ControlError:
    return ControlError("Not Found", "No scenario with that name was found", status=404)


async def list_thresholds(call: Call) -> Reply:
    """List the thresholds with the numbers they were last judged by."""
    snapshot = await call.load_test.snapshot()
    return json_reply({"data": list(thresholds_data(snapshot))})


async def list_failures(call: Call) -> Reply:
    """List the failures inside virtual users, like ones grouped, most frequent first."""
    return json_reply({"data": [failure_data(failure) for failure in call.load_test.failures]})


async def list_load_tests(call: Call) -> Reply:
    """List the session's load tests in the order of their start."""
    current = call.session.current
    data = [
        load_test_data(load_test, await load_test.read_status(), is_current=load_test is current)
        for load_test in call.session.load_tests
    ]
    return json_reply({"data": data})


async def get_load_test(call: Call) -> Reply:
    """Show one load test of the session."""
    status = await call.load_test.read_status()
    is_current = call.load_test is call.session.current
    return json_reply({"data": load_test_data(call.load_test, status, is_current=is_current)})


async def stream_events(call: Call) -> Reply:
    """Stream what happens as server-sent events: tests, states, metrics, thresholds."""
    return Reply(
        body=call.api.events.subscribe(),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def export_prometheus(call: Call) -> Reply:
    """Show the metrics in the text format of Prometheus."""
    # Only who scrapes pays for the import.
    from pytest_k6api.api.prometheus import exposition

    snapshot = await call.load_test.snapshot()
    body = exposition(snapshot, call.load_test.name, call.load_test.status)
    return Reply(body=body, content_type=PROMETHEUS)
