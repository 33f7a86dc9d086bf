"""Thresholds as people write them: ``{"http_req_duration": ["p(95)<200"]}``.

k6's grammar, read before the first request is made::

    expression  = aggregation operator number         (spaces allowed around the operator)
    aggregation = count | rate | value | avg | min | max | med | p(N)
    operator    = <= | < | >= | > | === | == | !=     (=== is ==)

`evaluation` evaluates thresholds; this module only reads them.

Source: k6 v1.1.0, ``metrics/thresholds_parser.go`` and ``metrics/thresholds.go``.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches

from pytest_k6api.metrics.aggregation import (
    IN_THRESHOLDS,
    Aggregation,
    answers,
    is_known,
    is_threshold_word,
    parse_number,
    read_aggregation,
)
from pytest_k6api.metrics.tag_filter import Selection, TagFilter, metric_id, parse_metric_id
from pytest_k6api.metrics.thresholds.window import Window, read_window
from pytest_k6api.model import Metric, MetricError, OptionError, ThresholdError, parse_duration

# In k6's order of search, which decides: '<=' before '<', or 'count<=1' would compare with '=1'.
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "===": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}

# A number with a unit, which thresholds do not take, and its value without.
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|us|µs|ms|s|m)")
_UNITS = {
    "%": Decimal("0.01"),
    "us": Decimal("0.001"),
    "µs": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One condition on one metric or sub-metric.

    Attributes:
        metric: The metric it is about.
        filter: Which of the metric's samples; None means all.
        source: The expression as it was written.
        aggregation: The number that is compared.
        operator: One of `OPERATORS`.
        value: What it is compared with, in the metric's unit (times in ms).
        abort_on_fail: Whether crossing it ends the load test at once.
        delay_abort_eval: Seconds of test-run time during which crossing it does
            not end the load test yet; None for no delay.
        window: Which part of the load it looks at; None for all there is.
        is_optional: Whether a metric without samples leaves it unjudged, and does not fail it.
    """

    metric: Metric
    filter: TagFilter | None
    source: str
    aggregation: Aggregation
    operator: str
    value: float
    abort_on_fail: bool = False
    delay_abort_eval: float | None = None
    window: Window | None = None
    is_optional: bool = False

    @property
    def metric_id(self) -> str:
        """The id of the metric or sub-metric, as k6 writes it."""
        return metric_id(self.metric.name, self.filter)

    def holds(self, observed: float) -> bool:
        """Tell whether `observed`, in the metric's unit, satisfies the condition."""
        return OPERATORS[self.operator](observed, self.value)


