"""Every request that k6 documents, made with curl in every phase of a real load test."""

import json

import pytest

pytestmark = pytest.mark.sockets

JSON = "application/json"
STATUS_JSON = "application/json; charset=utf-8"
ROOT = "d41d8cd98f00b204e9800998ecf8427e"
GROUP = "b0470a9324a4ae563b04e9ac49fbc9cf"
VISIT = "::visit homepage"


@pytest.fixture
def processes():
    """One: that workers answer the same is tested with recorded exchanges."""
    return ()


def error(code, title, detail):
    return {"errors": [{"status": str(code), "title": title, "detail": detail}]}


def setup_document(attributes):
    return {"data": {"type": "setupData", "id": "default", "attributes": attributes}}


def group_ids(answer):
    return [group["id"] for group in answer.document["data"]]


def metric_ids(answer):
    return {metric["id"] for metric in answer.document["data"]}


def test_while_it_waits_for_a_resume(paused):
    status = paused.curl("GET", "/v1/status")
    metrics = paused.curl("GET", "/v1/metrics")
    groups = paused.curl("GET", "/v1/groups")
    setup = paused.curl("GET", "/v1/setup")
    again = paused.change(paused=True)

    assert (status.code, status.content_type) == (200, STATUS_JSON)
    assert status.document == {
        "data": {
            "type": "status",
            "id": "default",
            "attributes": {
                "status": 4,
                "paused": True,
                "vus": 0,
                "vus-max": 3,
                "stopped": False,
                "running": False,
                "tainted": False,
            },
        }
    }
    assert {"http_req_duration", "http_reqs", "http_reqs{name:home}"} <= metric_ids(metrics)
    assert paused.metric("http_reqs{name:home}") == {"count": 0, "rate": 0}
    assert group_ids(groups) == [ROOT]
    assert (setup.code, setup.document) == (200, setup_document({}))
    assert again.code == 500
    assert again.document == error(500, "Pause error", "execution is already paused")
    assert paused.traces("setups") == ""


def test_a_resume_starts_it(paused):
    answer = paused.change(paused=False)

    assert answer.code == 200
    assert answer.document["data"]["attributes"]["paused"] is False
    assert paused.wait_for(status=7, vus=3)["running"] is True
    assert paused.wait_for_requests() > 0
    assert paused.traces("setups") == "x"


def test_setup_is_shown_replaced_and_run_again(running):
    shown = running.curl("GET", "/v1/setup")
    replaced = running.curl("PUT", "/v1/setup", json.dumps({"token": "xyz"}))
    shown_then = running.curl("GET", "/v1/setup")
    run = running.curl("POST", "/v1/setup")

    assert (shown.code, shown.content_type) == (200, JSON)
    assert shown.document == setup_document({"data": {"token": "abc"}})
    assert (replaced.code, replaced.document) == (200, setup_document({"data": {"token": "xyz"}}))
    assert shown_then.document == setup_document({"data": {"token": "xyz"}})
    assert (run.code, run.document) == (200, setup_document({"data": {"token": "abc"}}))
    assert running.traces("setups") == "xx"


def test_teardown_is_run_at_once_and_again_at_the_end(running):
    answer = running.curl("POST", "/v1/teardown")
    traces = running.traces("teardowns")
    running.change(stopped=True)
    running.wait_for(running=False)

    assert (answer.code, answer.document) == (200, None)
    assert traces == "abc "
    assert running.traces("teardowns") == "abc abc "


def test_it_is_scaled_while_it_runs(running):
    up = running.change(vus=5, vus_max=6)
    more = running.wait_for(vus=5, vus_max=6)
    running.change(vus=1)
    fewer = running.wait_for(vus=1)
    refused = running.change(vus=-1)

    assert up.code == 200
    assert more["running"] is True
    assert fewer["vus-max"] == 6
    assert refused.code == 400
    assert refused.document["errors"][0]["title"] == "Config update error"


def test_it_is_paused_in_the_middle(running):
    answer = running.change(paused=True)
    status = running.wait_for(paused=True, vus=0)
    first = running.metric("http_reqs")
    again = running.change(paused=True)
    second = running.metric("http_reqs")
    groups = running.curl("GET", "/v1/groups")
    resumed = running.change(paused=False)

    assert (answer.code, answer.content_type) == (200, STATUS_JSON)
    assert (status["status"], status["running"], status["stopped"]) == (7, True, False)
    # The clock stands, and so does the rate.
    assert first == second
    assert again.code == 500
    assert again.document == error(500, "Pause error", "test execution was already paused")
    assert group_ids(groups) == [ROOT, GROUP]
    assert resumed.document["data"]["attributes"]["paused"] is False
    assert running.wait_for(vus=3)["running"] is True
    assert running.wait_for_requests() > first["count"]


