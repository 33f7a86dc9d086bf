"""Metrics second by second: what a point says, and that there are never too many."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import KEPT_BY_SECOND, MetricsEngine, Point
from pytest_k6api.metrics.timelines.metric_timeline import MOST_POINTS, Timeline
from pytest_k6api.model import Batch, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)


def test_every_kind_says_what_it_has() -> None:
    tags = TagTable()
    engine = MetricsEngine(tags)
    number = tags.intern({})

    def feed(at: float, *durations_us: int, failed: int = 0, vus: int = 0) -> None:
        rows: list[HttpRow] = [(number, failed, us, 0, 0, 0, 0, us, 0, 0) for us in durations_us]
        engine.ingest(Batch({HTTP_ROWS: rows}, [(built_in.VUS, number, vus)]), at)

    feed(0.5, 1_000, 3_000, vus=4)
    feed(2.25, 5_000, failed=1, vus=9)
    feed(2.75, 5_000, vus=7)

    assert engine.timeline("http_reqs") == (
        Point(second=0, seconds=1, count=2, value=2, max=1),
        Point(second=1, seconds=1, count=0, value=0, max=0),
        Point(second=2, seconds=1, count=2, value=2, max=1),
    )
    assert engine.timeline("http_req_duration") == (
        Point(second=0, seconds=1, count=2, value=2, max=3),
        Point(second=2, seconds=1, count=2, value=5, max=5),
    )
    failed = engine.timeline("http_req_failed")
    assert failed is not None
    assert [point.value for point in failed] == [0, 0.5]
    vus = engine.timeline("vus")
    assert vus is not None
    assert [(point.value, point.max) for point in vus] == [(4, 4), (7, 9)]
    assert engine.timeline("iterations") == ()
    assert engine.timeline("http_req_waiting") is None
    assert "http_req_waiting" not in KEPT_BY_SECOND


@unhurried
@given(st.lists(st.tuples(st.integers(0, 5 * MOST_POINTS), st.integers(1, 99)), max_size=50))
def test_a_long_load_test_folds_its_seconds_and_loses_nothing(fed: list[tuple[int, int]]) -> None:
    timeline = Timeline(built_in.HTTP_REQ_DURATION)
    # Enough to fold, and then whatever comes.
    fed = [(second, 1) for second in range(MOST_POINTS + 1)] + sorted(fed)
    for second, value in sorted(fed):
        timeline.now = float(second)
        timeline.add_many([value])

    points = timeline.points()

    width = points[0].seconds
    assert width in {2, 4, 8}
    assert len(points) <= MOST_POINTS
    expected: dict[int, list[int]] = defaultdict(list)
    for second, value in fed:
        expected[second // width * width].append(value)
    found = {point.second: (point.count, point.max) for point in points}
    assert found == {at: (len(some), max(some) / 1000) for at, some in expected.items()}
