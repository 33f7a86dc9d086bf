"""The section of a CI run's summary page."""

from pytest_k6api.metrics import MetricsEngine, parse_thresholds
from pytest_k6api.model import BUILT_IN, Batch, TagTable
from pytest_k6api.protocols.http import HTTP_ROWS
from pytest_k6api.report import Comparison, markdown_summary

KNOWN = {metric.name: metric for metric in BUILT_IN}


def test_it_has_the_reasons_the_thresholds_and_the_main_numbers() -> None:
    tags = TagTable()
    engine = MetricsEngine(tags, parse_thresholds({"http_req_duration": ["max<2"]}, KNOWN))
    row = (tags.intern({}), 0, 3_000, 0, 0, 0, 0, 3_000, 0, 0)
    engine.ingest(Batch({HTTP_ROWS: [row, row]}))
    engine.evaluate(2.0, final=True)
    comparison = Comparison(title="main", notes=("main has no results of this load test",))

    text = markdown_summary(
        "t.py::test_a|b", "failed", engine.snapshot(2.0), ["it is slow"], comparison
    )

    assert text.splitlines() == [
        r"### ❌ t.py::test\_a\|b: failed, 2.0 s",
        "",
        "- it is slow",
        "",
        "|  | Threshold | Observed |",
        "| --- | --- | --- |",
        r"| ❌ | http\_req\_duration: max\<2 | max=3ms |",
        "",
        "| Metric | Result |",
        "| --- | --- |",
        r"| http\_reqs | 2, 1/s |",
        r"| http\_req\_failed | 0.00% |",
        r"| http\_req\_duration | avg=3ms med=3ms p(95)=3ms max=3ms |",
        "",
        "Compared with main:",
        "",
        "- main has no results of this load test",
        "",
    ]


def test_requests_by_name_are_a_table() -> None:
    snapshot = MetricsEngine(TagTable()).snapshot(1.0)

    text = markdown_summary(
        "t.py::test_a", "passed", snapshot, requests=[[["name", "count"], ["a|b\r", "1"]]]
    )

    assert text.splitlines()[2:] == [
        "| name | count |",
        "| --- | --- |",
        r"| a\|b\\r | 1 |",
        "",
    ]


def test_what_had_no_samples_has_no_row() -> None:
    engine = MetricsEngine(TagTable(), parse_thresholds({"http_req_failed": ["rate<1"]}, KNOWN))
    engine.evaluate(2.0, final=True)

    text = markdown_summary("t.py::test_a", "failed", engine.snapshot(2.0))

    assert "0.00%" not in text
    assert "had no samples" in text
