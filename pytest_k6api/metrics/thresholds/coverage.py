"""Coverage of failures by thresholds: samples of rates of failures that no threshold is about.

A load test fails for a failed check, request, session or iteration unless a threshold
states how many may fail. A threshold with a tag filter states that for the
samples that pass its filter, so coverage is decided for each tag set.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pytest_k6api.metrics.sinks.simple import RateSink, Sink
from pytest_k6api.metrics.snapshot import Unjudged
from pytest_k6api.metrics.store import MetricStore
from pytest_k6api.metrics.tag_filter import Selection
from pytest_k6api.model import PROTOCOLS, TagTable
from pytest_k6api.model import metrics as built_in

REQUEST_RATES = tuple(protocol.failed.name for protocol in PROTOCOLS)
"""The rates of the protocols: their failures are kept by kind, with an exchange each."""

FAILURE_RATES: Mapping[str, bool] = {
    built_in.CHECKS.name: False,
    **dict.fromkeys(REQUEST_RATES, True),
    built_in.ITERATION_FAILURES.name: True,
}
"""The rates that tell of failures, and whether a failure is their non-zero sample."""


class FailureSeries(NamedTuple):
    """One series of a rate that tells of failures.

    Attributes:
        metric: The name of the rate.
        tags_id: The number of its tag set.
        tags: Its tags.
        failed: How many samples tell of a failure.
        samples: How many samples there are.
        is_judged: Whether a threshold is about them.
    """

    metric: str
    tags_id: int
    tags: Mapping[str, str]
    failed: int
    samples: int
    is_judged: bool


class Coverage:
    """What the thresholds of a load test are about, for the rates that tell of failures.

    Args:
        tags: The load test's tag sets.
        judged: The samples that thresholds are about.
    """

    def __init__(self, tags: TagTable, judged: Iterable[Selection]) -> None:
        self._tags = tags
        self._judged: dict[str, list[Selection]] = {name: [] for name in FAILURE_RATES}
        for selection in judged:
            if selection.metric.name in self._judged:
                self._judged[selection.metric.name].append(selection)
        # By metric and tag set: neither changes once it is there.
        self._known: dict[tuple[str, int], bool] = {}

    def failed_requests(self, stores: Mapping[str, MetricStore]) -> Iterator[FailureSeries]:
        """Yield the series of those rates of protocols among `stores` that tell of a failure."""
        for name in filter(stores.__contains__, REQUEST_RATES):
            yield from self._series(name, stores[name])

    def _series(self, name: str, store: MetricStore) -> Iterator[FailureSeries]:
        for tags_id, sink in store.series.items() if _failed(name, store.whole.sink) else ():
            failed, is_judged = _failed(name, sink), self._covers(name, tags_id)
            yield FailureSeries(name, tags_id, self._tags[tags_id], failed, sink.count, is_judged)

    def unjudged(self, name: str, store: MetricStore, scenario: str | None = None) -> Unjudged:
        """Return what no threshold covers of the rate `name`.

        Args:
            name: The metric.
            store: Its samples.
            scenario: Whose samples are meant; None for all.
        """
        judged = self._judged[name]
        if any(selection.filter is None for selection in judged):
            return Unjudged(failed=0, samples=0)
        if not judged and scenario is None:
            whole = store.whole.sink
            return Unjudged(failed=_failed(name, whole), samples=whole.count)
        left = [
            sink
            for tags_id, sink in store.series.items()
            if not self._covers(name, tags_id)
            and (scenario is None or self._tags[tags_id].get("scenario", "") == scenario)
        ]
        return Unjudged(
            failed=sum(_failed(name, sink) for sink in left),
            samples=sum(sink.count for sink in left),
        )

    def _covers(self, name: str, tags_id: int) -> bool:
        known = self._known.get((name, tags_id))
        if known is None:
            tags = self._tags[tags_id]
            known = self._known[name, tags_id] = any(
                selection.filter is None or selection.filter.matches(tags)
                for selection in self._judged[name]
            )
        return known


def _failed(name: str, sink: Sink) -> int:
    assert isinstance(sink, RateSink)
    return sink.passes if FAILURE_RATES[name] else sink.count - sink.passes
