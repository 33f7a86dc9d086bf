"""Which failures no threshold is about, by the tags of their samples."""

import pytest

from pytest_k6api.metrics import MetricsEngine, parse_selections, parse_thresholds
from pytest_k6api.model import BUILT_IN, CHECK_ROWS, Batch, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS

KNOWN = {metric.name: metric for metric in BUILT_IN}


def engine(*ids: str, tolerated: tuple[str, ...] = ()) -> MetricsEngine:
    """Return an engine with a threshold on each id, two failed and two other requests."""
    tags = TagTable()
    engine = MetricsEngine(
        tags,
        parse_thresholds({each: ["rate<=1"] for each in ids}, KNOWN),
        tolerated=parse_selections(tolerated, KNOWN),
    )

    def request(failed: int, **more: str) -> tuple[int, ...]:
        return (
            tags.intern({"group": "", "scenario": "buy", **more}),
            failed,
            9,
            0,
            0,
            0,
            1,
            7,
            1,
            0,
        )

    requests = [
        request(1, name="pay", status="503"),
        request(0, name="pay", status="200"),
        request(1, name="list", status="404"),
        request(0, name="list", status="200"),
        request(1, name="list", status="404", scenario="look"),
    ]
    checks = [(tags.intern({"check": check}), value) for check, value in [("a", 0.0), ("b", 1.0)]]
    engine.ingest(Batch({HTTP_ROWS: requests, CHECK_ROWS: checks}))
    return engine


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ((), (3, 5)),
        (("http_reqs{name:pay}",), (3, 5)),
        (("http_req_failed",), (0, 0)),
        (("http_req_failed{name:pay}",), (2, 3)),
        (("http_req_failed{name:pay,status:503}",), (2, 4)),
        (("http_req_failed{name:pay}", "http_req_failed{name:list}"), (0, 0)),
        (("http_req_failed{name:list,scenario:look}",), (2, 4)),
        (("http_req_failed{expected_response:false}",), (3, 5)),
    ],
    ids=str,
)
def test_a_threshold_is_about_the_requests_that_its_filter_leaves(
    thresholds: tuple[str, ...], expected: tuple[int, int]
):
    left = engine(*thresholds).unjudged()["http_req_failed"]

    assert (left.failed, left.samples) == expected


def test_so_it_is_with_checks_whose_failures_are_zeros():
    assert engine("checks{check:b}").unjudged()["checks"].failed == 1
    assert engine("checks{check:a}").unjudged()["checks"].failed == 0


def test_a_threshold_that_is_switched_off_still_allows_what_it_was_about():
    left = engine(tolerated=("http_req_failed{name:list}",)).unjudged()["http_req_failed"]

    assert (left.failed, left.samples) == (1, 2)


def test_the_failures_of_one_scenario_can_be_asked_for():
    measured = engine("http_req_failed{name:pay}")

    assert measured.unjudged("look")["http_req_failed"].failed == 1
    assert measured.unjudged("buy")["http_req_failed"].failed == 1
    assert measured.unjudged("other")["http_req_failed"].failed == 0


def test_what_was_never_sampled_is_not_there():
    assert built_in.ITERATION_FAILURES.name not in engine().unjudged()
    assert engine().snapshot(1.0).unjudged["checks"].failed == 1
