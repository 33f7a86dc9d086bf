"""Every recorded exchange with k6 v1.1.0, replayed against the API in the same phase.

Compared are the status, the content type, the location and the body byte for
byte; the fake measures what k6 measured, so that numbers and orders are equal
too. One rule holds for all: JSON says that it is JSON, where k6 lets Go guess
``text/plain``. What else differs is listed here with its reason, and the list
is exact: an entry that agrees with k6 fails as well.
"""

import http.client
from collections.abc import Iterator

import pytest

from pytest_k6api.api import ApiServer, ApiSettings
from tests.api.fake import FakeSession
from tests.api.recorded import Exchange, load_exchanges

pytestmark = pytest.mark.sockets

NO_REPLY = "k6 does not answer, or its client had gone: there is nothing to compare"
CUT_OFF = "only the beginning of the body was recorded: status and type are compared"
DEVIATIONS = {
    NO_REPLY: """
        ext_status_after_stop setup_slow_client_disconnect
        extdur_patch_vus_after_end extdur_patch_pause_after_end""",
    CUT_OFF: "accept_json accept_encoding_gzip",
    "pause, resume and scale work on every executor and in every phase before the end": """
        patch_pause_constant_vus_running patch_resume_constant_vus_running
        patch_vusmax_constant_vus_running init_patch_pause_true
        extdur_pause_during_setup extdur_resume_during_setup
        later_pause_before_executor_start stopping_pause
        mixedorder_pause_partial mixedorder_resume""",
    "after the end the error says that the load test has ended": "patch_pause_after_end",
    "after an abort `running` is false": """
        kind_abort_status_linger kind_threshold_delay_status_linger
        kind_rest_stop_status_linger kind_long_teardown_status_linger""",
    "objects in place of numbers and flags are a leak of k6's Go types": """
        patch_bad_vus_object patch_bad_vus_object_null patch_bad_paused_obj""",
    "the envelope of the documentation is unwrapped": "setup_put_envelope_as_in_seed_doc",
    "a number that is not finite is null and breaks no list": """
        weird_metric_wt weird_metric_wc weird_metric_all""",
    "pages of other sites are refused": "cors_origin cors_preflight",
    "a request addressed to another host is refused (DNS rebinding)": "absolute_form",
    "Hypercorn writes methods in capitals": "method_lowercase_get",
    "there is no Go runtime to profile: the path is as unknown as any other": """
        path_pprof path_pprof_noslash path_pprof_heap path_vars_noslash
        profiling_on_index profiling_on_cmdline profiling_on_goroutine
        profiling_on_vars profiling_env_var""",
    "`/metrics` is for Prometheus": "path_prom_metrics",
    "k6 counts the VUs of a second scenario, which the fake does not have": "two_vus2",
}
REASONS = {name: reason for reason, names in DEVIATIONS.items() for name in names.split()}

EXCHANGES = load_exchanges()


class Client:
    """Sends a request as it was recorded, byte for byte, and reads the reply."""

    def __init__(self, url: str) -> None:
        self.session = FakeSession()
        self._address = url.removeprefix("http://")

    def replay(self, exchange: Exchange) -> dict[str, object]:
        request = exchange.request
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            body = request.get("body")
            connection.putrequest(request["method"], request["path"], skip_accept_encoding=True)
            chunked = "Transfer-Encoding" in request.get("headers", {})
            for name, value in request.get("headers", {}).items():
                connection.putheader(name, value)
            if body is not None and not chunked:
                connection.putheader("Content-Length", str(len(body.encode())))
            connection.endheaders(None if body is None else body.encode(), encode_chunked=chunked)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        reply: dict[str, object] = {
            "status": response.status,
            "type": response.headers.get("Content-Type"),
            "body": text,
        }
        if "Location" in response.headers:
            reply["location"] = response.headers["Location"]
        return reply


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    session = FakeSession()
    server = ApiServer(session, ApiSettings(address="127.0.0.1:0"))
    replaying = Client(server.start())
    replaying.session = session
    yield replaying
    server.stop()


def expected(exchange: Exchange) -> dict[str, object]:
    reply = dict(exchange.response)
    if exchange.document is not None and str(reply["type"]).startswith("text/plain"):
        reply["type"] = "application/json"
    return reply


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[exchange.name for exchange in EXCHANGES])
def test_the_api_answers_as_k6_did(exchange: Exchange, client: Client) -> None:
    reason = REASONS.get(exchange.name)
    if reason == NO_REPLY:
        return
    client.session.load_tests = [exchange.load_test()]

    reply = client.replay(exchange)

    if reason == CUT_OFF:
        assert (reply["status"], reply["type"]) == (200, "application/json")
    elif reason is not None:
        assert reply != expected(exchange), f"it agrees with k6: {reason}"
    else:
        assert reply == expected(exchange)


def test_every_deviation_names_a_recorded_exchange_and_none_is_named_twice() -> None:
    assert set(REASONS) <= {exchange.name for exchange in EXCHANGES}
    assert len(REASONS) == sum(len(names.split()) for names in DEVIATIONS.values())


def test_k6_left_only_these_exchanges_without_a_reply() -> None:
    silent = {exchange.name for exchange in EXCHANGES if exchange.response["status"] is None}

    assert silent == {name for name, reason in REASONS.items() if reason == NO_REPLY}
