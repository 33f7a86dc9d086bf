"""All samples of one metric, added up for each tag set and for each filter.

Samples are kept in one *series* for each tag set, so that any filter can be asked
for afterwards by merging the series that match it, and once more in *views*, the
metric as a whole and the sub-metrics that thresholds name, which are asked all
the time and so add up as samples come in. So do the views that were asked for
last, because most questions are asked again a second later. A view of one series
only, as most are, shares the sink of the series.

One thread writes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_k6api.metrics.sinks.deltas import Delta
from pytest_k6api.metrics.sinks.simple import Sink, new_sink
from pytest_k6api.metrics.sinks.trend_memory import TrendMemory
from pytest_k6api.metrics.tag_filter import Selection
from pytest_k6api.model import Metric, MetricKind, TagTable

# How many views of a metric are kept because they were asked for. Each costs
# about as much of an ingested sample as a threshold on a tag does.
MOST_ASKED = 10


class Follower(Protocol):
    """What is told the samples of a view or a series: a sink, or what keeps something else."""

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples, oldest first; there is at least one."""

    def merge(self, delta: Delta, /) -> None:
        """Add the samples that `delta` was told of."""


class View:
    """Those samples of a metric that a filter leaves, or all of them.

    Attributes:
        selection: Whose samples they are.
        sink: Where they add up: while there is one series, its sink.
        listed: Whether it is shown although it has no sample yet.
        followers: What is also told its samples: windows of thresholds, timelines.
    """

    __slots__ = ("_memory", "_series_count", "followers", "listed", "selection", "sink")

    def __init__(self, selection: Selection, memory: TrendMemory) -> None:
        self.selection = selection
        self.sink = new_sink(selection.metric, memory)
        self.listed = False
        self.followers: list[Follower] = []
        self._memory = memory
        self._series_count = 0

    @property
    def id(self) -> str:
        """The name, with the filter as it was written."""
        return self.selection.id

    @property
    def is_visible(self) -> bool:
        """Whether lists show it: it has a sample, or is named by a threshold or an option."""
        return self.listed or self.sink.count > 0

    @property
    def is_sum(self) -> bool:
        """Whether it has a sink of its own, which must be told of each sample."""
        return self._series_count > 1

    def includes(self, tags: Mapping[str, str]) -> bool:
        """Tell whether samples with these tags are its samples."""
        return self.selection.filter is None or self.selection.filter.matches(tags)

    def admit(self, series: Sink) -> None:
        """Take in a series of the metric, with all that it has."""
        self._series_count += 1
        if self._series_count == 1:
            self.sink = series
            return
        if self._series_count == 2:
            only, self.sink = self.sink, new_sink(self.selection.metric, self._memory)
            self.sink.merge(only)
        self.sink.merge(series)


@dataclass(frozen=True, slots=True)
class MetricTotal:
    """All that a metric or sub-metric adds up to: enough to answer any question about it.

    Attributes:
        metric: What it is.
        sink: Where its samples are; only to be read.
    """

    metric: Metric
    sink: Sink


