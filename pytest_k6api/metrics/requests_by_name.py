"""The HTTP requests of a load test by their names.

Merging the series of a name takes time in proportion to their different values, so
of any number of names only the most frequent are kept apart, and `requests_in_steps`
can be interrupted after each. Percentiles are as exact as the series.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_k6api.metrics.aggregation import parse_aggregation
from pytest_k6api.metrics.sinks.simple import CounterSink, RateSink, Sink, measure, new_sink
from pytest_k6api.model import Metric, MetricKind
from pytest_k6api.model.metrics import DATA_RECEIVED, HTTP_REQ_DURATION, HTTP_REQ_FAILED

MOST_ROWS = 20
"""How many names have a row of their own, over all scenarios; the others share one."""

TIMES = ("min", "avg", "p(50)", "p(90)", "p(95)", "p(99)", "p(99.9)", "max")

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
        received: Bytes of their responses, heads included.
    """

    scenario: str
    name: str
    names: int
    count: int
    failed: int
    per_second: float
    times: Mapping[str, float]
    received: float = 0.0


@dataclass(slots=True)
class _Named:
    """The series of one name in one scenario."""

    count: int = 0
    failed: int = 0
    received: float = 0.0
    durations: list[Sink] = field(default_factory=list)


def requests_by_name(series_of: SeriesOf, elapsed: float) -> tuple[RequestsRow, ...]:
    """Return the requests by name, the most frequent first; empty if there is one name only.

    Of several scenarios each has a row of all its requests, followed by its names. Names
    beyond `MOST_ROWS` are one row, the last.

    Args:
        series_of: Gives the series of a metric with their tags.
        elapsed: Seconds of test-run time.
    """
    rows = _finished(requests_in_steps(series_of, elapsed, MOST_ROWS))
    return rows if sum(row.names for row in rows if row.name or not row.scenario) > 1 else ()


def requests_in_steps(
    series_of: SeriesOf, elapsed: float, most: int
) -> Generator[None, None, tuple[RequestsRow, ...]]:
    """Return the same with up to `most` names, one name included; yield after each series."""
    found = _gathered(series_of)
    rows: tuple[RequestsRow, ...] = ()
    for part in _parts(found, most):
        rows = (*rows, (yield from _row(part, elapsed)))
    return rows


def _finished(steps: Generator[None, None, tuple[RequestsRow, ...]]) -> tuple[RequestsRow, ...]:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            rows: tuple[RequestsRow, ...] = done.value
            return rows


@dataclass(frozen=True, slots=True)
class _Part:
    """What has a row of its own."""

    scenario: str
    name: str
    some: Sequence[_Named]


def _parts(found: Mapping[tuple[str, str], _Named], most: int) -> list[_Part]:
    ranked = sorted(found, key=lambda key: (-found[key].count, key))
    shown, others = ranked[:most], ranked[most:]
    scenarios = list(dict.fromkeys(scenario for scenario, _ in ranked))
    has_several = len(scenarios) > 1
    parts: list[_Part] = []
    for scenario in scenarios:
        if has_several:
            all_of_it = [found[key] for key in ranked if key[0] == scenario]
            parts.append(_Part(scenario, "", all_of_it))
        parts += [
            _Part(scenario if has_several else "", name, [found[scenario, name]])
            for of, name in shown
            if of == scenario
        ]
    if others:
        parts.append(_Part("", "", [found[key] for key in others]))
    return parts


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
    for tags, sink in series_of(DATA_RECEIVED):
        # Other things than requests receive data, too.
        of_name = found.get((tags.get("scenario", ""), tags.get("name", "")))
        if of_name is not None and isinstance(sink, CounterSink):
            of_name.received += sink.total
    return found


def _row(part: _Part, elapsed: float) -> Generator[None, None, RequestsRow]:
    durations = [sink for named in part.some for sink in named.durations]
    whole = durations[0] if len(durations) == 1 else new_sink(HTTP_REQ_DURATION)
    for sink in durations:
        yield
        if sink is not whole:
            whole.merge(sink)
    count = sum(named.count for named in part.some)
    return RequestsRow(
        scenario=part.scenario,
        name=part.name,
        names=len(part.some),
        count=count,
        failed=sum(named.failed for named in part.some),
        per_second=count / elapsed if elapsed > 0 else 0.0,
        times={aggregation.text: measure(whole, aggregation, elapsed) for aggregation in _TIMES},
        received=sum(named.received for named in part.some),
    )
