"""The samples of the second that is not over yet, until its numbers are final. Pure."""

import math
import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

from pytest_k6api.model import Metric, TagTable
from pytest_k6api.model import metrics as built_in

Parts = Mapping[int, Sequence[float]]


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
        failures: The numbers of failures that are no requests, by kind.
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
        self.sent = 0
        self.received = 0
        self.vus: list[int | None] = [None, None]
        self.failures: dict[str, int] = {}

    @staticmethod
    def takes(metric: Metric) -> bool:
        """Tell whether `metric` is one of those that matter."""
        return metric.name in _TAKES

    def take(self, metric: Metric, parts: Parts) -> None:
        """Take the samples of `metric` if it is one of those that matter."""
        take = _TAKES.get(metric.name)
        if take is not None:
            take(self, parts)

    def by_scenario_and_name(
        self, tags: TagTable
    ) -> dict[tuple[str | None, str | None], tuple[int, ...]]:
        """Return the tag sets of requests: all, those of each scenario and of each name."""
        found: dict[tuple[str | None, str | None], list[int]] = {(None, None): []}
        for tags_id in sorted(self.durations.keys() | self.failed.keys()):
            found[None, None].append(tags_id)
            if scenario := tags[tags_id].get("scenario"):
                found.setdefault((scenario, None), []).append(tags_id)
            if name := tags[tags_id].get("name"):
                found.setdefault((None, name), []).append(tags_id)
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

    def errors(self, tags: TagTable) -> Iterator[tuple[str, int]]:
        """Yield the kinds of errors with their numbers; a kind may come more than once."""
        for tags_id, count in self.failed.items():
            yield _kind_of(tags[tags_id]), count
        yield from self.failures.items()

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
        count = int(sum(map(sum, parts.values())))
        self.samples += 1
        if is_sent:
            self.sent += count
        else:
            self.received += count

    def add_vus(self, parts: Parts, index: int) -> None:
        """Take a number of VUs, to be kept at `index` of `vus`."""
        *_, part = parts.values()
        self.samples += 1
        self.vus[index] = int(part[-1])

    def add_failures(self, kind: str, parts: Parts, failing: float) -> None:
        """Take the outcomes of checks or iterations, of which `failing` is a failure."""
        count = sum(
            part.count(0) if not failing else len(part) - part.count(0) for part in parts.values()
        )
        if count:
            self.failures[kind] = self.failures.get(kind, 0) + count
            self.samples += count


_TAKES: Mapping[str, Callable[[OpenSecond, Parts], None]] = {
    built_in.HTTP_REQ_DURATION.name: OpenSecond.add_durations,
    built_in.HTTP_REQ_FAILED.name: OpenSecond.add_failed,
    built_in.ITERATION_LATENESS.name: OpenSecond.add_lateness,
    built_in.DATA_SENT.name: lambda second, parts: second.add_data(parts, is_sent=True),
    built_in.DATA_RECEIVED.name: lambda second, parts: second.add_data(parts, is_sent=False),
    built_in.VUS.name: lambda second, parts: second.add_vus(parts, 0),
    built_in.VUS_MAX.name: lambda second, parts: second.add_vus(parts, 1),
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


def _kind_of(tags: Mapping[str, str]) -> str:
    """Return the kind of a failed request, from the tags that k6 gives it."""
    if "error" in tags:
        return f"{tags.get('error_code', '')} {tags['error']}".strip()
    return f"status {tags['status']}" if "status" in tags else "requests failed"