def select(key: str, known: Mapping[str, Metric]) -> Selection:
    """Return the metric that `key` names, with the filter that it states.

    Args:
        key: A metric's name, with tags in braces or without.
        known: Every metric there can be, by name.

    Raises:
        ThresholdError: `key` cannot be read or names no known metric.
    """
    try:
        name, tag_filter = parse_metric_id(key)
    except MetricError as error:
        raise ThresholdError(str(error)) from None
    metric = known.get(name)
    if metric is None:
        near = get_close_matches(name.strip(), known, n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else "declare it before it is used"
        raise ThresholdError(f"{key}: there is no metric {name!r}; {advice}")
    return Selection(metric, tag_filter)


def parse_threshold(
    key: str, entries: object, known: Mapping[str, Metric]
) -> tuple[Threshold, ...]:
    """Read all thresholds written for the metric `key`.

    Args:
        key: A metric's name, with tags in braces or without.
        entries: A list whose items are expressions, or mappings with ``threshold``,
            ``abort_on_fail``, ``delay_abort_eval``, ``after``, ``over_last`` and
            ``for_at_least`` (k6's own also in its camelCase; what else they hold is
            ignored, as k6 does, unless it is nearly one of these). None is an empty list.
        known: Every metric there can be, by name.

    Raises:
        ThresholdError: Something cannot be read, or the metric has no such number.
    """
    return parse_entries(key, entries, known)[1]


def parse_entries(
    key: str, entries: object, known: Mapping[str, Metric]
) -> tuple[Selection, tuple[Threshold, ...]]:
    """Return the samples that `key` selects, and their thresholds; see `parse_threshold`."""
    selection = select(key, known)
    if entries is None:
        return selection, ()
    if isinstance(entries, (str, bytes)) or not isinstance(entries, Sequence):
        raise ThresholdError(
            f"{key}: thresholds are a list of expressions, got {entries!r};"
            " write a list such as ['p(95)<200']"
        )
    return selection, tuple(_parse_entry(selection, key, entry) for entry in entries)


def parse_thresholds(
    thresholds: Mapping[str, object], known: Mapping[str, Metric]
) -> tuple[Threshold, ...]:
    """Read a whole mapping of thresholds, in its order; see `parse_threshold`."""
    return tuple(
        threshold
        for key, entries in thresholds.items()
        for threshold in parse_threshold(key, entries, known)
    )


def parse_selections(keys: Iterable[str], known: Mapping[str, Metric]) -> tuple[Selection, ...]:
    """Return what the keys of a mapping of thresholds name.

    k6 lists a sub-metric also when its list of thresholds is empty, and people
    write empty lists for just that.
    """
    return tuple(select(key, known) for key in keys)


def _parse_entry(selection: Selection, key: str, entry: object) -> Threshold:
    if isinstance(entry, str):
        return _parse_expression(selection, key, entry)
    if not isinstance(entry, Mapping):
        raise ThresholdError(
            f"{key}: cannot read the threshold {entry!r}; write text such as 'p(95)<200', or a"
            " mapping with threshold, abort_on_fail and delay_abort_eval"
        )
    source = entry.get("threshold", "")
    if not isinstance(source, str):
        raise ThresholdError(f"{key}: 'threshold' is text such as 'p(95)<200', got {source!r}")
    abort = entry.get("abort_on_fail", entry.get("abortOnFail"))
    if not isinstance(abort, bool | None):
        raise ThresholdError(f"{key}: abort_on_fail of {source!r} is True or False, got {abort!r}")
    delay = _parse_delay(key, entry.get("delay_abort_eval", entry.get("delayAbortEval")))
    return replace(
        _parse_expression(selection, key, source),
        abort_on_fail=bool(abort),
        delay_abort_eval=delay,
        window=read_window(key, entry),
    )


def _parse_delay(key: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        return parse_duration(value)
    except OptionError as error:
        raise ThresholdError(f"{key}: delay_abort_eval: {error}") from None


def _parse_expression(selection: Selection, key: str, source: str) -> Threshold:
    left, sign, right = _scan(source)
    value = parse_number(right)
    try:
        aggregation = read_aggregation(left)
    except MetricError as error:
        raise ThresholdError(f"{key}: the threshold {source!r} {error}") from None
    if not sign or value is None or aggregation is None or not is_threshold_word(aggregation):
        remedy = _without_unit(left, sign, right) if value is None else None
        remedy = remedy or "write '<aggregation> <operator> <number>', such as 'p(95)<200'"
        raise ThresholdError(f"{key}: cannot read the threshold {source!r}; {remedy}")
    kind = selection.metric.kind
    if not is_known(aggregation, IN_THRESHOLDS[kind]):
        raise ThresholdError(
            f"{key}: the threshold {source!r} asks a {kind.value} for {left!r};"
            f" {answers(kind, IN_THRESHOLDS)}"
        )
    return Threshold(
        metric=selection.metric,
        filter=selection.filter,
        source=source,
        aggregation=aggregation,
        operator=sign,
        value=value,
    )


def _without_unit(left: str, sign: str, right: str) -> str | None:
    """Return what to write instead of a number with a unit; None if `right` is not one."""
    found = _WITH_UNIT.fullmatch(right)
    if found is None:
        return None
    number = Decimal(found[1]) * _UNITS[found[2]]
    about = "a share, from 0 to 1" if found[2] == "%" else "milliseconds, without a unit"
    return f"the number is {about}: write '{left}{sign}{number.normalize():f}'"


def _scan(source: str) -> tuple[str, str, str]:
    for sign in OPERATORS:
        left, found, right = source.partition(sign)
        if found and right:
            return left.strip(), sign, right.strip()
    return source, "", ""
