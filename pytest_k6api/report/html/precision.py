"""Documents of load tests made small: values with fewer digits, fewer points for each name.

What decides and what tables show stays exact; counts add up, and of percentiles the
highest second stands for the others, so that no peak is lost. Pure.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import floor, log10
from typing import Any

Document = dict[str, Any]  # JSON; the documentation says what it looks like
Column = list[float | None]

_SUMS = frozenset({"count", "counts", "failed", "sent", "received"})


@dataclass(frozen=True, slots=True)
class Precision:
    """How exact a document is.

    Attributes:
        points: Points of each name's series; the whole and scenarios keep theirs.
        digits: Significant digits of the values of trends; None for all.
    """

    points: int
    digits: int | None


STAGES = (Precision(3_600, None), Precision(900, 3), Precision(300, 3), Precision(120, 2))
"""From the most exact to the smallest."""


def count_numbers(load_test: Document) -> int:
    """Return how many numbers a document has in the parts that grow: trends and series of names."""
    timeline = load_test["timeline"] or {"requests": []}
    pairs = sum(len(item.get("values", ())) for item in load_test["metrics"].values())
    points = sum(len(series["count"]) for series in timeline["requests"])
    return 2 * pairs + points


def cut(load_test: Document, precision: Precision) -> Document:
    """Return the document of a load test with `precision`."""
    metrics = {key: _cut_metric(item, precision) for key, item in load_test["metrics"].items()}
    timeline = load_test["timeline"]
    comparison = load_test["comparison"]
    if comparison is not None and comparison["timeline"] is not None:
        before = cut_timeline(comparison["timeline"], precision.points)
        comparison = {**comparison, "timeline": _without_what_no_chart_shows(before)}
    return {
        **load_test,
        "metrics": metrics,
        "timeline": timeline and cut_timeline(timeline, precision.points),
        "comparison": comparison,
    }


def _without_what_no_chart_shows(baseline: Document) -> Document:
    shown = ("width", "seconds", "vus", "name_width")
    requests = [
        {name: value for name, value in series.items() if name not in ("heat", "errors", "data")}
        for series in baseline["requests"]
    ]
    return {**{name: baseline[name] for name in shown if name in baseline}, "requests": requests}


def _cut_metric(item: Document, precision: Precision) -> Document:
    digits = precision.digits
    if item["type"] != "trend" or digits is None or not item["values"]:
        return item
    if item["digits"] is not None and item["digits"] <= digits:
        return item
    counts: dict[float, int] = {}
    for value, count in item["values"]:
        rounded = round_to(value, digits)
        counts[rounded] = counts.get(rounded, 0) + count
    return {**item, "digits": digits, "values": sorted(map(list, counts.items()))}


def round_to(value: float, digits: int) -> float:
    """Return `value` with `digits` significant digits.

    >>> round_to(123456, 3), round_to(0, 3), round_to(-87, 1)
    (123000, 0, -90)
    """
    return round(value, digits - 1 - floor(log10(abs(value)))) if value else value


def cut_timeline(timeline: Document, points: int) -> Document:
    """Return `timeline` with at most `points` points for each name of requests.

    The points of names are `name_width` times as long as the others; a chart shows a value
    for as long as it is about.
    """
    count = len(timeline["seconds"])
    size = -(-count // points)
    if size <= 1:
        return timeline
    requests = [
        series if series["name"] is None else _folded(series, size)
        for series in timeline["requests"]
    ]
    return {**timeline, "requests": requests, "name_width": size}


def _folded(series: Document, size: int) -> Document:
    return {key: _folded_member(key, member, size) for key, member in series.items()}


def _folded_member(key: str, member: Any, size: int) -> Any:  # JSON
    if key == "errors":
        return [_folded(each, size) for each in member]
    if isinstance(member, list) and key != "heat":  # which has long rows already
        return list(_fold(member, size, sum if key in _SUMS else max))
    return member


def _fold(
    column: Column, size: int, fold: Callable[[list[float]], float]
) -> Iterator[float | None]:
    for start in range(0, len(column), size):
        some = [value for value in column[start : start + size] if value is not None]
        yield fold(some) if some else None
