"""Tag filters: the braces of ``http_req_duration{name:login, status:200}``.

A metric's id is its name, with a tag filter behind it when only some of its
samples are meant. k6's rules, and k6's leniency: spaces and quotes around a key
or a value are dropped, and the id keeps the text as it was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_k6api.model import Metric, MetricError


@dataclass(frozen=True, slots=True)
class TagFilter:
    """The tags that a sample must carry, all of them, to be meant.

    Attributes:
        text: What was written between the braces, without the spaces around it.
        pairs: The tags, as keys and values.
    """

    text: str
    pairs: frozenset[tuple[str, str]]

    def matches(self, tags: Mapping[str, str]) -> bool:
        """Tell whether `tags` contain every pair of this filter."""
        return all(tags.get(key) == value for key, value in self.pairs)


@dataclass(frozen=True, slots=True)
class Selection:
    """A metric, or those of its samples that a filter leaves."""

    metric: Metric
    filter: TagFilter | None = None

    @property
    def id(self) -> str:
        """The id under which the API, the summary and the ``k6`` fixture know it."""
        return metric_id(self.metric.name, self.filter)


def metric_id(name: str, tag_filter: TagFilter | None) -> str:
    """Return the id of the metric `name` under `tag_filter`.

    >>> metric_id(*parse_metric_id("checks{ scenario : test_buy }"))
    'checks{scenario : test_buy}'
    """
    return name if tag_filter is None else f"{name}{{{tag_filter.text}}}"


def parse_metric_id(text: str) -> tuple[str, TagFilter | None]:
    """Split an id into the metric's name and its filter, None where there is none.

    Raises:
        MetricError: The braces do not match, or a tag between them has no value.

    Source: k6 v1.1.0, ``metrics/metric.go``, ``ParseMetricName`` and ``AddSubmetric``.
    """
    if "{" not in text and "}" not in text:
        return text, None
    name, opening, rest = text.partition("{")
    if not opening or not rest.endswith("}"):
        raise MetricError(
            f"cannot read the metric {text!r}; write a name, or a name and tags such as"
            " 'http_req_duration{status:200}'"
        )
    inside = rest[:-1]
    pairs = frozenset(_parse_pair(pair, text) for pair in inside.split(","))
    return name, TagFilter(inside.strip(), pairs)


def _parse_pair(pair: str, text: str) -> tuple[str, str]:
    key, _, value = pair.partition(":")
    if not value:
        raise MetricError(
            f"{text}: cannot read the tag {pair!r}; write 'key:value', several with commas between"
        )
    return _bare(key), _bare(value)


def _bare(text: str) -> str:
    return text.strip().strip("\"'")
