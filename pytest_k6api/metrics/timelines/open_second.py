"""The samples of the second that is not over yet, until its numbers are final."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from pytest_k6api.metrics.sinks.deltas import Delta
from pytest_k6api.metrics.timelines.open_times import OpenTimes, OrderedTimes, Times
from pytest_k6api.model import Metric, TagTable
from pytest_k6api.model import metrics as built_in

Parts = Mapping[int, Sequence[float]]

# A scenario, or a name; (None, None) is the whole load test.
Key = tuple[str | None, str | None]
WHOLE: Key = (None, None)


class OpenSecond:
    """The samples of one second, by the numbers of their tag sets where that matters.

    Attributes:
        samples: How many there are, about; 0 if there is none.
        durations: Durations of requests, in whole microseconds.
        failed: The number of failed requests.
        lateness: How late iterations began, in microseconds.
        sent: Bytes.
        received: Bytes.
        vus: The last numbers of active and of planned VUs; None if they were not counted.
        failures: The numbers of failures that are no requests, by kind and tag set.
    """

    __slots__ = (
        "durations", "failed", "failures", "lateness", "received", "samples", "sent", "vus",
    )  # fmt: skip

    def __init__(self) -> None:
        self.samples = 0
        self.durations: dict[int, OpenTimes] = {}
        self.failed: dict[int, int] = {}
        self.lateness = OpenTimes()
        self.sent: dict[int, int] = {}
        self.received: dict[int, int] = {}
        self.vus: list[int | None] = [None, None]
        self.failures: dict[tuple[str, int], int] = {}

    def take(self, metric: Metric, parts: Parts) -> None:
        """Take a column of samples of `metric` if it is one of those that matter."""
        rule = _RULES.get(metric.name)
        if rule is not None:
            for tags_id, part in parts.items():
                rule.add(self, tags_id, rule.of_column(part))

    def merge(self, metric: Metric, deltas: Mapping[int, Delta]) -> None:
        """Take what was added to series of `metric` if it is one of those that matter."""
        rule = _RULES.get(metric.name)
        if rule is not None:
            for tags_id, delta in deltas.items():
                rule.add(self, tags_id, rule.of_delta(delta))

    def by_scenario_and_name(self, tags: TagTable) -> dict[Key, tuple[int, ...]]:
        """Return the tag sets of requests: all, those of each scenario and of each name."""
        found: dict[Key, list[int]] = {WHOLE: []}
        for tags_id in sorted(self.durations.keys() | self.failed.keys()):
            for key in keys_of(tags[tags_id]):
                found.setdefault(key, []).append(tags_id)
        return {key: tuple(tags_ids) for key, tags_ids in found.items()}

    def count(self, tags_ids: Sequence[int]) -> int:
        """Return the number of requests with these tags."""
        return sum(self.durations[each].count for each in tags_ids if each in self.durations)

    def ordered(self, tags_ids: Sequence[int]) -> OrderedTimes:
        """Return the durations of the requests with these tags."""
        times = OpenTimes()
        for tags_id in tags_ids:
            if tags_id in self.durations:
                times.add_all(self.durations[tags_id])
        return times.in_order()

    def errors(self, tags: TagTable) -> dict[Key, Counter[str]]:
        """Return the numbers of errors by kind: of all, of each scenario and of each name."""
        found: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        for tags_id, count in self.failed.items():
            for key in keys_of(tags[tags_id]):
                found[key][_kind_of(tags[tags_id])] += count
        for (kind, tags_id), count in self.failures.items():
            for key in keys_of(tags[tags_id]):
                found[key][kind] += count
        return found

    def data(self, tags: TagTable) -> dict[Key, tuple[int, int]]:
        """Return the bytes that were sent and received: of all, and of each scenario."""
        found: dict[Key, tuple[int, int]] = {}
        for tags_id in self.sent.keys() | self.received.keys():
            sent, received = self.sent.get(tags_id, 0), self.received.get(tags_id, 0)
            for key in keys_of(tags[tags_id]):
                if key[1] is None:
                    before = found.get(key, (0, 0))
                    found[key] = before[0] + sent, before[1] + received
        return found

    def plan_vus(self, vus: int) -> None:
        """Take the number of VUs that the plan has."""
        self.samples += 1
        self.vus[1] = vus

    def add_durations(self, tags_id: int, times: Times) -> None:
        """Take durations of requests."""
        if tags_id not in self.durations:
            self.durations[tags_id] = OpenTimes()
        self.samples += self.durations[tags_id].add(times)

    def add_lateness(self, _tags_id: int, times: Times) -> None:
        """Take how late iterations began."""
        self.samples += self.lateness.add(times)

    def add_failed(self, tags_id: int, count: int) -> None:
        """Take failures of requests."""
        if count:
            self.failed[tags_id] = self.failed.get(tags_id, 0) + count
            self.samples += 1

    def add_failed_checks(self, tags_id: int, count: int) -> None:
        """Take failures of checks."""
        self._add_failures("checks failed", tags_id, count)

    def add_failed_iterations(self, tags_id: int, count: int) -> None:
        """Take failures of iterations."""
        self._add_failures("iterations failed", tags_id, count)

    def add_sent(self, tags_id: int, size: float) -> None:
        """Take bytes that were sent."""
        self.sent[tags_id] = self.sent.get(tags_id, 0) + int(size)
        self.samples += 1

    def add_received(self, tags_id: int, size: float) -> None:
        """Take bytes that were received."""
        self.received[tags_id] = self.received.get(tags_id, 0) + int(size)
        self.samples += 1

    def set_vus(self, _tags_id: int, vus: float) -> None:
        """Take the number of active VUs, of which the last one counts."""
        self.vus[0] = int(vus)
        self.samples += 1

    def _add_failures(self, kind: str, tags_id: int, count: int) -> None:
        if count:
            self.failures[kind, tags_id] = self.failures.get((kind, tags_id), 0) + count
            self.samples += 1


class _Rule(NamedTuple):
    """How the samples of one metric with one tag set are added, which come as a column or a delta."""

    # Any: what `add` takes, and a delta of the metric's kind, which types cannot tell.
    add: Callable[[OpenSecond, int, Any], None]
    of_column: Callable[[Sequence[float]], Any]
    of_delta: Callable[[Any], Any]


def _itself(samples: Any) -> Any:
    return samples


def _ones(part: Sequence[float]) -> int:
    return len(part) - part.count(0)


def _zeros(part: Sequence[float]) -> int:
    return part.count(0)


_passes, _total, _last = attrgetter("passes"), attrgetter("total"), attrgetter("last")

_RULES: Mapping[str, _Rule] = {
    built_in.HTTP_REQ_DURATION.name: _Rule(OpenSecond.add_durations, _itself, _itself),
    built_in.HTTP_REQ_FAILED.name: _Rule(OpenSecond.add_failed, _ones, _passes),
    built_in.ITERATION_LATENESS.name: _Rule(OpenSecond.add_lateness, _itself, _itself),
    built_in.DATA_SENT.name: _Rule(OpenSecond.add_sent, sum, _total),
    built_in.DATA_RECEIVED.name: _Rule(OpenSecond.add_received, sum, _total),
    built_in.VUS.name: _Rule(OpenSecond.set_vus, itemgetter(-1), _last),
    built_in.CHECKS.name: _Rule(
        OpenSecond.add_failed_checks, _zeros, lambda delta: delta.count - delta.passes
    ),
    built_in.ITERATION_FAILURES.name: _Rule(OpenSecond.add_failed_iterations, _ones, _passes),
}


def keys_of(tags: Mapping[str, str]) -> Iterator[Key]:
    """Yield what samples with these tags are part of: the whole, a scenario, a name."""
    yield WHOLE
    if scenario := tags.get("scenario"):
        yield scenario, None
    if name := tags.get("name"):
        yield None, name


def _kind_of(tags: Mapping[str, str]) -> str:
    """Return the kind of a failed request, from the tags that k6 gives it."""
    if "error" in tags:
        return f"{tags.get('error_code', '')} {tags['error']}".strip()
    return f"status {tags['status']}" if "status" in tags else "requests failed"
