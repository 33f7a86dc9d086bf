"""Statistics that each kind of metric has: ``count``, ``rate``, ``avg``, ``p(95)``.

Names and their grammar; sinks compute the numbers.
"""

import math
import re
from dataclasses import dataclass

from pytest_k6api.model import MetricError, MetricKind

# Where k6 is asked (thresholds), and what we answer beyond it (queries).
IN_THRESHOLDS = {
    MetricKind.COUNTER: ("count", "rate"),
    MetricKind.GAUGE: ("value",),
    MetricKind.RATE: ("rate",),
    MetricKind.TREND: ("avg", "min", "max", "med", "p(N)"),
}
IN_QUERIES = {
    MetricKind.COUNTER: ("count", "rate"),
    MetricKind.GAUGE: ("value", "min", "max"),
    MetricKind.RATE: ("rate", "passes", "fails", "count"),
    MetricKind.TREND: ("avg", "min", "max", "med", "p(N)", "count", "sum"),
}
_THRESHOLD_WORDS = frozenset(word for words in IN_THRESHOLDS.values() for word in words)
_MEDIAN = 50.0

# The decimal forms of Go's floating-point literals; ASCII digits only, while
# Python's float() takes those of every script. Go's hexadecimal form is refused.
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = re.compile(
    rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?"
    r"|[+-]?inf(?:inity)?|nan",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One question to a metric.

    Attributes:
        text: The question as it was written, such as ``p(95)`` or ``avg``.
        rank: For percentiles, `med` among them: the percentage in [0, 100].
    """

    text: str
    rank: float | None = None


def parse_aggregation(text: str, kind: MetricKind) -> Aggregation:
    """Return the question `text`, which must be one that a `kind` can answer.

    Raises:
        MetricError: A `kind` has no such number, or a percentile is outside [0, 100].
    """
    aggregation = read_aggregation(text)
    if aggregation is None or not is_known(aggregation, IN_QUERIES[kind]):
        raise MetricError(f"cannot ask a {kind.value} for {text!r}; {answers(kind, IN_QUERIES)}")
    return aggregation


def read_aggregation(text: str) -> Aggregation | None:
    """Return the question `text`, or None if it is neither a word nor a percentile.

    Raises:
        MetricError: A percentile outside [0, 100], where k6 v1.1.0 panics; v2.1 refuses it too.
    """
    if text == "med":
        return Aggregation(text, _MEDIAN)
    if not (text.startswith("p(") and text.endswith(")")):
        return Aggregation(text) if text.isalpha() else None
    rank = parse_number(text[2:-1])
    if rank is None:
        return None
    if not 0 <= rank <= 100:  # not a NaN either
        raise MetricError(f"asks for {text!r}; a percentile lies between 0 and 100")
    return Aggregation(text, rank)


def is_known(aggregation: Aggregation, words: tuple[str, ...]) -> bool:
    """Tell whether `words` have this question; ``p(N)`` stands for every percentile."""
    return aggregation.text in words or (aggregation.rank is not None and "p(N)" in words)


def is_threshold_word(aggregation: Aggregation) -> bool:
    """Tell whether thresholds on any kind of metric know this question."""
    return is_known(aggregation, tuple(_THRESHOLD_WORDS))


def answers(kind: MetricKind, table: dict[MetricKind, tuple[str, ...]]) -> str:
    """Return what a `kind` can be asked, for the end of an error message."""
    return f"a {kind.value} has {', '.join(table[kind])}"


def parse_number(text: str) -> float | None:
    """Return the number that Go's ``strconv.ParseFloat`` reads, or None.

    >>> parse_number("1_000"), parse_number(".5"), parse_number("200ms")
    (1000.0, 0.5, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    too_large = math.isinf(number) and "inf" not in text.lower()
    return None if too_large else number
