"""A load test second by second, for charts: requests, errors, VUs, lateness, data.

The durations of one second are kept until it is over, and put in order then: its percentiles
are exact, of all requests, of each scenario and of each of the `MOST_NAMED` most frequent
names. A point that covers several seconds, in a load test of more than an hour, has
the greatest of their percentiles.

Costs a sort for each second (``benchmarks/bench_ingest.py``). An hour of up to 255 requests
a second, of up to 65 ms, takes 36 kB for each scenario and name, and the heat map 4 kB for
each bucket that is used; a series of errors takes 4 to 7 kB, data of a scenario 30 kB. Those of scenarios and names have longer rows, a few hundred at most.

The engine says what time it is. One thread writes; `copy` is for other threads.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pytest_k6api.metrics.sinks.deltas import Delta
from pytest_k6api.metrics.timelines.documents import RequestsSeries, TimelineDocument
from pytest_k6api.metrics.timelines.open_second import (
    WHOLE,
    Key,
    OpenSecond,
)
from pytest_k6api.metrics.timelines.open_times import OrderedTimes
from pytest_k6api.metrics.timelines.point_table import ADD, GREATEST, MOST_POINTS, PointTable
from pytest_k6api.model import Metric, TagTable

MOST_NAMED = 50
"""How many names of requests have a series of their own."""

MOST_KINDS = 50
"""How many kinds of errors are told apart."""

MOST_ERRORS = 200
"""How many series of errors there are: of a kind, in the whole, a scenario or a name."""

# A name takes the place of the least frequent one if it had so many times as many requests:
# names that are about as frequent would take turns otherwise.
_LEAD = 2
# A second with more samples than that is closed in parts; those of deltas are counted already.
_MOST_OPEN = 50_000
_OTHER_ERRORS = "other errors"

_BUCKETS = 40
_LOWEST_US, _DECADES = 100, 6
EDGES_US = tuple(
    _LOWEST_US * 10 ** (_DECADES * number / _BUCKETS) for number in range(_BUCKETS + 1)
)
"""Edges of the heat map's buckets, in microseconds: 0.1 ms to 100 s, in equal ratios."""

# Rows of the heat map of a scenario or name: about as many as a screen has room for.
_HEAT_POINTS = 240

# count, failed, then microseconds: p50, p95, p99, max
_REQUESTS = (ADD, ADD, GREATEST, GREATEST, GREATEST, GREATEST)
_DATA = (ADD, ADD)


