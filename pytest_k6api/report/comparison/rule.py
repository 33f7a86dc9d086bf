"""Rules of regression: ``http_req_duration:p(95):10%`` is how much worse a load test may be.

Three parts with colons between, read from the right, because tags in braces have
colons too: a metric, one of its numbers, and the most by which that may get
worse, in per cent of the baseline's or in the metric's own unit.

What is worse depends: times and failures grow, requests, iterations and passed
checks shrink. A sign in front of the limit says otherwise: ``+`` by how much it
may grow, ``-`` by how much it may shrink.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_k6api.metrics import Aggregation, parse_aggregation, parse_selections
from pytest_k6api.model import K6ApiError, Metric, OptionError
from pytest_k6api.model import metrics as built_in

_LESS_IS_WORSE = frozenset(
    metric.name
    for metric in (
        built_in.HTTP_REQS,
        built_in.ITERATIONS,
        built_in.CHECKS,
        built_in.DATA_SENT,
        built_in.DATA_RECEIVED,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRule:
    """One number that may get worse by so much and no more.

    Attributes:
        metric_id: The metric or sub-metric.
        metric: What that is.
        aggregation: The number.
        limit: By how much it may get worse, 0 or more.
        is_percent: Whether `limit` is per cent of the baseline's number; else it is
            in the metric's unit.
        may_grow: Whether growing is what is limited; else shrinking is.
    """

    metric_id: str
    metric: Metric
    aggregation: Aggregation
    limit: float
    is_percent: bool
    may_grow: bool

    @property
    def limit_text(self) -> str:
        """The limit as it was written, without a sign."""
        return f"{self.limit:g}%" if self.is_percent else f"{self.limit:g}"

    def is_broken(self, before: float, after: float) -> bool:
        """Tell whether `after` is too much worse than `before`."""
        worse = after - before if self.may_grow else before - after
        allowed = abs(before) * self.limit / 100 if self.is_percent else self.limit
        return worse > allowed


def parse_rule(text: str, known: Mapping[str, Metric]) -> ComparisonRule:
    """Return the rule that `text` states.

    Raises:
        OptionError: It cannot be read, or asks a metric for what it does not have.
    """
    rest, _, limit = text.rpartition(":")
    metric_id, _, stat = rest.rpartition(":")
    number = limit.strip().lstrip("+-").removesuffix("%")
    if not metric_id or not _is_number(number):
        raise OptionError(
            f"cannot read {text!r}; write '<metric>:<number>:<limit>', such as"
            " 'http_req_duration:p(95):10%'"
        )
    try:
        (selection,) = parse_selections([metric_id.strip()], known)
        aggregation = parse_aggregation(stat.strip(), selection.metric.kind)
    except K6ApiError as error:
        raise OptionError(f"{text!r}: {error}") from None
    sign = limit.strip()[0]
    return ComparisonRule(
        metric_id=selection.id,
        metric=selection.metric,
        aggregation=aggregation,
        limit=float(number),
        is_percent=limit.strip().endswith("%"),
        may_grow=sign == "+" or (sign != "-" and selection.metric.name not in _LESS_IS_WORSE),
    )


def _is_number(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdecimal()
