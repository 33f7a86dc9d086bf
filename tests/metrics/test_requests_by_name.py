"""Requests by name, each with percentiles of its own."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.metrics import MetricsEngine, RequestsRow
from pytest_k6api.model import BUILT_IN, Batch, Column, RowType, TagTable
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

Request = tuple[str, str, int, bool]
"""Scenario, name, microseconds, whether it failed."""


def rows_of(requests: list[Request], elapsed: float = 10.0) -> tuple[RequestsRow, ...]:
    tags = TagTable()
    engine = MetricsEngine(tags)
    rows: list[HttpRow] = []
    for scenario, name, time, failed in requests:
        # A status makes series of its own, which are one name.
        status = "500" if failed else "200"
        number = tags.intern({"scenario": scenario, "name": name, "status": status})
        rows.append((number, int(failed), time, 0, 0, 0, 0, time, 0, 0))
    engine.ingest(Batch({HTTP_ROWS: rows}))
    engine.settle()
    return engine.requests_by_name(elapsed)


def test_each_name_has_its_count_failures_and_times():
    requests: list[Request] = [("test_buy", "home", time * 1000, False) for time in range(1, 101)]
    requests += [("test_buy", "cart", 5_000, True), ("test_buy", "cart", 7_000, False)]

    home, cart = rows_of(requests)

    assert home == RequestsRow(
        scenario="",
        name="home",
        names=1,
        count=100,
        failed=0,
        per_second=10.0,
        times={
            "min": 1.0,
            "avg": 50.5,
            "p(50)": 50.5,
            "p(90)": 90.10000000000001,
            "p(95)": 95.05,
            "p(99)": 99.01,
            "p(99.9)": 99.90100000000001,
            "max": 100.0,
        },
    )
    assert (cart.name, cart.count, cart.failed) == ("cart", 2, 1)
    assert (cart.times["avg"], cart.times["p(95)"], cart.times["max"]) == (6.0, 6.9, 7.0)


def test_one_name_says_no_more_than_the_whole():
    assert rows_of([]) == ()
    assert rows_of([("test_buy", "home", 1, False), ("test_buy", "home", 2, True)]) == ()


def test_of_several_scenarios_each_is_summed_up_before_its_names():
    rows = rows_of(
        [
            *[("test_browse", "home", 1_000, False)] * 3,
            *[("test_browse", "search", 3_000, True)] * 2,
            ("test_buy", "home", 9_000, False),
        ]
    )

    assert [(row.scenario, row.name, row.count, row.failed) for row in rows] == [
        ("test_browse", "", 5, 2),
        ("test_browse", "home", 3, 0),
        ("test_browse", "search", 2, 2),
        ("test_buy", "", 1, 0),
        ("test_buy", "home", 1, 0),
    ]
    assert [row.times["avg"] for row in rows] == [1.8, 1.0, 3.0, 9.0, 9.0]


def test_rare_names_share_the_last_row():
    requests: list[Request] = [
        ("test_buy", f"/products/{number}", number, number == 1)
        for number in range(1, 51)
        for _ in range(number)
    ]

    rows = rows_of(requests)

    assert [row.name for row in rows] == [
        *(f"/products/{number}" for number in range(50, 30, -1)),
        "",
    ]
    assert (rows[-1].names, rows[-1].count, rows[-1].failed) == (30, 465, 1)
    assert rows[-1].times["max"] == 0.03


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["test_a", "test_b"]),
            st.integers(0, 60).map(str),
            st.integers(1, 10**6),
            st.booleans(),
        ),
        max_size=200,
    )
)
def test_no_request_is_lost_or_counted_twice(requests: list[Request]):
    rows = rows_of(requests)

    names = [row for row in rows if row.name or not row.scenario]
    if rows:
        assert sum(row.count for row in names) == len(requests)
        assert sum(row.failed for row in names) == sum(failed for *_, failed in requests)
        assert sum(row.names for row in names) == len({request[:2] for request in requests})


# (tags id, milliseconds or None, whether it failed or None)
METRICS = {metric.name: metric for metric in BUILT_IN}
CALLS = RowType(
    "call",
    (Column(METRICS["grpc_req_duration"], 1), Column(METRICS["grpc_req_failed"], 2)),
)
BLOCKS = RowType(
    "block",
    (Column(METRICS["measured_duration"], 1), Column(METRICS["measured_failed"], 2)),
)
SESSIONS = RowType("session", (Column(METRICS["ws_failed"], 1),))
ANSWERS = RowType("answer", (Column(METRICS["ws_response_time"], 1),))


def test_protocols_follow_each_other_with_names_and_verdicts_of_their_own():
    tags = TagTable()
    engine = MetricsEngine(tags)
    get, find, home, chat, question = (
        tags.intern({"scenario": "test_buy", "name": name})
        for name in ("/shop/Get", "/shop/Find", "home", "chat", "question")
    )
    http = [(home, 0, 5_000, 0, 0, 0, 0, 5_000, 0, 0)]
    calls = [(get, 7_000, 0), (get, 9_000, 1), (find, 1_000, 0)]
    engine.ingest(
        Batch(
            {
                HTTP_ROWS: http,
                CALLS: calls,
                SESSIONS: [(chat, 1), (chat, 0)],
                ANSWERS: [(question, 3_000)] * 3,
                BLOCKS: [(find, 4_000, 0), (get, 2_000, 1)],
            }
        )
    )
    engine.settle()

    rows = engine.requests_by_name(10.0)

    # A single name, of HTTP here, says no more than the whole.
    assert [
        (row.protocol.title, row.name, row.count, row.failed, row.times.get("max")) for row in rows
    ] == [
        ("WEBSOCKET", "question", 3, 0, 3.0),
        ("WEBSOCKET", "chat", 2, 1, None),
        ("GRPC", "/shop/Get", 2, 1, 9.0),
        ("GRPC", "/shop/Find", 1, 0, 1.0),
        ("CUSTOM", "/shop/Find", 1, 0, 4.0),
        ("CUSTOM", "/shop/Get", 1, 1, 2.0),
    ]