class LoadTimeline:
    """Everything that charts show of a load test, by the second.

    Args:
        tags: The load test's tag sets.
    """

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._second = 0
        self._width: int | None = None  # of the points of a copy
        self._length = 0
        self._open = OpenSecond()
        # The number of requests so far, by name.
        self._names: defaultdict[str, int] = defaultdict(int)
        self._requests: dict[Key, PointTable] = {WHOLE: PointTable(_REQUESTS)}
        self._heat = PointTable((ADD,) * _BUCKETS)
        self._heats: dict[Key, PointTable] = {}  # of scenarios and names
        self._errors: dict[Key, dict[str, PointTable]] = {}
        # Active and planned VUs plus 1: 0 where they were not counted.
        self._vus = PointTable((GREATEST, GREATEST))
        # Samples, and their 95th percentile in microseconds.
        self._lateness = PointTable((ADD, GREATEST))
        # Bytes sent and received, of the whole and of scenarios.
        self._data: dict[Key, PointTable] = {WHOLE: PointTable(_DATA)}

    def advance(self, elapsed: float) -> None:
        """Take the samples that come next as those of `elapsed`, in seconds of test-run time."""
        if int(elapsed) != self._second:
            self._close()
            self._second = int(elapsed)

    def see(
        self,
        metric: Metric,
        parts: Mapping[int, Sequence[float]],
        _times: object = None,
        _numbers: object = None,
    ) -> None:
        """Take a column of samples; see `ColumnObserver`."""
        self._open.take(metric, parts)
        if self._open.samples > _MOST_OPEN:
            self._close()

    def merge(self, metric: Metric, deltas: Mapping[int, Delta]) -> None:
        """Take what was added to series of `metric`."""
        self._open.merge(metric, deltas)

    def plan_vus(self, vus: int) -> None:
        """Take the number of virtual users that the plan has now."""
        self._open.plan_vus(vus)

    def settle(self) -> None:
        """Close the last second, and drop what only further samples need."""
        self._close()
        self._names.clear()

    def copy(self, since: int = 0) -> "LoadTimeline":
        """Return a copy for another thread, without the open second.

        Args:
            since: A second: the copy is for documents of all points since then alone.
        """
        return self._folded(self._heat.width, since)

    def document(self, most_points: int = MOST_POINTS, since: int = 0) -> TimelineDocument:
        """Return everything as JSON values, with None where a point has no sample.

        Args:
            most_points: The greatest number of points; each covers 1, 2, 4, … seconds.
            since: A second: points that end before it are left out.
        """
        width = self._heat.width
        while self._length > most_points * width:
            width *= 2
        folded = self if self._width == width else self._folded(width)
        return folded._document(width, since // width)

    def _folded(self, width: int, since: int = 0) -> "LoadTimeline":
        folded = LoadTimeline(TagTable())
        folded._length, folded._width = self._length, width
        folded._requests = {key: table.copy(width, since) for key, table in self._requests.items()}
        folded._errors = {
            key: {kind: table.copy(width, since) for kind, table in kinds.items()}
            for key, kinds in self._errors.items()
        }
        folded._heat, folded._vus = self._heat.copy(width, since), self._vus.copy(width, since)
        heat_width = self._heat_width(width)
        folded._heats = {key: heat.copy(heat_width, since) for key, heat in self._heats.items()}
        folded._lateness = self._lateness.copy(width, since)
        folded._data = {key: table.copy(width, since) for key, table in self._data.items()}
        return folded

    def _heat_width(self, width: int) -> int:
        """Return the seconds of a row of heat maps of scenarios and names, at least `width`."""
        while self._length > _HEAT_POINTS * width:
            width *= 2
        return width

    def _document(self, width: int, first: int) -> TimelineDocument:
        length = -(-self._length // width)
        active, planned = self._vus.columns(length, first)
        heats = self._heat_rows(width, first)
        requests = [
            self._requests_document(key, length, first, heats.get(key)) for key in self._requests
        ]
        whole = self._data[WHOLE].columns(length, first)
        return {
            "width": width,
            "seconds": [number * width for number in range(first, length)],
            "vus": {"active": _less_one(active), "planned": _less_one(planned)},
            "lateness_p95_ms": _milliseconds(*self._lateness.columns(length, first)),
            "data": {"sent": whole[0], "received": whole[1]},
            "errors": requests[0]["errors"],
            "heatmap": {
                "edges_ms": [float(f"{edge / 1000:.4g}") for edge in EDGES_US],
                "counts": [
                    list(row) for row in zip(*self._heat.columns(length, first), strict=True)
                ],
            },
            "heat_width": self._heat_width(width),
            "requests": requests,
        }

    def _heat_rows(self, width: int, first: int) -> dict[Key, list[list[int]]]:
        long = self._heat_width(width)
        length, start = -(-self._length // long), first * width // long
        return {
            key: [list(row) for row in zip(*heat.columns(length, start), strict=True)]
            for key, heat in self._heats.items()
        }

    def _requests_document(
        self, key: Key, length: int, first: int, heat: list[list[int]] | None
    ) -> RequestsSeries:
        count, failed, p50, p95, p99, greatest = self._requests[key].columns(length, first)
        data = self._data.get(key)
        sent, received = ([], []) if data is None else data.columns(length, first)
        return {
            "scenario": key[0],
            "name": key[1],
            "count": count,
            "failed": failed,
            "p50_ms": _milliseconds(count, p50),
            "p95_ms": _milliseconds(count, p95),
            "p99_ms": _milliseconds(count, p99),
            "max_ms": _milliseconds(count, greatest),
            "heat": heat,
            "errors": [
                {"kind": kind, "counts": table.columns(length, first)[0]}
                for kind, table in self._errors.get(key, {}).items()
            ],
            "data": None if data is None else {"sent": sent, "received": received},
        }

    def _close(self) -> None:
        closing, second = self._open, self._second
        if not closing.samples:
            return
        self._open = OpenSecond()
        self._length = max(self._length, second + 1)
        # Also without a request: its width is that of all.
        self._heat.add(second, (0,) * _BUCKETS)
        if closing.durations or closing.failed:
            self._close_requests(closing, second)
        for key, counts in closing.errors(self._tags).items():
            if key in self._requests:
                self._add_errors(key, counts, second)
        self._vus.add(second, [0 if vus is None else vus + 1 for vus in closing.vus])
        if closing.lateness.count:
            lateness = closing.lateness.in_order()
            self._lateness.add(second, (lateness.count, lateness.percentile(95)))
        for key, data in closing.data(self._tags).items():
            if key not in self._data:
                self._data[key] = PointTable(_DATA)
            self._data[key].add(second, data)

    def _add_errors(self, key: Key, counts: Mapping[str, int], second: int) -> None:
        tables = self._errors.setdefault(key, {})
        # In an order that does not depend on who measured them.
        for kind, count in sorted(counts.items()):
            is_full = len(tables) >= MOST_KINDS or (
                key != WHOLE and sum(map(len, self._errors.values())) >= MOST_ERRORS
            )
            told = _OTHER_ERRORS if kind not in tables and is_full else kind
            tables.setdefault(told, PointTable((ADD,))).add(second, (count,))

    def _close_requests(self, closing: OpenSecond, second: int) -> None:
        by_key = closing.by_scenario_and_name(self._tags)
        self._admit(closing, by_key)
        known: dict[tuple[int, ...], OrderedTimes] = {}
        for key, tags_ids in by_key.items():
            table = self._requests.get(key)
            if table is None:
                continue
            values = known.get(tags_ids)
            if values is None:
                values = known[tags_ids] = closing.ordered(tags_ids)
            failed = sum(closing.failed.get(tags_id, 0) for tags_id in tags_ids)
            times = map(values.percentile, (50, 95, 99, 100))
            table.add(second, (values.count, failed, *times))
            heat = self._heat if key == WHOLE else self._heats[key]
            heat.add(second, values.histogram(EDGES_US))

    def _admit(self, closing: OpenSecond, by_key: Mapping[Key, Sequence[int]]) -> None:
        """Give the scenarios and names in `by_key` a table each, unless there are too many."""
        new: list[str] = []
        for key, tags_ids in by_key.items():
            scenario, name = key
            if name is not None:
                self._names[name] += closing.count(tags_ids)
                new += [] if key in self._requests else [name]
            elif scenario is not None and key not in self._requests:
                self._add_series(key)
        if new:
            self._admit_names(new)

    def _admit_names(self, new: Iterable[str]) -> None:
        """Give each of `new` a table while there is room, or that of a much rarer name."""
        frequency = self._names.__getitem__
        kept = sorted((name for _, name in self._requests if name), key=frequency, reverse=True)
        for name in sorted(new, key=frequency, reverse=True):
            if len(kept) >= MOST_NAMED:
                if frequency(name) <= _LEAD * frequency(kept[-1]):
                    break
                rarest = kept.pop()
                del self._requests[None, rarest], self._heats[None, rarest]
                self._errors.pop((None, rarest), None)
            self._add_series((None, name))
            kept.insert(0, name)

    def _add_series(self, key: Key) -> None:
        self._requests[key] = PointTable(_REQUESTS)
        self._heats[key] = PointTable((ADD,) * _BUCKETS, _HEAT_POINTS)


def _milliseconds(counts: Iterable[int], times_us: Iterable[int]) -> list[float | None]:
    return [us / 1000 if count else None for count, us in zip(counts, times_us, strict=True)]


def _less_one(numbers: Iterable[int]) -> list[int | None]:
    return [number - 1 if number else None for number in numbers]
