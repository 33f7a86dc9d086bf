"""Reports as files: small whatever they hold, without markup of others, and a baseline."""

import json

import pytest

from pytest_k6api.report import ResultsFormatError, html_report, json_report, read_report
from pytest_k6api.report.html.precision import Precision, cut, cut_timeline
from tests.page.samples import sample_load_test, sample_report, sample_timeline


def test_the_results_in_a_report_are_those_that_were_written() -> None:
    report = sample_report(sample_load_test("test_a"), sample_load_test("test_b"))

    for text in (html_report(report, "shop"), json_report(report)):
        found = read_report(text)

        assert list(found) == ["test_a", "test_b"]
        assert found["test_a"].outcome == "failed"
        assert found["test_a"].totals["http_reqs"].sink.count == 29_000
        assert found["test_a"].totals["http_req_duration"].sink.count == 2_000
        assert found["test_a"].timeline == report["load_tests"][0]["timeline"]


@pytest.mark.slow
def test_an_hour_with_50_names_has_less_than_a_megabyte() -> None:
    report = sample_report(sample_load_test(seconds=3_600, names=50, values=20_000))

    assert len(html_report(report, "shop").encode()) < 1_000_000


def test_values_lose_digits_and_keep_their_counts() -> None:
    load_test = sample_load_test(names=1, values=500)
    load_test["metrics"]["http_req_duration"]["values"] = [[12_344, 1], [12_345, 2], [98_765, 4]]

    small = cut(load_test, Precision(points=60, digits=3))["metrics"]["http_req_duration"]

    assert small["values"] == [[12_300, 3], [98_800, 4]]
    assert small["digits"] == 3


def test_points_of_names_are_folded_and_those_of_the_whole_are_not() -> None:
    timeline = sample_timeline(seconds=120, names=1)
    timeline["requests"][1]["count"] = [1, 2] * 60
    timeline["requests"][1]["p95_ms"] = [5.0, None] * 59 + [None, None]
    timeline["requests"][1]["errors"] = [{"kind": "503", "counts": [0, 1] * 60}]

    small = cut_timeline(timeline, points=60)

    assert small["name_width"] == 2
    assert small["requests"][0] == timeline["requests"][0]
    assert small["requests"][1]["count"] == [3] * 60
    assert small["requests"][1]["p95_ms"] == [5.0] * 59 + [None]
    assert small["requests"][1]["errors"] == [{"kind": "503", "counts": [1] * 60}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is damaged: JSONDecodeError"),
        ("{}", "it is no report of load tests"),
        ('{"format": "pytest-k6api report", "version": 7}', "it has version 7 of the format"),
        ('{"format": "pytest-k6api report", "version": 1}', "it has no list of load tests"),
        ('<script type="application/gzip" id="results">AAAA</script>', "it is damaged: BadGzip"),
        ('<script type="application/gzip" id="results">?</script>', "it is damaged: Error"),
    ],
)
def test_what_is_no_report_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ResultsFormatError, match=problem):
        read_report(text)


def test_html_has_a_policy_that_allows_its_own_script_alone() -> None:
    html = html_report(sample_report(), "shop")

    assert "default-src 'none'" in html
    assert "connect-src 'none'" in html
    assert "unsafe" not in html
    assert html.count("<script") == 2


def test_a_lone_surrogate_does_not_keep_a_report_from_being_written() -> None:
    load_test = sample_load_test("test_\udcff")

    text = html_report(sample_report(load_test), "shop")

    assert json.dumps(next(iter(read_report(text)))) == '"test_\\udcff"'
