"""The HTTP requests of a load test by their names, for the end of it.

Merging the series of a name takes time in proportion to their different values, so
this is asked once, after the last sample; of any number of names only the most
frequent are kept apart. Percentiles are as exact as the series. Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_k6api.metrics.aggregation import parse_aggregation
from pytest_k6api.metrics.sinks.simple import RateSink, Sink, measure, new_sink
from pytest_k6api.model import Metric, MetricKind
from pytest_k6api.model.metrics import HTTP_REQ_DURATION, HTTP_REQ_FAILED

MOST_NAMES = 20
"""How many names have a row of their own, over all scenarios; the others share one."""

TIMES = ("avg", "p(50)", "p(95)", "p(99)", "max")

_TIMES = tuple(parse_aggregation(text, MetricKind.TREND) for text in TIMES)

SeriesOf = Callable[[Metric], Iterable[tuple[Mapping[str, str], Sink]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsRow:
    """What some requests add up to.

    Attributes:
        scenario: The scenario that sent them; empty if there is one only, or for several.
        name: Their name; empty for all of a scenario, or for the names beyond the first.
        names: How many names they have.
        count: How many there were.
        failed: How many of them failed.
        per_second: How many there were in each second of test-run time.
        times: Milliseconds of http_req_duration: `TIMES`, by name.
    """

    scenario: str
    name: str
    names: int
    count: int
    failed: int
    per_second: float
    times: Mapping[str, float]


@dataclass(slots=True)
class _Named:
    """The series of one name in one scenario."""

    count: int = 0
    failed: int = 0
    durations: list[Sink] = field(default_factory=list)


def requests_by_name(series_of: SeriesOf, elapsed: float) -> tuple[RequestsRow, ...]:
    """Return the requests by name, the most frequent first; empty if there is one name only.

    Of several scenarios each has a row of all its requests, followed by its names. Names
    beyond `MOST_NAMES` are one row, the last.

    Args:
        series_of: Gives the series of a metric with their tags.
        elapsed: Seconds of test-run time.
    """
    found = _gathered(series_of)
    if len(found) < 2:
        return ()
    ranked = sorted(found, key=lambda key: (-found[key].count, key))
    shown, others = ranked[:MOST_NAMES], ranked[MOST_NAMES:]
    scenarios = list(dict.fromkeys(scenario for scenario, _ in ranked))
    rows: list[RequestsRow] = []
    for scenario in scenarios:
        if len(scenarios) > 1:
            keys = [key for key in ranked if key[0] == scenario]
            rows.append(_row(scenario, "", [found[key] for key in keys], elapsed))
        rows += [
            _row(scenario if len(scenarios) > 1 else "", name, [found[scenario, name]], elapsed)
            for of, name in shown
            if of == scenario
        ]
    if others:
        rows.append(_row("", "", [found[key] for key in others], elapsed))
    return tuple(rows)


def names_by_count(series_of: SeriesOf) -> list[str]:
    """Return the names of the HTTP requests, the most frequent first."""
    counts: dict[str, int] = {}
    for tags, sink in series_of(HTTP_REQ_DURATION):
        if name := tags.get("name", ""):
            counts[name] = counts.get(name, 0) + sink.count
    return sorted(counts, key=lambda name: (-counts[name], name))


def _gathered(series_of: SeriesOf) -> dict[tuple[str, str], _Named]:
    found: dict[tuple[str, str], _Named] = {}

    def named(tags: Mapping[str, str]) -> _Named:
        return found.setdefault((tags.get("scenario", ""), tags.get("name", "")), _Named())

    for tags, sink in series_of(HTTP_REQ_DURATION):
        of = named(tags)
        of.count += sink.count
        of.durations.append(sink)
    for tags, sink in series_of(HTTP_REQ_FAILED):
        if isinstance(sink, RateSink):
            named(tags).failed += sink.passes
    return found


def _row(scenario: str, name: str, some: Sequence[_Named], elapsed: float) -> RequestsRow:
    durations = [sink for named in some for sink in named.durations]
    whole = durations[0] if len(durations) == 1 else new_sink(HTTP_REQ_DURATION)
    if len(durations) != 1:
        for sink in durations:
            whole.merge(sink)
    count = sum(named.count for named in some)
    return RequestsRow(
        scenario=scenario,
        name=name,
        names=len(some),
        count=count,
        failed=sum(named.failed for named in some),
        per_second=count / elapsed if elapsed > 0 else 0.0,
        times={aggregation.text: measure(whole, aggregation, elapsed) for aggregation in _TIMES},
    )
