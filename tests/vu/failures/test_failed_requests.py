"""Failed requests, by kind: counted as ``http_req_failed`` counts them."""

from functools import partial
from typing import Any

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import Batch, Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.http import HTTP_ROWS
from pytest_k6api.vu import FailedRequests, Failure, name_kinds
from pytest_k6api.vu.failures.failed_requests import MOST_KINDS

REFUSED: dict[str, Any] = {"error_code": "1212", "error": "dial: connection refused"}


class Rig:
    """A virtual user's recorder, an engine, and the kinds of failed requests."""

    def __init__(self) -> None:
        self.tags = TagTable()
        self.engine = MetricsEngine(self.tags)
        self.requests = FailedRequests(self.tags)
        self.recorder = Recorder(SampleBuffer(), TagContext(self.tags, {"scenario": "buy"}))
        self.now = 0.0

    def request(self, name: str, status: int = 503, *, failed: int = 1, **tags: str) -> object:
        """Record one request and return its response."""
        if status >= 400:
            tags = {"error_code": str(1000 + status)}
        tags |= {"method": "GET", "name": name, "status": str(status)}
        number = self.recorder.context.id_with(tags)
        self.recorder.buffer.rows[HTTP_ROWS].append((number, failed, 9, 0, 0, 0, 1, 7, 1, 0))
        response = object()
        if failed:
            self.recorder.keep_failed(
                number, status, response, lambda: f"> GET {name} at {self.now}"
            )
        return response

    def pump(self, seconds: float = 1.0) -> None:
        self.now += seconds
        batch = self.recorder.buffer.drain()
        self.engine.ingest(batch, self.now)
        self.requests.note(batch, self.now)

    def failures(self) -> tuple[Failure, ...]:
        self.pump()
        return self.requests.failures(self.engine.failed_requests())


def test_a_kind_is_error_or_status_method_and_name():
    rig = Rig()
    for _ in range(3):
        rig.request("flaky", 503)
    rig.request("flaky", 500)
    rig.request("http://127.0.0.1:9/", 0, **REFUSED)
    rig.request("http://127.0.0.1:9/", 0, **REFUSED)

    failures = rig.failures()

    assert [(each.count, each.message) for each in failures] == [
        (3, "503 GET flaky"),
        (2, "connection refused (1212) GET http://127.0.0.1:9/"),
        (1, "500 GET flaky"),
    ]
    assert name_kinds(failures) == (
        "3x 503 GET flaky; 2x connection refused (1212) GET http://127.0.0.1:9/; 1x 500 GET flaky"
    )


def test_it_has_share_times_and_one_exchange():
    rig = Rig()
    rig.request("flaky")
    rig.request("flaky", 200, failed=0)
    rig.pump(2.0)
    rig.request("flaky")
    rig.request("flaky", 200, failed=0)
    rig.pump(3.0)

    (failure,) = rig.failures()

    assert (failure.kind.value, failure.scenario) == ("request", "buy")
    assert (failure.count, failure.share) == (2, 0.5)
    assert (failure.first_at, failure.last_at) == (2.0, 5.0)
    assert failure.details == "at 2.000 s\n> GET flaky at 2.0"


def test_what_an_interrupted_iteration_did_is_in_neither_count():
    rig = Rig()
    kept = rig.recorder.cut()
    rig.request("flaky")
    rig.recorder.buffer = kept

    assert rig.failures() == ()


def test_urls_that_differ_in_ids_are_one_kind():
    rig = Rig()
    for number in range(300):
        rig.request(f"http://shop.test/products/{number}/reviews?page={number}", 404)
    rig.request("http://shop.test/carts/7f0c2b1e-3b7a-4ad5-9f6e-1f2d3c4b5a69", 404)

    assert [(each.count, each.message) for each in rig.failures()] == [
        (300, "404 GET http://shop.test/products/#/reviews?page=#"),
        (1, "404 GET http://shop.test/carts/7f0c2b1e-3b7a-4ad5-9f6e-1f2d3c4b5a69"),
    ]


def test_names_that_were_chosen_stay_apart():
    rig = Rig()
    rig.request("step 1")
    rig.request("step 2")

    assert [each.message for each in rig.failures()] == ["503 GET step 1", "503 GET step 2"]


def test_the_number_of_kinds_is_bounded_and_the_sum_is_right():
    rig = Rig()
    for number in range(MOST_KINDS + 3):
        rig.request(f"name {number}")
        rig.pump(0.1)

    failures = rig.failures()

    assert len(failures) == MOST_KINDS + 1
    assert sum(each.count for each in failures) == MOST_KINDS + 3
    assert failures[-1].is_rest
    assert (failures[-1].count, failures[-1].message) == (
        3,
        f"3 more kinds, such as 503 GET name {MOST_KINDS}",
    )


def test_one_line_names_five_kinds_and_counts_the_others():
    rig = Rig()
    for number in range(7):
        rig.request(f"n{number}")

    text = name_kinds(rig.failures())

    assert text.endswith("; 1x 503 GET n4; 2x 2 more kinds")


def test_a_4xx_that_a_check_accepts_gets_a_hint():
    rig = Rig()
    rig.request("gone", 404)
    rig.pump()
    rig.recorder.buffer.accepted[rig.recorder.failed_tags] = None

    (failure,) = rig.failures()

    hint = "a check accepts it; if 404 is right there, give the request expected_statuses=404"
    assert failure.hint == hint
    assert name_kinds([failure]) == f"1x 404 GET gone ({hint})"


def test_a_5xx_that_a_check_accepts_gets_none():
    rig = Rig()
    rig.request("down", 500)
    rig.pump()
    rig.recorder.buffer.accepted[rig.recorder.failed_tags] = None

    assert rig.failures()[0].hint == ""


def test_a_server_that_is_spoken_to_in_the_wrong_way_gets_a_hint():
    rig = Rig()
    unknown: dict[str, Any] = {"error_code": "1310", "error": "x509: unknown authority"}
    rig.request("home", 0, **unknown)

    (failure,) = rig.failures()

    hint = "--k6-ca-file=FILE trusts its authority, --k6-insecure-skip-tls-verify everybody"
    assert failure.hint == hint
    assert name_kinds([failure]) == f"1x x509: unknown authority (1310) GET home ({hint})"


def test_secrets_in_urls_are_masked():
    rig = Rig()
    rig.request("http://shop.test/?token=abc")

    assert rig.failures()[0].message == "503 GET http://shop.test/?token=****"


def test_an_exchange_is_told_once_for_each_kind_however_many_there_are():
    rig = Rig()
    told: list[int] = []

    def describe(at: int) -> str:
        told.append(at)
        return ""

    number = rig.recorder.context.id_with({"status": "500", "method": "GET", "name": "x"})
    for at in range(1000):
        rig.recorder.buffer.rows[HTTP_ROWS].append((number, 1, 9, 0, 0, 0, 1, 7, 1, 0))
        rig.recorder.keep_failed(number, 500, object(), partial(describe, at))
        rig.pump(0.1)

    assert rig.failures()[0].count == 1000
    assert told == [0]
    assert rig.recorder.buffer.drain() == Batch({}, [], {}, {})
