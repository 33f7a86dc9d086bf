"""The summary as people see it, to the letter."""

from dataclasses import replace

import pytest

from pytest_k6api.metrics import (
    MetricsEngine,
    RequestsRow,
    Snapshot,
    parse_selections,
    parse_thresholds,
)
from pytest_k6api.model import (
    BUILT_IN,
    PROTOCOLS,
    Batch,
    Metric,
    MetricKind,
    SampleRow,
    TagTable,
)
from pytest_k6api.model import metrics as built_in
from pytest_k6api.report import observed_text, summary_line, summary_lines

QUEUE = Metric(name="queue", kind=MetricKind.TREND)
DEPTH = Metric(name="depth", kind=MetricKind.GAUGE)
KNOWN = {metric.name: metric for metric in (*BUILT_IN, QUEUE, DEPTH)}

Told = list[tuple[Metric, dict[str, str], list[float]]]


def snapshot_of(told: Told, thresholds: dict[str, object] | None = None) -> Snapshot:
    tags = TagTable()
    thresholds = thresholds or {}
    engine = MetricsEngine(
        tags, parse_thresholds(thresholds, KNOWN), parse_selections(thresholds, KNOWN)
    )
    rows: list[SampleRow] = [
        (metric, tags.intern(some), value) for metric, some, values in told for value in values
    ]
    engine.ingest(Batch(samples=rows))
    engine.evaluate(10.0, final=True)
    return engine.snapshot(10.0)


def test_everything_has_its_section_its_order_and_its_unit():
    visit = {"group": "::visit", "name": "home"}
    snapshot = snapshot_of(
        [
            (built_in.VUS, {}, [5, 50]),
            (built_in.DATA_SENT, {}, [1_234_567]),
            (built_in.DATA_RECEIVED, {}, [34]),
            (built_in.ITERATIONS, {}, [1] * 20),
            (built_in.ITERATION_DURATION, {}, [90_000_000]),
            (QUEUE, {}, [1, 2.5]),
            (DEPTH, {}, [3, 0.001]),
            (built_in.HTTP_REQ_DURATION, visit, [850, 12_345, 1_500_000]),
            (built_in.HTTP_REQ_WAITING, visit, [850]),
            (built_in.HTTP_REQS, visit, [1] * 1500),
            (built_in.HTTP_REQ_FAILED, visit, [0, 0, 1]),
            (built_in.CHECKS, {"group": "", "check": "is up"}, [1]),
            (built_in.CHECKS, {"group": "::visit", "check": "is 200"}, [1, 1, 0]),
            (built_in.CHECKS, {"group": "::visit::buy", "check": "is sold"}, [1]),
            (built_in.GROUP_DURATION, {"group": "::visit"}, [1000]),
        ],
        {
            "http_req_duration": ["p(95)<2000", "max<1000"],
            "http_reqs{name:home}": ["count>1000", "rate>1"],
            "checks": ["rate>0.5"],
            "data_sent": ["count<1000"],
            "queue": ["avg == 1.75"],
        },
    )
    warned = replace(snapshot, warnings=("the metric http_reqs has 10,001 series",))

    assert summary_lines(warned) == [
        "THRESHOLDS",
        "  http_req_duration",
        "    ✓ p(95)<2000  p(95)=1.35s",
        "    ✗ max<1000    max=1.5s",
        "  http_reqs{name:home}",
        "    ✓ count>1000  count=1500",
        "    ✓ rate>1      rate=150/s",
        "  checks",
        "    ✓ rate>0.5  rate=80.00%",
        "  data_sent",
        "    ✗ count<1000  count=1.2 MB",
        "  queue",
        "    ✓ avg == 1.75  avg=1.75",
        "",
        "CHECKS  4 of 5 succeeded (80.00%)",
        "  ✓ is up",
        "  visit",
        "    ✗ is 200",
        "      ↳ 66.66% — ✓ 2 / ✗ 1",
        "    buy",
        "      ✓ is sold",
        "",
        "CUSTOM",
        "  depth................: 0.001  min=0.001  max=3",
        "  queue................: avg=1.75 min=1 med=1.75 max=2.5 p(90)=2.35 p(95)=2.425",
        "",
        "HTTP",
        "  http_reqs............: 1,500  150/s",
        "    {name:home}........: 1,500  150/s",
        "  http_req_failed......: 33.33%  1 out of 3",
        "  http_req_duration....: avg=504.39ms min=850µs med=12.34ms max=1.5s p(90)=1.2s p(95)=1.35s",
        "",
        "EXECUTION",
        "  vus..................: 50  min=5  max=50",
        "  iterations...........: 20  2/s",
        "  iteration_duration...: avg=1m30s min=1m30s med=1m30s max=1m30s p(90)=1m30s p(95)=1m30s",
        "",
        "NETWORK",
        "  data_sent............: 1.2 MB  124 kB/s",
        "  data_received........: 34 B  3.4 B/s",
        "",
        "! the metric http_reqs has 10,001 series",
    ]


def test_nothing_measured_is_nothing_to_show():
    assert summary_lines(snapshot_of([])) == []


