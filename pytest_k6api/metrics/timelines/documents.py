"""The timeline of a load test as JSON: the types of the members, for readers and for the schema.

Every list has one item for each point. ``docs/reference/rest-api.md`` tells what they mean.
"""

from typing import TypedDict


class VUsSeries(TypedDict):
    """Virtual users, None where they were not counted."""

    active: list[int | None]
    planned: list[int | None]


class DataSeries(TypedDict):
    """Bytes of the iterations that ended in the point."""

    sent: list[int]
    received: list[int]


class ErrorSeries(TypedDict):
    """How many errors of one kind there were."""

    kind: str
    counts: list[int]


class HeatMap(TypedDict):
    """Requests by their duration: `counts` has a list for each point, one shorter than the edges."""

    edges_ms: list[float]
    counts: list[list[int]]


class RequestsSeries(TypedDict):
    """Requests of a scenario or of a name, or all; times are None without a request.

    `data` is None for a name: bytes are counted by iteration. `heat` is as the counts of the
    heat map, with rows of `heat_width` seconds; None for all requests.
    """

    scenario: str | None
    name: str | None
    count: list[int]
    failed: list[int]
    p50_ms: list[float | None]
    p95_ms: list[float | None]
    p99_ms: list[float | None]
    max_ms: list[float | None]
    heat: list[list[int]] | None
    errors: list[ErrorSeries]
    data: DataSeries | None


class TimelineDocument(TypedDict):
    """A load test by the second: `seconds` has the start of each point, which lasts `width`."""

    width: int
    seconds: list[int]
    vus: VUsSeries
    lateness_p95_ms: list[float | None]
    data: DataSeries
    errors: list[ErrorSeries]
    heatmap: HeatMap
    heat_width: int
    requests: list[RequestsSeries]
