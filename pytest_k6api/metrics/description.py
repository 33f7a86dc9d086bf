"""A metric's numbers as k6 shows them, and those that we show beside."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_k6api.metrics.aggregation import Aggregation, parse_aggregation
from pytest_k6api.metrics.sinks.simple import measure
from pytest_k6api.metrics.snapshot import MetricSnapshot
from pytest_k6api.metrics.store import View
from pytest_k6api.metrics.thresholds.evaluation import ThresholdEvaluation
from pytest_k6api.model import MetricKind


def _questions(
    table: Mapping[MetricKind, tuple[str, ...]],
) -> Mapping[MetricKind, tuple[Aggregation, ...]]:
    return {
        kind: tuple(parse_aggregation(text, kind) for text in texts)
        for kind, texts in table.items()
    }


# What k6's API shows of each kind.
_SAMPLE = _questions(
    {
        MetricKind.COUNTER: ("count", "rate"),
        MetricKind.GAUGE: ("value",),
        MetricKind.RATE: ("rate",),
        MetricKind.TREND: ("avg", "max", "med", "min", "p(90)", "p(95)"),
    }
)
# What the summary and the reports want beside.
_EXTRA = _questions(
    {
        MetricKind.COUNTER: (),
        MetricKind.GAUGE: ("min", "max"),
        MetricKind.RATE: ("passes", "fails"),
        MetricKind.TREND: ("count", "sum", "p(50)", "p(99)"),
    }
)


def describe(
    view: View,
    elapsed: float,
    evaluations: Iterable[ThresholdEvaluation] = (),
    asked: Iterable[Aggregation] = (),
    *,
    seen: str = "",
) -> MetricSnapshot:
    """Return a view as a value.

    Args:
        view: A metric or a sub-metric.
        elapsed: Seconds of test-run time.
        evaluations: The thresholds written for exactly this view.
        asked: What to put into `extra`, beside what is always there.
        seen: Which tags samples had, if none passed the view's filter.
    """
    metric = view.selection.metric
    thresholds = tuple(replace(evaluation.snapshot(), seen=seen) for evaluation in evaluations)
    verdicts = {threshold.ok for threshold in thresholds} - {None}
    return MetricSnapshot(
        id=view.id,
        name=metric.name,
        kind=metric.kind,
        contains=metric.contains,
        sample=_numbers(view, _SAMPLE[metric.kind], elapsed),
        extra=_numbers(view, (*_EXTRA[metric.kind], *asked), elapsed),
        samples=view.sink.count,
        tainted=False in verdicts if verdicts else None,
        thresholds=thresholds,
    )


def _numbers(view: View, questions: Iterable[Aggregation], elapsed: float) -> dict[str, float]:
    return {question.text: measure(view.sink, question, elapsed) for question in questions}
