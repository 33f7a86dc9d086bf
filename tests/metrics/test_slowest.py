"""The slowest requests that have a trace."""

from pytest_k6api.metrics import SlowestRequests, TracedRequest
from pytest_k6api.model import Batch, Column, RowType, TagTable, with_trace
from pytest_k6api.model.metrics import CHECKS, HTTP_REQ_DURATION

ROWS = RowType("request", (Column(HTTP_REQ_DURATION, 1),))
OTHER_ROWS = RowType("check", (Column(CHECKS, 1),))


def trace(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def batch(tags: TagTable, *durations: int, kind: RowType = ROWS) -> Batch:
    number = tags.intern({"name": "home", "method": "GET", "status": "200", "scenario": "s"})
    return Batch({kind: [(with_trace(number, trace(took)), took) for took in durations]})


def test_the_five_slowest_of_all_batches_are_kept_with_trace_and_tags() -> None:
    tags = TagTable()
    slowest = SlowestRequests(tags)

    slowest.note(batch(tags, 1, 9, 3, 7), 1.0)
    slowest.note(batch(tags, 2, 8, 10, 4), 2.0)

    assert [each.duration_us for each in slowest.slowest()] == [10, 9, 8, 7, 4]
    assert slowest.slowest()[0] == TracedRequest(
        duration_us=10,
        trace_id=f"{10:032x}",
        name="home",
        method="GET",
        status="200",
        scenario="s",
        at=2.0,
    )


def test_requests_without_a_trace_and_rows_of_other_kinds_are_left_out() -> None:
    tags = TagTable()
    slowest = SlowestRequests(tags)

    slowest.note(Batch({ROWS: [(tags.intern({}), 99)]}), 0.0)
    slowest.note(batch(tags, 1, kind=OTHER_ROWS), 0.0)

    assert slowest.slowest() == ()


def test_those_of_several_processes_are_joined_each_once() -> None:
    tags = TagTable()
    here, there = SlowestRequests(tags), SlowestRequests(tags)
    here.note(batch(tags, 1, 5, 9), 0.0)
    there.note(batch(tags, 2, 4, 8), 0.0)

    for _ in range(2):  # each report tells all of them anew
        here.take_in(there.slowest())

    assert [each.duration_us for each in here.slowest()] == [9, 8, 5, 4, 2]
