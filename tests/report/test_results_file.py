"""Results as a document: nothing that can be asked is lost, and nothing strange is taken."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.metrics import MetricsEngine, measure, parse_aggregation, parse_thresholds
from pytest_k6api.model import Batch, Layer, Metric, MetricKind, TagTable, resolve_scenario
from pytest_k6api.model import metrics as built_in
from pytest_k6api.report import Results, ResultsFormatError, read_results, results_document

# No deadline: a busy machine is no failure.
unhurried = settings(deadline=None, max_examples=50)
OWN = {
    kind: Metric(name=f"own_{kind.value}", kind=kind, samples_per_unit=10)
    for kind in (MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.TREND)
} | {MetricKind.RATE: Metric(name="own_rate", kind=MetricKind.RATE)}
QUESTIONS = {
    MetricKind.COUNTER: ("count", "rate"),
    MetricKind.GAUGE: ("value", "min", "max"),
    MetricKind.RATE: ("rate", "passes", "fails", "count"),
    MetricKind.TREND: ("avg", "min", "max", "med", "p(1)", "p(99.9)", "count", "sum"),
}


def results_of(engine: MetricsEngine) -> Results:
    return Results(
        name="test_shop.py::test_buy",
        outcome="passed",
        started_at=1.5e9,
        elapsed=10.0,
        environment={"python": "3.11"},
        totals=engine.totals(),
    )


def document_of(engine: MetricsEngine, **options: object) -> Any:
    scenario = resolve_scenario("test_buy", [Layer.read("marker", options)])
    document = results_document(results_of(engine), engine.snapshot(10.0), [scenario])
    return json.loads(json.dumps(document))


def fed(values: list[float], trend_memory: int = 1_000_000) -> MetricsEngine:
    thresholds = parse_thresholds({"http_reqs": ["count>=0"]}, {"http_reqs": built_in.HTTP_REQS})
    engine = MetricsEngine(TagTable(), thresholds, trend_memory=trend_memory)
    tags = engine._tags.intern({})
    rows = [(metric, tags, value) for metric in OWN.values() for value in values]
    engine.ingest(Batch(samples=rows))
    engine.evaluate(10.0, final=True)
    engine.settle()
    return engine


@unhurried
@given(st.lists(st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.booleans()))
def test_what_was_read_answers_as_what_was_written(values: list[float]) -> None:
    engine = fed(values)

    read = read_results(document_of(engine))

    assert read.totals.keys() == engine.totals().keys()
    for metric_id, total in engine.totals().items():
        kept = read.totals[metric_id]
        assert kept.metric == total.metric
        for text in QUESTIONS[total.metric.kind]:
            question = parse_aggregation(text, total.metric.kind)
            assert measure(kept.sink, question, 10.0) == measure(total.sink, question, 10.0)


def test_a_trend_that_lost_digits_stays_as_it_is() -> None:
    engine = fed([1000 + number / 7 for number in range(30_000)], trend_memory=100_000)

    kept = read_results(document_of(engine)).totals["own_trend"].sink

    trend = engine.totals()["own_trend"].sink
    assert kept.digits == trend.digits == 5  # type: ignore[attr-defined]  # trends
    question = parse_aggregation("p(95)", MetricKind.TREND)
    assert measure(kept, question, 1.0) == measure(trend, question, 1.0)


def test_a_document_tells_what_ran_on_what_and_how_it_went() -> None:
    document = document_of(fed([1]), vus=2, duration="30s", env={"PASSWORD": "secret"})

    assert (document["format"], document["version"]) == ("pytest-k6api results", 1)
    assert document["environment"] == {"python": "3.11"}
    assert document["scenarios"]["test_buy"]["executor"] == "constant-vus"
    assert document["scenarios"]["test_buy"]["duration"] == 30.0
    assert document["thresholds"] == [
        {
            "metric": "http_reqs",
            "expression": "count>=0",
            "window": "",
            "ok": True,
            "observed": 0,
            "observed_text": "count=0",
        }
    ]
    assert document["root_group"]["checks"] == {}
    assert "secret" not in json.dumps(document)


_RESULTS = {
    "format": "pytest-k6api results",
    "version": 1,
    "name": "test_it",
    "outcome": "passed",
    "started_at": 0,
    "elapsed": 1,
    "environment": {},
}
_TREND = {
    "name": "own",
    "type": "trend",
    "contains": "default",
    "samples_per_unit": 1,
    "samples": 1,
    "sum": 1,
    "min": 1,
    "max": 1,
    "digits": None,
}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "it holds no results of a load test"),
        ({"format": "something else"}, "it holds no results of a load test"),
        (
            {"format": "pytest-k6api results", "version": 2},
            "it has version 2 of the format, and version 1 is what can be read here",
        ),
        (
            {"format": "pytest-k6api results", "version": 1},
            "it is damaged: KeyError: 'name'",
        ),
        (
            {**_RESULTS, "metrics": {"own": {**_TREND, "values": [[10**400, 1]]}}},
            "it is damaged: OverflowError: int too large to convert to float",
        ),
    ],
)
def test_what_holds_no_results_is_refused(document: object, message: str) -> None:
    with pytest.raises(ResultsFormatError) as caught:
        read_results(document)

    assert str(caught.value) == message


def test_a_sum_beyond_the_greatest_float_is_a_number_in_the_file() -> None:
    document = document_of(fed([1e308, 1e308, 1e308]))

    assert "Infinity" not in json.dumps(document)
    assert document["metrics"]["own_trend"]["sum"] == 1.7976931348623157e308
    assert document["metrics"]["own_counter"]["sum"] == 1.7976931348623157e308
