"""The samples of the second that is not over yet, until its numbers are final."""

import math
import struct
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

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
        "_ordered", "durations", "failed", "failures", "lateness", "received", "samples", "sent", "vus",
    )  # fmt: skip

    def __init__(self) -> None:
        self.samples = 0
        self.durations: dict[int, array[int]] = {}
        self._ordered: dict[int, list[int]] = {}
        self.failed: dict[int, int] = {}
        self.lateness: list[float] = []
        self.sent: dict[int, int] = {}
        self.received: dict[int, int] = {}
        self.vus: list[int | None] = [None, None]
        self.failures: dict[tuple[str, int], int] = {}

    @staticmethod
    def takes(metric: Metric) -> bool:
        """Tell whether `metric` is one of those that matter."""
        return metric.name in _TAKES

    def take(self, metric: Metric, parts: Parts) -> None:
        """Take the samples of `metric` if it is one of those that matter."""
        take = _TAKES.get(metric.name)
        if take is not None:
            take(self, parts)

    def by_scenario_and_name(self, tags: TagTable) -> dict[Key, tuple[int, ...]]:
        """Return the tag sets of requests: all, those of each scenario and of each name."""
        found: dict[Key, list[int]] = {WHOLE: []}
        for tags_id in sorted(self.durations.keys() | self.failed.keys()):
            for key in keys_of(tags[tags_id]):
                found.setdefault(key, []).append(tags_id)
        return {key: tuple(tags_ids) for key, tags_ids in found.items()}

    def count(self, tags_ids: Sequence[int]) -> int:
        """Return the number of requests with these tags."""
        return sum(len(self.durations.get(tags_id, ())) for tags_id in tags_ids)

    def sort(self) -> None:
        """Sort the durations with each tag set, which makes a merge of the sort of several."""
        self._ordered = {tags_id: sorted(some) for tags_id, some in self.durations.items()}

    def ordered(self, tags_ids: Sequence[int]) -> list[int]:
        """Return the durations of the requests with these tags, ascending; after `sort`."""
        parts = [self._ordered[tags_id] for tags_id in tags_ids if tags_id in self._ordered]
        return parts[0] if len(parts) == 1 else sorted(chain.from_iterable(parts))

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

    def add_durations(self, parts: Parts) -> None:
        """Take durations of requests."""
        for tags_id, part in parts.items():
            if tags_id not in self.durations:
                self.durations[tags_id] = array("q")
            # A fifth of the room of a list, and quicker than `extend`; times are whole.
            try:
                packed = struct.pack(f"{len(part)}q", *part)
            except struct.error:  # but not in samples of other protocols, perhaps
                packed = struct.pack(f"{len(part)}q", *map(round, part))
            self.durations[tags_id].frombytes(packed)
            self.samples += len(part)

    def add_failed(self, parts: Parts) -> None:
        """Take the failures of requests, as ones and zeros."""
        for tags_id, part in parts.items():
            count = len(part) - part.count(0)
            if count:
                self.failed[tags_id] = self.failed.get(tags_id, 0) + count
                self.samples += count

    def add_lateness(self, parts: Parts) -> None:
        """Take how late iterations began."""
        for part in parts.values():
            self.lateness += part
            self.samples += len(part)

    def add_data(self, parts: Parts, *, is_sent: bool) -> None:
        """Take bytes."""
        self.samples += 1
        counts = self.sent if is_sent else self.received
        for tags_id, part in parts.items():
            counts[tags_id] = counts.get(tags_id, 0) + int(sum(part))

    def add_vus(self, parts: Parts) -> None:
        """Take numbers of active VUs, of which the last one counts."""
        *_, part = parts.values()
        self.samples += 1
        self.vus[0] = int(part[-1])

    def plan_vus(self, vus: int) -> None:
        """Take the number of VUs that the plan has."""
        self.samples += 1
        self.vus[1] = vus

    def add_failures(self, kind: str, parts: Parts, failing: float) -> None:
        """Take the outcomes of checks or iterations, of which `failing` is a failure."""
        for tags_id, part in parts.items():
            zeros = part.count(0)
            count = len(part) - zeros if failing else zeros
            if count:
                key = kind, tags_id
                self.failures[key] = self.failures.get(key, 0) + count
                self.samples += count


_TAKES: Mapping[str, Callable[[OpenSecond, Parts], None]] = {
    built_in.HTTP_REQ_DURATION.name: OpenSecond.add_durations,
    built_in.HTTP_REQ_FAILED.name: OpenSecond.add_failed,
    built_in.ITERATION_LATENESS.name: OpenSecond.add_lateness,
    built_in.DATA_SENT.name: lambda second, parts: second.add_data(parts, is_sent=True),
    built_in.DATA_RECEIVED.name: lambda second, parts: second.add_data(parts, is_sent=False),
    built_in.VUS.name: OpenSecond.add_vus,
    built_in.CHECKS.name: lambda second, parts: second.add_failures("checks failed", parts, 0),
    built_in.ITERATION_FAILURES.name: lambda second, parts: second.add_failures(
        "iterations failed", parts, 1
    ),
}


def percentile(ordered: Sequence[float], rank: float) -> int:
    """Return a percentile of ascending numbers as a whole one, 0 if there are none.

    The rule is that of `TrendSink.percentile`.
    """
    if not ordered:
        return 0
    position = rank / 100 * (len(ordered) - 1)
    below = math.floor(position)
    fraction = position - below
    low = ordered[below]
    return round(low + (ordered[below + 1] - low) * fraction if fraction else low)


def histogram(ordered: Sequence[float], edges: Sequence[float]) -> list[int]:
    """Return how many of ascending numbers lie between each two edges, an edge in the upper one.

    Those beyond the edges count in the first and the last bucket.
    """
    inner = [bisect_left(ordered, edge) for edge in edges[1:-1]]
    return [end - start for start, end in pairwise([0, *inner, len(ordered)])]


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