class MetricStore:
    """One metric with all its series and views.

    Attributes:
        metric: What this is about.
        whole: The view of all samples.
        sub_metrics: The other views, by id.
        series: A sink for each tag set, by its number, in order of first appearance; a
            gauge's in order of their last samples, which is the order to merge them in.
    """

    __slots__ = (
        "_asked",
        "_memory",
        "_routes",
        "_tags",
        "metric",
        "series",
        "sub_metrics",
        "whole",
    )

    def __init__(self, metric: Metric, tags: TagTable, memory: TrendMemory) -> None:
        self.metric = metric
        self.whole = View(Selection(metric), memory)
        self.sub_metrics: dict[str, View] = {}
        self.series: dict[int, Sink] = {}
        # In the order in which they were last asked for.
        self._asked: dict[str, View] = {}
        self._tags = tags
        self._memory = memory
        # For each tag set, what must be told its samples.
        self._routes: dict[int, list[Follower]] = {}

    @property
    def views(self) -> Iterator[View]:
        """The metric itself, then its sub-metrics in the order they were added."""
        yield self.whole
        yield from self.sub_metrics.values()

    def find(self, selection: Selection) -> View:
        """Return the view of `selection`: a kept one, or one made for this question.

        Making one takes time in proportion to the different values of the
        matching series. Changes nothing; its values take memory of their own.
        """
        return self._kept(selection) or self._gather(selection, TrendMemory(self._memory.limit))

    def keep(self, selection: Selection) -> View:
        """Return the view of `selection`, from now on one of the sub-metrics."""
        view = self._kept(selection) or self._gather(selection, self._memory)
        if selection.filter is not None and selection.id not in self.sub_metrics:
            self._asked.pop(selection.id, None)
            self.sub_metrics[selection.id] = view
            self._routes.clear()
        return view

    def ask(self, selection: Selection) -> View:
        """Return the view of `selection`, from now on at hand for the next question."""
        view = self._kept(selection) or self._gather(selection, self._memory)
        if view is self.whole or selection.id in self.sub_metrics or not view.sink.count:
            return view
        if self._asked.pop(selection.id, None) is None:
            self._routes.clear()
        self._asked[selection.id] = view
        if len(self._asked) > MOST_ASKED:
            del self._asked[next(iter(self._asked))]
        return view

    def add(self, values: Sequence[float], parts: Mapping[int, Sequence[float]]) -> None:
        """Add one batch.

        Args:
            values: All samples, oldest first; none is no batch.
            parts: The same samples by the numbers of their tag sets; a gauge's in the order
                of their last samples.
        """
        routes = self._routes
        self._admit(parts)
        if self.whole.is_sum:
            self.whole.sink.add_many(values)
        for follower in self.whole.followers:
            follower.add_many(values)
        for tags_id, part in parts.items():
            for target in routes.get(tags_id) or self._route(tags_id):
                target.add_many(part)

    def merge(self, deltas: Mapping[int, Delta]) -> None:
        """Add what was added to series elsewhere, by the numbers of their tag sets."""
        self._admit(deltas)
        whole = [*self.whole.followers, *([self.whole.sink] if self.whole.is_sum else [])]
        for tags_id, delta in deltas.items():
            for target in (*whole, *(self._routes.get(tags_id) or self._route(tags_id))):
                target.merge(delta)

    def settle(self) -> None:
        """Finish what was put off, so that reading changes nothing any more."""
        self._routes = {}
        for sink in self.series.values():
            sink.settle()
        for view in (*self.views, *self._asked.values()):
            view.sink.settle()

    def _kept(self, selection: Selection) -> View | None:
        if selection.filter is None:
            return self.whole
        return self.sub_metrics.get(selection.id) or self._asked.get(selection.id)

    def _gather(self, selection: Selection, memory: TrendMemory) -> View:
        view = View(selection, memory)
        for tags_id, series in self.series.items():
            if view.includes(self._tags[tags_id]):
                view.admit(series)
        return view

    def _filtered(self, tags_id: int) -> list[View]:
        """Return the views that have a filter, and this tag set passes it."""
        tags = self._tags[tags_id]
        views = (*self.sub_metrics.values(), *self._asked.values())
        return [view for view in views if view.includes(tags)]

    def _admit(self, numbers: Iterable[int]) -> None:
        """Open a series for each of these tag sets that has none yet."""
        for tags_id in numbers:
            if tags_id not in self.series:
                self._open(tags_id)
            elif self.metric.kind is MetricKind.GAUGE:
                self.series[tags_id] = self.series.pop(tags_id)

    def _open(self, tags_id: int) -> None:
        series = self.series[tags_id] = new_sink(self.metric, self._memory)
        self.whole.admit(series)
        for view in self._filtered(tags_id):
            was_sum = view.is_sum
            view.admit(series)
            if view.is_sum and not was_sum:  # what was its only series must feed it from now on
                self._routes.clear()

    def _route(self, tags_id: int) -> list[Follower]:
        route: list[Follower] = [self.series[tags_id]]
        for view in self._filtered(tags_id):
            if view.is_sum:
                route.append(view.sink)
            route += view.followers
        self._routes[tags_id] = route
        return route
