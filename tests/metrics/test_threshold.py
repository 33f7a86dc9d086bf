"""The grammar of thresholds, against what the real k6 takes and refuses."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import (
    Aggregation,
    TagFilter,
    parse_metric_id,
    parse_selections,
    parse_threshold,
    parse_thresholds,
)
from pytest_k6api.model import Contains, Metric, MetricError, MetricKind, ThresholdError

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)
KNOWN = {
    metric.name: metric
    for metric in [
        Metric(name="cnt", kind=MetricKind.COUNTER),
        Metric(name="gg", kind=MetricKind.GAUGE),
        Metric(name="rt", kind=MetricKind.RATE),
        Metric(name="tr", kind=MetricKind.TREND),
        Metric(name="http_req_duration", kind=MetricKind.TREND, contains=Contains.TIME),
        Metric(name="data_sent", kind=MetricKind.COUNTER, contains=Contains.DATA),
        Metric(name="iterations", kind=MetricKind.COUNTER),
    ]
}
GRAMMAR = [
    json.loads(line)
    for line in Path(__file__).with_name("k6_threshold_grammar.jsonl").read_text().splitlines()
]
# k6 v1.1.0 takes these and then panics; v2.1 refuses them, and so do we.
REFUSED_HERE = {"p(-1)<1", "p(NaN)<1"}


def read(expression: str, metric: str = "tr") -> Any:
    (threshold,) = parse_threshold(metric, [expression], KNOWN)
    return threshold


@pytest.mark.parametrize("row", GRAMMAR, ids=lambda row: json.dumps(row["thresholds"]))
def test_an_expression_is_taken_exactly_where_k6_takes_it(row: dict[str, Any]) -> None:
    thresholds = row["thresholds"]
    (entries,) = thresholds.values()
    refused_here = isinstance(entries, list) and any(
        str(entry) in REFUSED_HERE for entry in entries
    )

    if row["accepted"] and not refused_here:
        parse_thresholds(thresholds, KNOWN)
    else:
        with pytest.raises(ThresholdError):
            parse_thresholds(thresholds, KNOWN)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count<1_000", 1000.0),
        ("count<+Inf", math.inf),
        ("count<infinity", math.inf),
        ("count<1e1_0", 1e10),
        ("count<1e-400", 0.0),
        ("count<0_1", 1.0),
    ],
)
def test_numbers_are_read_as_go_reads_them(expression: str, value: float) -> None:
    assert read(expression, "cnt").value == value


@pytest.mark.parametrize(
    "number",
    ["-nan", "1__0", "_1", "1_", "1e400", "Infinit", "1e", "1_.5", "0b1", "0x10", "٣", "=", ""],
)
def test_numbers_that_go_refuses_are_refused(number: str) -> None:
    with pytest.raises(ThresholdError):
        read(f"count<{number}", "cnt")


def test_a_threshold_tells_what_it_compares_with_what() -> None:
    entry = {"threshold": " p(99.9) <= 200 ", "abort_on_fail": True, "delay_abort_eval": "1m30s"}

    (threshold,) = parse_threshold("http_req_duration{ name : login }", [entry], KNOWN)

    assert threshold.metric is KNOWN["http_req_duration"]
    assert threshold.metric_id == "http_req_duration{name : login}"
    assert threshold.filter == TagFilter("name : login", frozenset({("name", "login")}))
    assert threshold.source == " p(99.9) <= 200 "
    assert threshold.aggregation == Aggregation("p(99.9)", 99.9)
    assert (threshold.operator, threshold.value) == ("<=", 200.0)
    assert threshold.abort_on_fail
    assert threshold.delay_abort_eval == 90.0


def test_k6s_camel_case_is_taken_too() -> None:
    entry = {"threshold": "count<1", "abortOnFail": True, "delayAbortEval": 5}

    (threshold,) = parse_threshold("cnt", [entry], KNOWN)

    assert threshold.abort_on_fail
    assert threshold.delay_abort_eval == 5.0


@pytest.mark.parametrize(
    ("expression", "holds", "fails"),
    [
        ("count<2", 1, 2),
        ("count<=2", 2, 3),
        ("count>2", 3, 2),
        ("count>=2", 2, 1),
        ("count==2", 2, 3),
        ("count===2", 2, 3),
        ("count!=2", 3, 2),
    ],
)
def test_each_operator_compares_as_it_reads(expression: str, holds: float, fails: float) -> None:
    threshold = read(expression, "cnt")

    assert threshold.holds(holds)
    assert not threshold.holds(fails)


@pytest.mark.parametrize(
    ("key", "entries", "message"),
    [
        (
            "tr",
            ["p95 < 200"],
            (
                "tr: cannot read the threshold 'p95 < 200'; write"
                " '<aggregation> <operator> <number>', such as 'p(95)<200'"
            ),
        ),
        (
            "tr",
            ["p(95) < 1.5s"],
            (
                "tr: cannot read the threshold 'p(95) < 1.5s'; the number is milliseconds,"
                " without a unit: write 'p(95)<1500'"
            ),
        ),
        (
            "rt",
            ["rate>99.5%"],
            (
                "rt: cannot read the threshold 'rate>99.5%'; the number is a share, from 0 to 1:"
                " write 'rate>0.995'"
            ),
        ),
        (
            "rt",
            ["p(95)<200"],
            "rt: the threshold 'p(95)<200' asks a rate for 'p(95)'; a rate has rate",
        ),
        (
            "tr",
            ["p(101)<1"],
            "tr: the threshold 'p(101)<1' asks for 'p(101)'; a percentile lies between 0 and 100",
        ),
        (
            "http_req_duratoin{a:b}",
            ["p(95)<1"],
            (
                "http_req_duratoin{a:b}: there is no metric 'http_req_duratoin';"
                " did you mean http_req_duration?"
            ),
        ),
        ("zzz", [], "zzz: there is no metric 'zzz'; declare it before it is used"),
        (
            "cnt{a:}",
            [],
            "cnt{a:}: cannot read the tag 'a:'; write 'key:value', several with commas between",
        ),
        (
            "cnt{a:b",
            [],
            (
                "cannot read the metric 'cnt{a:b'; write a name, or a name and tags such as"
                " 'http_req_duration{status:200}'"
            ),
        ),
        (
            "cnt",
            "count<1",
            (
                "cnt: thresholds are a list of expressions, got 'count<1';"
                " write a list such as ['p(95)<200']"
            ),
        ),
        (
            "cnt",
            [5],
            (
                "cnt: cannot read the threshold 5; write text such as 'p(95)<200', or a mapping with"
                " threshold, abort_on_fail and delay_abort_eval"
            ),
        ),
        (
            "cnt",
            [{"threshold": "count<1", "abort_on_fail": "yes"}],
            "cnt: abort_on_fail of 'count<1' is True or False, got 'yes'",
        ),
        ("cnt", [{"threshold": 5}], "cnt: 'threshold' is text such as 'p(95)<200', got 5"),
        (
            "cnt",
            [{"threshold": "count<1", "delay_abort_eval": "5"}],
            (
                "cnt: delay_abort_eval: the duration '5' has no unit; write '5s' for seconds or"
                " '5ms' for milliseconds"
            ),
        ),
    ],
)
def test_an_error_says_where_what_was_read_and_what_to_write(
    key: str, entries: object, message: str
) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(key, entries, KNOWN)

    assert str(caught.value) == message


def test_a_key_with_no_thresholds_still_selects_a_sub_metric() -> None:
    thresholds: dict[str, object] = {"cnt{a:b}": [], "tr": None}

    assert parse_thresholds(thresholds, KNOWN) == ()
    assert [selection.id for selection in parse_selections(thresholds, KNOWN)] == ["cnt{a:b}", "tr"]


@pytest.mark.parametrize(
    ("inside", "pairs"),
    [
        ("k:v,k2:v2", {("k", "v"), ("k2", "v2")}),
        (' k : "a" ', {("k", "a")}),
        ("url:http://x/?a=1", {("url", "http://x/?a=1")}),
        ('group:""', {("group", "")}),
        ("group: ", {("group", "")}),
        ("a:{b}", {("a", "{b}")}),
        (":b", {("", "b")}),
    ],
)
def test_tags_between_braces_are_read_as_k6_reads_them(
    inside: str, pairs: set[tuple[str, str]]
) -> None:
    name, tag_filter = parse_metric_id(f"cnt{{{inside}}}")

    assert name == "cnt"
    assert tag_filter == TagFilter(inside.strip(), frozenset(pairs))


@pytest.mark.parametrize("text", ["cnt}", "cnt{}", "cnt{a}", "}cnt{", "cnt{a:b}x", "cnt{a:b,}"])
def test_a_malformed_id_is_refused(text: str) -> None:
    with pytest.raises(MetricError):
        parse_metric_id(text)


def test_a_filter_wants_all_of_its_tags() -> None:
    tag_filter = TagFilter("a:b,c:d", frozenset({("a", "b"), ("c", "d")}))

    assert tag_filter.matches({"a": "b", "c": "d", "e": "f"})
    assert not tag_filter.matches({"a": "b"})
    assert not tag_filter.matches({"a": "b", "c": "x"})


@unhurried
@given(st.text(max_size=30), st.sampled_from(sorted(KNOWN)))
def test_whatever_is_written_gives_a_threshold_or_a_threshold_error(text: str, metric: str) -> None:
    try:
        (threshold,) = parse_threshold(metric, [text], KNOWN)
    except ThresholdError:
        return
    assert threshold.source == text
