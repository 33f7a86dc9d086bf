"""A load test beside its baseline: rules, changes, and what is more than noise."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pytest_k6api.metrics import Aggregation, MetricTotal, Sink, new_sink, parse_aggregation
from pytest_k6api.model import BUILT_IN, Metric, OptionError, split_entries
from pytest_k6api.report import Baseline, Results, comparison_lines, parse_rule
from pytest_k6api.report.comparison import comparing as comparison_module
from pytest_k6api.report.comparison.noise import SIGNIFICANT, p_value

KNOWN = {metric.name: metric for metric in BUILT_IN}
DURATION = KNOWN["http_req_duration"]


def total(metric: Metric, values: Sequence[float]) -> MetricTotal:
    sink = new_sink(metric)
    if values:
        sink.add_many(values)
    return MetricTotal(metric, sink)


def totals(**values: Sequence[float]) -> dict[str, MetricTotal]:
    return {name: total(KNOWN[name], some) for name, some in values.items()}


def saved(before: Mapping[str, MetricTotal], outcome: str = "passed") -> Results:
    return Results(
        name="t.py::test",
        outcome=outcome,
        started_at=0.0,
        elapsed=10.0,
        environment={"git_commit": "0123456789abcdef"},
        totals=before,
    )


def baseline(before: Mapping[str, MetricTotal], *rules: str, outcome: str = "passed") -> Baseline:
    return Baseline(
        name="main",
        results=saved(before, outcome),
        rules=[parse_rule(rule, KNOWN) for rule in rules],
    )


@pytest.mark.parametrize(
    ("rule", "before", "after", "broken"),
    [
        ("http_req_duration:p(95):10%", 100, 110, False),
        ("http_req_duration:p(95):10%", 100, 110.1, True),
        ("http_req_duration:p(95):10%", 100, 10, False),
        ("http_req_duration:p(95):-10%", 100, 80, True),
        ("http_req_duration:max:5", 100, 105, False),
        ("http_req_duration:max:5", 100, 106, True),
        ("http_reqs:rate:10%", 100, 89, True),
        ("http_reqs:rate:10%", 100, 200, False),
        ("http_reqs:rate:+10%", 100, 200, True),
        ("checks:rate:0%", 1.0, 0.99, True),
        ("http_req_failed:rate:0", 0.0, 0.01, True),
        ("http_req_failed:rate:50%", 0.0, 0.01, True),
    ],
)
def test_a_rule_says_how_much_worse_a_number_may_be(
    rule: str, before: float, after: float, broken: bool
) -> None:
    assert parse_rule(rule, KNOWN).is_broken(before, after) is broken


def test_a_rule_may_be_about_tags_with_colons_and_commas() -> None:
    text = "http_req_duration{url:http://a/b,status:200}:p(95):10%,http_reqs:rate:5%"

    rules = [parse_rule(rule, KNOWN) for rule in split_entries(text)]

    assert [rule.metric_id for rule in rules] == [
        "http_req_duration{url:http://a/b,status:200}",
        "http_reqs",
    ]
    assert rules[0].aggregation == Aggregation("p(95)", 95.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "http_req_duration:10%",
            "cannot read 'http_req_duration:10%'; write '<metric>:<number>:<limit>', such as"
            " 'http_req_duration:p(95):10%'",
        ),
        (
            "http_req_duration:p(95):ten",
            "cannot read 'http_req_duration:p(95):ten'; write '<metric>:<number>:<limit>', such as"
            " 'http_req_duration:p(95):10%'",
        ),
        (
            "chekcs:rate:10%",
            "'chekcs:rate:10%': chekcs: there is no metric 'chekcs'; did you mean checks?",
        ),
        (
            "checks:p(95):10%",
            "'checks:p(95):10%': cannot ask a rate for 'p(95)'; a rate has rate, passes, fails,"
            " count",
        ),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_rule(rule, KNOWN)

    assert str(caught.value) == message


def test_what_is_too_much_worse_is_told_with_both_numbers() -> None:
    before = totals(http_req_duration=[10_000] * 50, http_reqs=[1] * 50)
    after = totals(http_req_duration=[12_000] * 50, http_reqs=[1] * 50)

    found = baseline(before, "http_req_duration:p(95):10%", "http_reqs:rate:10%").compare(
        after, 10.0
    )

    assert found.failures == (
        "http_req_duration: p(95) grew from 10ms to 12ms, by more than 10%, since main (+20.0%,"
        " more than noise (p<0.001))",
    )
    assert found.title == "main (passed, 1970-01-01 00:00 UTC, 0123456789)"


def test_a_table_has_a_line_for_each_number() -> None:
    before = totals(http_reqs=[1] * 50, checks=[1, 1, 1, 0])
    after = totals(http_reqs=[1] * 100, checks=[1, 1, 1, 1])

    lines = comparison_lines(baseline(before, outcome="failed").compare(after, 10.0))

    assert lines == [
        "COMPARED WITH main (failed, 1970-01-01 00:00 UTC, 0123456789)",
        "  http_reqs  rate  5/s     → 10/s     +100.0%",
        "  checks     rate  75.00%  → 100.00%  +33.3%   may be noise (p=1)",
        "! the baseline itself failed",
    ]


def test_what_stopped_being_measured_is_no_improvement() -> None:
    before = totals(http_req_duration=[1_000])

    found = baseline(before, "http_req_duration:max:10%").compare({}, 10.0)

    assert found.failures == (
        "http_req_duration had no samples, so it cannot be compared with main",
    )


def test_a_load_test_that_the_baseline_does_not_have_is_compared_with_nothing() -> None:
    found = Baseline(name="main", results=None).compare(totals(http_reqs=[1]), 10.0)

    assert comparison_lines(found) == [
        "COMPARED WITH main",
        "! main has no results of this load test",
    ]


def test_a_baseline_that_has_lost_a_part_of_its_load_is_told() -> None:
    before = saved(totals(http_reqs=[1]))
    before = replace(before, workers=({"lost": ""}, {"lost": "killed by SIGKILL"}))

    found = Baseline(name="main", results=before).compare(totals(http_reqs=[1]), 10.0)

    assert found.notes[0] == "the baseline lost 1 worker, with a part of its load"


def test_without_scipy_the_table_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_module, "can_test", lambda: False)
    both = totals(checks=[1, 0])

    found = baseline(both).compare(totals(checks=[1, 1]), 10.0)

    assert [number.p_value for number in found.numbers] == [None]
    assert found.notes == (
        "whether changes are more than noise was not tested: that needs pytest-k6api[stats]",
    )


def times(seed: int, count: int, factor: float = 1.0) -> Sink:
    rng = random.Random(seed)
    return total(
        DURATION, [round(factor * rng.lognormvariate(8.5, 0.5)) for _ in range(count)]
    ).sink


@pytest.mark.parametrize("text", ["avg", "med", "p(95)"])
def test_noise_is_told_from_change(text: str) -> None:
    question = parse_aggregation(text, DURATION.kind)
    chances = [p_value(times(seed, 500), times(seed + 100, 500), question) for seed in range(50)]

    # Of 50 pairs that do not differ, one in a hundred may seem to.
    assert sum(chance is not None and chance < SIGNIFICANT for chance in chances) <= 3
    slower = p_value(times(1, 3000), times(2, 3000, factor=1.2), question)
    assert slower is not None
    assert slower < SIGNIFICANT


@pytest.mark.parametrize(
    ("before", "after", "text", "expected"),
    [
        ([1], [2], "avg", None),
        ([5, 5, 5], [5, 5, 5], "avg", 1.0),
        ([5, 5, 5], [6, 6, 6], "avg", 0.0),
        ([5, 5], [6, 6], "max", None),
    ],
)
def test_what_cannot_be_tested_is_not(
    before: list[float], after: list[float], text: str, expected: float | None
) -> None:
    question = parse_aggregation(text, DURATION.kind)

    assert p_value(total(DURATION, before).sink, total(DURATION, after).sink, question) == expected
