"""The requests, streams, sessions, calls and measured blocks of a load test by their names.

Merging the series of a name takes time in proportion to their different values, so
of any number of names only the most frequent are kept apart, and `requests_in_steps`
can be interrupted after each. Percentiles are as exact as the series.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_k6api.metrics.aggregation import parse_aggregation
from pytest_k6api.metrics.sinks.simple import CounterSink, RateSink, Sink, measure, new_sink
from pytest_k6api.model import HTTP, LISTED, Metric, MetricKind, ProtocolMetrics
from pytest_k6api.model.metrics import DATA_RECEIVED, HTTP_REQ_DURATION

MOST_ROWS = 20
"""How many names of a protocol have a row of their own, over all scenarios; the others share one."""

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
        times: Milliseconds of the protocol's duration: `TIMES`, by name; empty without one.
        received: Bytes of their responses, heads included; of HTTP alone.
        protocol: What they are sent over.
    """

    scenario: str
    name: str
    names: int
    count: int
    failed: int
    per_second: float
    times: Mapping[str, float]
    received: float = 0.0
    protocol: ProtocolMetrics = HTTP


@dataclass(slots=True)
class _Named:
    """The series of one name in one scenario."""

    timed: int = 0
    judged: int = 0
    failed: int = 0
    received: float = 0.0
    durations: list[Sink] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there were, whether they have a time, a verdict or both."""
        return max(self.timed, self.judged)


def requests_by_name(series_of: SeriesOf, elapsed: float) -> tuple[RequestsRow, ...]:
    """Return the requests by name, protocol by protocol, the most frequent first.

    A protocol with a single name has no row. Of several scenarios each has a row of all its requests, followed by its names. Names
    beyond `MOST_ROWS` are one row, the last.

    Args:
        series_of: Gives the series of a metric with their tags.
        elapsed: Seconds of test-run time.
    """
    rows = _finished(requests_in_steps(series_of, elapsed, MOST_ROWS))
    names: Counter[str] = Counter()
    for row in rows:
        if row.name or not row.scenario:
            names[row.protocol.title] += row.names
    return tuple(row for row in rows if names[row.protocol.title] > 1)


def requests_in_steps(
    series_of: SeriesOf, elapsed: float, most: int
) -> Generator[None, None, tuple[RequestsRow, ...]]:
    """Return the same with up to `most` names, one name included; yield after each series."""
    rows: list[RequestsRow] = []
    for protocol in LISTED:
        for part in _parts(_gathered(series_of, protocol), most):
            rows.append((yield from _row(part, elapsed, protocol)))  # noqa: PERF401 - it yields
    return tuple(rows)


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


def _gathered(series_of: SeriesOf, protocol: ProtocolMetrics) -> dict[tuple[str, str], _Named]:
    found: dict[tuple[str, str], _Named] = {}

    def named(tags: Mapping[str, str]) -> _Named:
        return found.setdefault((tags.get("scenario", ""), tags.get("name", "")), _Named())

    for tags, sink in series_of(protocol.duration):
        of = named(tags)
        of.timed += sink.count
        of.durations.append(sink)
    for tags, sink in series_of(protocol.failed):
        if isinstance(sink, RateSink):
            of = named(tags)
            of.judged += sink.count
            of.failed += sink.passes
    for tags, sink in series_of(DATA_RECEIVED) if protocol is HTTP else ():
        # Other things than requests receive data, too.
        of_name = found.get((tags.get("scenario", ""), tags.get("name", "")))
        if of_name is not None and isinstance(sink, CounterSink):
            of_name.received += sink.total
    return found


def _row(
    part: _Part, elapsed: float, protocol: ProtocolMetrics
) -> Generator[None, None, RequestsRow]:
    durations = [sink for named in part.some for sink in named.durations]
    whole = durations[0] if len(durations) == 1 else new_sink(protocol.duration)
    for sink in durations:
        yield
        if sink is not whole:
            whole.merge(sink)
    # Of WebSocket sessions have a verdict, and answers a time.
    count = max(sum(each.timed for each in part.some), sum(each.judged for each in part.some))
    return RequestsRow(
        scenario=part.scenario,
        name=part.name,
        names=len(part.some),
        count=count,
        failed=sum(named.failed for named in part.some),
        per_second=count / elapsed if elapsed > 0 else 0.0,
        times={aggregation.text: measure(whole, aggregation, elapsed) for aggregation in _TIMES}
        if durations
        else {},
        received=sum(named.received for named in part.some),
        protocol=protocol,
    )
