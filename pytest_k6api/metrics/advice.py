"""Warnings about the quality of the numbers, as sentences for users."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from pytest_k6api.metrics.sinks.trend_memory import ERROR_PERCENT
from pytest_k6api.metrics.tag_filter import TagFilter
from pytest_k6api.model import SECRETS, TagTable, printable

MOST_SERIES = 10_000


class DataWarnings:
    """What went wrong with samples: those left out, and tags with too many values.

    Args:
        tags: The load test's tag sets.
    """

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._refused: dict[str, int] = {}
        # Metrics that passed MOST_SERIES, each with its tag and that tag's different values.
        self._crowded: dict[str, tuple[str, int]] = {}

    def refuse(self, samples: Mapping[str, int]) -> None:
        """Count samples that were left out, given by the metric's name."""
        for name, count in samples.items():
            self._refused[name] = self._refused.get(name, 0) + count

    def look_at(self, name: str, series: Collection[int]) -> None:
        """Remember if the metric `name` has too many series, given by their tag sets."""
        if len(series) > MOST_SERIES and name not in self._crowded:
            self._crowded[name] = widest_tag(self._tags[number] for number in series)

    def crowded(self) -> Iterator[str]:
        """Yield a warning for each tag that has too many values."""
        told: set[str] = set()
        for name, (tag, count) in self._crowded.items():
            # One tag crowds many metrics: the nine of each request, for a start.
            if tag not in told:
                told.add(tag)
                yield too_many_series(name, tag, count)

    def refused(self) -> Iterator[str]:
        """Yield a warning for each metric of which samples were left out."""
        return (refused_samples(name, count) for name, count in self._refused.items())


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
