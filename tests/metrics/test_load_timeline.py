"""A load test by the second: exact percentiles, bounded memory, one document."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import MetricsEngine, TimelineDocument, TrendSink
from pytest_k6api.model import CHECK_ROWS, ITERATION_ROWS, Batch, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow


class Timed:
    """An engine that is fed second by second."""

    def __init__(self) -> None:
        self.tags = TagTable()
        self.engine = MetricsEngine(self.tags)

    def request(self, duration_us: int, failed: int = 0, **tags: str) -> HttpRow:
        return (self.tags.intern(tags), failed, duration_us, 0, 0, 0, 0, duration_us, 0, 0)

    def feed(self, at: float, *rows: HttpRow) -> None:
        self.engine.ingest(Batch({HTTP_ROWS: rows}), at)

    def document(self, most_points: int = 3_600) -> TimelineDocument:
        return self.engine.load_timeline().document(most_points)

    def series(self, scenario: str | None = None, name: str | None = None) -> Any:
        (found,) = (
            each
            for each in self.document()["requests"]
            if (each["scenario"], each["name"]) == (scenario, name)
        )
        return found


def test_requests_are_counted_and_timed_by_the_second_for_all_each_scenario_and_each_name():
    timed = Timed()
    timed.feed(
        0.2,
        timed.request(1_000, scenario="buy", name="/a"),
        timed.request(3_000, 1, scenario="buy", name="/b"),
    )
    timed.feed(2.9, timed.request(7_000, scenario="look", name="/a"))
    timed.feed(3.0)

    assert timed.series() == {
        "scenario": None,
        "name": None,
        "count": [2, 0, 1],
        "failed": [1, 0, 0],
        "p50_ms": [2.0, None, 7.0],
        "p95_ms": [2.9, None, 7.0],
        "p99_ms": [2.98, None, 7.0],
        "max_ms": [3.0, None, 7.0],
        "heat": None,
        "errors": [{"kind": "requests failed", "counts": [1, 0, 0]}],
        "data": {"sent": [0, 0, 0], "received": [0, 0, 0]},
    }
    assert timed.series("buy")["count"] == [2, 0, 0]
    assert timed.series("look")["count"] == [0, 0, 1]
    assert timed.series(name="/a")["max_ms"] == [1.0, None, 7.0]
    assert timed.series(name="/b")["failed"] == [1, 0, 0]


def test_the_points_from_a_second_on_are_those_of_the_whole():
    timed = Timed()
    for second in range(6):
        timed.feed(second, timed.request(1_000 * (second + 1), name="/a"))
    timed.engine.settle()
    timeline = timed.engine.load_timeline()

    whole, late = timeline.document(), timeline.document(since=4)
    later = timeline.document(since=99)

    assert late["seconds"] == [4, 5]
    assert late["vus"]["active"] == whole["vus"]["active"][4:]
    assert late["heatmap"]["counts"] == whole["heatmap"]["counts"][4:]
    assert [each["max_ms"] for each in late["requests"]] == [[5.0, 6.0], [5.0, 6.0]]
    assert timeline.document(3, since=4)["seconds"] == [4]
    assert (later["seconds"], later["requests"][0]["count"]) == ([], [])


def test_the_second_that_is_not_over_comes_with_the_end():
    timed = Timed()
    timed.feed(0.5, timed.request(1_000))

    running = timed.document()
    timed.engine.settle()

    assert running["seconds"] == []
    assert timed.document()["seconds"] == [0]


def test_errors_data_vus_and_lateness_stand_beside_each_other():
    timed = Timed()
    root = timed.tags.intern({})
    check = timed.tags.intern({"check": "is 200"})
    timed.engine.ingest(
        Batch(
            {
                HTTP_ROWS: [
                    timed.request(1, 1, error="connection refused", error_code="1212", status="0"),
                    timed.request(1, 1, error_code="1503", status="503"),
                ],
                ITERATION_ROWS: [(root, 5, 1, 100, 2_000), (root, None, None, 10, 20)],
                CHECK_ROWS: [(check, 0.0), (check, 1.0)],
            },
            [
                (built_in.VUS, root, 3),
                (built_in.VUS_MAX, root, 9),
                (built_in.ITERATION_LATENESS, root, 4_000),
            ],
        ),
        1.0,
    )
    timed.engine.plan_vus(5, 1.5)
    timed.engine.settle()

    document = timed.document()

    assert document["seconds"] == [0, 1]
    assert document["vus"] == {"active": [None, 3], "planned": [None, 5]}
    assert document["lateness_p95_ms"] == [None, 4.0]
    assert document["data"] == {"sent": [0, 110], "received": [0, 2_020]}
    assert document["errors"] == [
        {"kind": "1212 connection refused", "counts": [0, 1]},
        {"kind": "checks failed", "counts": [0, 1]},
        {"kind": "iterations failed", "counts": [0, 1]},
        {"kind": "status 503", "counts": [0, 1]},
    ]


def test_errors_and_data_are_those_of_the_scenario_or_the_name():
    timed = Timed()
    buying = timed.tags.intern({"scenario": "buy", "group": ""})
    looking = timed.tags.intern({"scenario": "look", "group": ""})
    check = timed.tags.intern({"scenario": "look", "check": "is 200"})
    timed.engine.ingest(
        Batch(
            {
                HTTP_ROWS: [
                    timed.request(1, 1, scenario="buy", name="/a", status="503"),
                    timed.request(1, 1, scenario="look", name="/a", status="404"),
                    timed.request(1, 0, scenario="look", name="/b", status="200"),
                ],
                ITERATION_ROWS: [(buying, 5, 1, 100, 2_000), (looking, 5, 0, 10, 20)],
                CHECK_ROWS: [(check, 0.0)],
            }
        ),
        0.0,
    )
    timed.engine.settle()

    buy, look = timed.series("buy"), timed.series("look")
    assert buy["errors"] == [
        {"kind": "iterations failed", "counts": [1]},
        {"kind": "status 503", "counts": [1]},
    ]
    assert buy["data"] == {"sent": [100], "received": [2_000]}
    assert [each["kind"] for each in look["errors"]] == ["checks failed", "status 404"]
    assert look["data"] == {"sent": [10], "received": [20]}
    home, other = timed.series(name="/a"), timed.series(name="/b")
    assert [each["kind"] for each in home["errors"]] == ["status 404", "status 503"]
    assert (home["data"], other["errors"]) == (None, [])


def test_series_of_errors_are_bounded_and_none_is_lost():
    timed = Timed()
    timed.feed(
        0.0,
        *[
            timed.request(1, 1, scenario="buy", name=f"/{name}", status=str(400 + status))
            for name in range(20)
            for status in range(40)
        ],
    )
    timed.engine.settle()

    found = timed.document()["requests"]
    assert len(found) == 22
    assert sum(len(each["errors"]) for each in found) <= 200 + 21
    for each in found:
        told = sum(error["counts"][0] for error in each["errors"])
        assert told == each["failed"][0]
    assert len(found[0]["errors"]) == 40


def test_the_heat_map_has_40_buckets_of_equal_ratio_from_a_tenth_of_a_millisecond_to_100_s():
    timed = Timed()
    timed.feed(0.0, *(timed.request(us) for us in (1, 100, 141, 142, 10**8, 10**9)))
    timed.engine.settle()

    heat = timed.document()["heatmap"]

    assert len(heat["edges_ms"]) == 41
    assert heat["edges_ms"][:3] == [0.1, 0.1413, 0.1995]
    assert heat["edges_ms"][-1] == 100_000
    assert heat["counts"] == [[3, 1, *[0] * 37, 2]]


def test_scenarios_and_names_have_heat_maps_of_at_most_240_rows():
    timed = Timed()
    for second in range(241):
        timed.feed(second, timed.request(1_000 + second % 2 * 9_000, name="/a", scenario="buy"))
    timed.feed(241, timed.request(1_000, name="/b", scenario="buy"))
    timed.engine.settle()

    document, late = timed.document(), timed.engine.load_timeline().document(since=239)

    assert (document["width"], document["heat_width"]) == (1, 2)
    heats = {(each["scenario"], each["name"]): each["heat"] for each in document["requests"]}
    assert heats[None, None] is None
    rows = heats[None, "/a"] or []
    assert len(rows) == len(heats["buy", None] or []) == len(heats[None, "/b"] or []) == 121
    assert [(index, count) for index, count in enumerate(rows[0]) if count] == [(6, 1), (13, 1)]
    assert [sum(row) for row in rows[118:]] == [2, 2, 1]
    assert [sum(row) for row in heats[None, "/b"] or []][118:] == [0, 0, 1]
    assert [each["heat"] for each in late["requests"]][1:] == [
        heat[119:] for heat in heats.values() if heat
    ]


@pytest.mark.parametrize("seconds", [10, 250, 4_000])
def test_a_copy_of_the_last_seconds_tells_them_as_a_copy_of_all(seconds: int):
    timed = Timed()
    timed.feed(0, timed.request(5_000, 1, name="/first", scenario="buy", status="503"))
    for second in range(1, seconds, 1 + seconds // 50):
        timed.feed(second, timed.request(1_000 + second, name="/a", scenario="buy"))
    timed.feed(seconds, timed.request(1_000, name="/b", scenario="look"))
    timed.engine.settle()

    tail = timed.engine.load_timeline(seconds - 5)

    whole = timed.engine.load_timeline()
    assert tail.document(since=seconds - 5) == whole.document(since=seconds - 5)


def test_after_an_hour_points_are_wider_and_keep_the_greatest_percentile_of_their_seconds():
    timed = Timed()
    for second in range(3_601):
        slow = 9_000 if second == 1 else 1_000
        timed.feed(float(second), timed.request(slow), timed.request(slow))
    timed.engine.settle()

    document = timed.document()

    assert document["width"] == 2
    assert document["seconds"][:3] == [0, 2, 4]
    assert len(document["seconds"]) == 1_801
    assert timed.series()["count"] == [4] * 1_800 + [2]
    assert timed.series()["p95_ms"] == [9.0] + [1.0] * 1_800
    assert sum(map(sum, document["heatmap"]["counts"])) == 7_202


def test_a_document_of_fewer_points_has_the_same_totals():
    timed = Timed()
    for second in range(100):
        timed.feed(float(second), timed.request(1_000 + second, second % 2))
    timed.engine.settle()

    document = timed.document(most_points=30)

    assert document["width"] == 4
    (whole,) = document["requests"]
    assert whole["count"] == [4] * 25
    assert whole["failed"] == [2] * 25
    assert whole["max_ms"][-1] == 1.099
    assert len(timed.document()["seconds"]) == 100


def test_of_many_names_those_with_the_most_requests_are_kept():
    timed = Timed()
    timed.feed(0.0, *(timed.request(1, name=f"/{number}") for number in range(60)))
    timed.feed(1.0, *(timed.request(1, name="/late") for _ in range(3)))
    timed.engine.settle()

    names = [each["name"] for each in timed.document()["requests"]]

    assert len(names) == 51
    assert "/late" in names
    assert timed.series(name="/late")["count"] == [0, 3]


def test_kinds_of_errors_beyond_fifty_are_one():
    timed = Timed()
    timed.feed(0.0, *(timed.request(1, 1, error=f"e{number}") for number in range(80)))
    timed.engine.settle()

    errors = timed.document()["errors"]

    assert len(errors) == 51
    assert errors[-1] == {"kind": "other errors", "counts": [30]}


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**7)), min_size=1))
def test_percentiles_of_a_second_are_those_of_a_trend_of_its_requests(
    requests: list[tuple[str, int]],
) -> None:
    timed, trend = Timed(), TrendSink(1_000)
    timed.feed(0.0, *(timed.request(us, name=name) for name, us in requests))
    trend.add_many([us for _, us in requests])
    timed.engine.settle()

    whole = timed.series()

    for rank in (50, 95, 99):
        # Whole microseconds, halves to either side.
        assert whole[f"p{rank}_ms"] == [pytest.approx(trend.percentile(rank), abs=0.000_51)]


def test_a_copy_does_not_change_while_the_load_goes_on():
    timed = Timed()
    timed.feed(0.0, timed.request(1_000))
    timed.feed(1.0, timed.request(1_000))
    copy = timed.engine.load_timeline()
    timed.feed(2.0, timed.request(1_000))

    assert copy.document()["seconds"] == [0]
