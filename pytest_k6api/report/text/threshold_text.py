"""What a threshold was judged by, as text."""

from pytest_k6api.metrics import MetricSnapshot, ThresholdSnapshot
from pytest_k6api.model import MetricKind
from pytest_k6api.report.text.units import format_per_second, format_share, format_value


def observed_text(threshold: ThresholdSnapshot, metric: MetricSnapshot) -> str:
    """Return what a threshold was judged by: ``p(95)=12.3ms``, or why it was not."""
    if threshold.observed is None:
        if threshold.ok is None:
            return "not judged"
        return f"had no samples; {threshold.seen}" if threshold.seen else "had no samples"
    when = f" at {threshold.crossed_at:.1f} s" if threshold.crossed_at is not None else ""
    return f"{_observed(threshold, threshold.observed, metric)}{when}"


def _observed(threshold: ThresholdSnapshot, observed: float, metric: MetricSnapshot) -> str:
    question = threshold.source
    for operator in "<>=!":
        question = question.split(operator, 1)[0]
    question = question.strip()
    if metric.kind is MetricKind.RATE:
        return f"{question}={format_share(observed)}"
    if metric.kind is MetricKind.COUNTER and question == "rate":
        return f"{question}={format_per_second(observed, metric.contains)}"
    return f"{question}={format_value(observed, metric.contains)}"