def test_it_is_stopped_and_still_answers(running):
    answer = running.change(stopped=True)
    status = running.wait_for(running=False)
    metrics = running.curl("GET", "/v1/metrics")
    groups = running.curl("GET", "/v1/groups")
    setup = running.curl("GET", "/v1/setup")
    again = running.change(stopped=True)
    first, second = running.metric("http_reqs"), running.metric("http_reqs")

    assert answer.code == 200
    assert answer.document["data"]["attributes"]["stopped"] is True
    assert (status["status"], status["stopped"], status["vus"]) == (10, True, 0)
    assert "http_reqs" in metric_ids(metrics)
    assert group_ids(groups) == [ROOT, GROUP]
    assert setup.document == setup_document({"data": {"token": "abc"}})
    assert again.code == 200
    assert first == second
    assert running.traces("teardowns") == "abc "


def test_ctrl_c_ends_a_session_that_lingers(running):
    running.change(stopped=True)
    running.wait_for_text("k6: lingering")

    code = running.interrupt()

    assert code == 1  # who stops a load test has not let it pass
    assert "1 failed" in running.printed()


def test_what_it_measures_while_it_runs(unchanged):
    metrics = unchanged.curl("GET", "/v1/metrics")
    one = unchanged.curl("GET", "/v1/metrics/http_req_duration")
    part = unchanged.curl("GET", "/v1/metrics/http_reqs{name:home}")
    missing = unchanged.curl("GET", "/v1/metrics/nothing")

    assert (metrics.code, metrics.content_type) == (200, JSON)
    assert {"http_reqs", "checks", "group_duration", "data_sent"} <= metric_ids(metrics)
    attributes = one.document["data"]["attributes"]
    assert (one.code, one.document["data"]["id"]) == (200, "http_req_duration")
    assert (attributes["type"], attributes["contains"]) == ("trend", "time")
    assert set(attributes["sample"]) == {"avg", "max", "med", "min", "p(90)", "p(95)"}
    assert 0 < attributes["sample"]["min"] <= attributes["sample"]["p(95)"]
    assert part.document["data"]["attributes"]["sample"]["count"] > 0
    assert missing.code == 404
    assert missing.document == error(404, "Not Found", "No metric with that ID was found")


def test_its_groups_and_checks_while_it_runs(unchanged):
    groups = unchanged.curl("GET", "/v1/groups")
    one = unchanged.curl("GET", f"/v1/groups/{GROUP}")
    missing = unchanged.curl("GET", "/v1/groups/0")

    assert (groups.code, groups.content_type) == (200, JSON)
    assert group_ids(groups) == [ROOT, GROUP]
    data = one.document["data"]
    (check,) = data["attributes"]["checks"]
    assert (data["type"], data["id"], data["attributes"]["path"]) == ("groups", GROUP, VISIT)
    assert data["relationships"]["parent"]["data"] == {"type": "groups", "id": ROOT}
    assert (check["name"], check["path"]) == ("status is 200", f"{VISIT}::status is 200")
    assert check["passes"] > 0
    assert check["fails"] == 0
    assert missing.code == 404
    assert missing.document == error(404, "Not Found", "No group with that ID was found")


def test_what_is_no_json_is_no_setup_data(unchanged):
    refused = unchanged.curl("PUT", "/v1/setup", "{token")

    assert refused.code == 400
    assert refused.document["errors"][0]["title"] == "Error parsing request body"
    assert unchanged.curl("GET", "/v1/setup").document == setup_document({"data": {"token": "abc"}})


def test_who_is_not_paused_cannot_be_resumed(unchanged):
    answer = unchanged.change(paused=False)

    assert answer.code == 500
    assert answer.document == error(500, "Pause error", "test execution wasn't paused")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_method_that_a_path_does_not_know(unchanged, method):
    assert unchanged.curl(method, "/v1/status").code == 405


def test_a_body_that_cannot_be_read_changes_nothing(unchanged):
    answer = unchanged.curl("PATCH", "/v1/status", '{"data": {"attributes": {"paused": true,}}}')

    assert answer.code == 400
    assert answer.document["errors"][0]["title"] == "Invalid data"
    assert unchanged.status()["paused"] is False