def test_a_threshold_without_samples_says_so():
    snapshot = snapshot_of([], {"http_req_duration": ["p(95)<200"]})

    assert summary_lines(snapshot)[:3] == [
        "THRESHOLDS",
        "  http_req_duration",
        "    ✗ p(95)<200  had no samples",
    ]


@pytest.mark.parametrize(
    ("source", "told", "text"),
    [
        ("rate>0.5", (built_in.CHECKS, [1, 0, 1]), "rate=66.66%"),
        ("count<5", (built_in.DATA_SENT, [1500]), "count=1.5 kB"),
        ("rate<5", (built_in.DATA_SENT, [15_000]), "rate=1.5 kB/s"),
        ("p(99.9) <= 7", (built_in.HTTP_REQ_DURATION, [7_000]), "p(99.9)=7ms"),
        ("value!=3", (DEPTH, [4.25]), "value=4.25"),
    ],
)
def test_what_a_threshold_was_judged_by_has_its_unit(
    source: str, told: tuple[Metric, list[float]], text: str
):
    metric, values = told
    snapshot = snapshot_of([(metric, {}, values)], {metric.name: [source]})

    judged = snapshot.metrics[metric.name]

    assert observed_text(judged.thresholds[0], judged) == text


def row_of(name: str, scenario: str = "", names: int = 1, count: int = 1_500) -> RequestsRow:
    times = {"avg": 1.5, "p(50)": 1.0, "p(95)": 2.0, "p(99)": 12.345, "max": 1500.0}
    return RequestsRow(
        scenario=scenario,
        name=name,
        names=names,
        count=count,
        failed=3,
        per_second=count / 10,
        times=times,
    )


def test_requests_by_name_are_a_table():
    rows = [
        row_of("http://shop.test/"),
        row_of("http://shop.test/products?page=2"),
        row_of("https://elsewhere.test/a/path/that/goes/on/and/on", count=7),
        row_of("", names=1_200),
    ]

    lines = summary_lines(snapshot_of([]), rows, "http://shop.test")

    assert lines == [
        "REQUESTS BY NAME                       count failed req/s   avg p50 p95     p99  max",
        "  /                                    1,500      3   150 1.5ms 1ms 2ms 12.34ms 1.5s",
        "  /products?page=2                     1,500      3   150 1.5ms 1ms 2ms 12.34ms 1.5s",
        "  …ere.test/a/path/that/goes/on/and/on     7      3   0.7 1.5ms 1ms 2ms 12.34ms 1.5s",
        "  1,200 more names                     1,500      3   150 1.5ms 1ms 2ms 12.34ms 1.5s",
    ]


def test_calls_by_name_stand_below_the_metrics_of_their_protocol():
    grpc = next(protocol for protocol in PROTOCOLS if protocol.title == "GRPC")
    ws = next(protocol for protocol in PROTOCOLS if protocol.title == "WEBSOCKET")
    rows = [
        replace(row_of("ws://shop.test/chat"), protocol=ws, times={}),
        replace(row_of("/shop.Shop/Get"), protocol=grpc),
    ]

    lines = summary_lines(snapshot_of([]), rows, "http://shop.test")

    assert lines == [
        "SESSIONS, ANSWERS count failed  /s avg p50 p95 p99 max",
        "  /chat           1,500      3 150   –   –   –   –   –",
        "",
        "CALLS BY NAME    count failed  /s   avg p50 p95     p99  max",
        "  /shop.Shop/Get 1,500      3 150 1.5ms 1ms 2ms 12.34ms 1.5s",
    ]


def test_names_stand_below_their_scenario():
    rows = [row_of("", "test_buy", 2), row_of("cart", "test_buy"), row_of("", names=2)]

    lines = summary_lines(snapshot_of([]), rows)

    assert [line.split(" 1,500")[0].rstrip() for line in lines[1:]] == [
        "  test_buy",
        "    cart",
        "  2 more names",
    ]


def test_what_had_no_samples_has_no_numbers():
    snapshot = snapshot_of(
        [],
        {
            "http_req_duration": ["p(95)<200"],
            "http_req_failed": ["rate<0.1"],
            "vus": ["value<2"],
            "http_reqs": ["count>1"],
        },
    )

    shown = summary_lines(snapshot)[summary_lines(snapshot).index("HTTP") :]

    assert shown == [
        "HTTP",
        "  http_reqs...........: 0  0/s",
        "  http_req_failed.....: –",
        "  http_req_duration...: –",
        "",
        "EXECUTION",
        "  vus.................: –",
    ]
    assert summary_line(snapshot) == ""


def test_in_one_line_there_are_the_main_numbers():
    snapshot = snapshot_of(
        [
            (built_in.HTTP_REQ_DURATION, {}, [1_000, 2_000]),
            (built_in.HTTP_REQS, {}, [1] * 2),
            (built_in.HTTP_REQ_FAILED, {}, [0, 1]),
            (built_in.HTTP_REQ_RETRIES, {}, [1, 1]),
            (built_in.ITERATIONS, {}, [1]),
            (built_in.CHECKS, {"check": "is up"}, [1, 1, 0]),
        ]
    )

    assert summary_line(snapshot) == (
        "1 iteration, 2 requests, 0.2/s, p(95)=1.95ms, 50.00% of requests failed, 2 retries,"
        " 66.66% of checks succeeded"
    )
