"""Warnings about the quality of the numbers, as sentences for users. Texts only."""

from collections.abc import Iterable, Mapping
from itertools import islice

from pytest_k6api.metrics.sinks.trend_memory import ERROR_PERCENT
from pytest_k6api.metrics.tag_filter import TagFilter
from pytest_k6api.model import SECRETS, printable

MOST_SERIES = 10_000


def widest_tag(tag_sets: Iterable[Mapping[str, str]]) -> tuple[str, int]:
    """Return the tag that has most different values in `tag_sets`, and how many.

    Between equals, `name` comes first: it is the one that users can set.
    """
    values: dict[str, set[str]] = {"name": set()}
    for tags in tag_sets:
        for key, value in tags.items():
            values.setdefault(key, set()).add(value)
    return max(((key, len(some)) for key, some in values.items()), key=lambda item: item[1])


def tags_seen(tag_filter: TagFilter, tag_sets: Iterable[Mapping[str, str]]) -> str:
    """Return what samples had instead of the tags that `tag_filter` asks for.

    The names of their tags if one of the filter's is not among them, else the values
    of those that never matched; empty if there were no samples. Looks at the first
    `_LOOKED_AT` tag sets.
    """
    values: dict[str, set[str]] = {}
    for tags in islice(tag_sets, _LOOKED_AT):
        for key, value in tags.items():
            values.setdefault(key, set()).add(value)
    if not values:
        return ""
    if any(key not in values for key, _ in tag_filter.pairs):
        return f"tags seen: {', '.join(map(printable, sorted(values)))}"
    wanted = sorted(key for key, value in tag_filter.pairs if value not in values[key])
    listed = (f"{printable(key)}: {_first_few(values[key])}" for key in wanted)
    return f"values seen of {'; of '.join(listed)}" if wanted else ""


_LOOKED_AT = 1000
_SHOWN_VALUES = 5


def _first_few(values: set[str]) -> str:
    shown = ", ".join(
        printable(SECRETS.mask_url(value)) for value in sorted(values)[:_SHOWN_VALUES]
    )
    more = len(values) - _SHOWN_VALUES
    return f"{shown} and {more} more" if more > 0 else shown


def too_many_series(metric: str, tag: str, count: int) -> str:
    """Return the warning for a metric with more than `MOST_SERIES` tag sets."""
    remedy = (
        "give requests to changing URLs one name, such as vu.http.get(url, name='/items/{id}')"
        if tag in {"name", "url"}
        else "leave it out, or give it fewer values"
    )
    return (
        f"{metric}: more than {MOST_SERIES:,} different sets of tags, and each takes memory; the"
        f" tag {tag!r} has {count:,} different values: {remedy}"
    )


def reduced_resolution(metric_id: str, digits: int, limit: float) -> str:
    """Return the warning for a trend that keeps only so many significant digits.

    Args:
        metric_id: The metric or sub-metric.
        digits: How many.
        limit: Bytes that all trends of the load test may take.
    """
    return (
        f"{metric_id}: more different values than fit into the {limit / 1e6:g} MB that all trends"
        f" share (--k6-trend-memory), so they are kept with {digits} significant digits;"
        f" percentiles are exact to {ERROR_PERCENT[digits]:g} %"
    )


def refused_samples(metric: str, count: int) -> str:
    """Return the warning for samples that a metric could not take."""
    noun = "sample was" if count == 1 else "samples were"
    return (
        f"{metric}: {count:,} {noun} left out; a metric takes finite numbers, and one name"
        " belongs to one kind of metric"
    )
