"""The metrics of one load test: rows in, snapshots, answers and verdicts out.

The engine belongs to the thread that runs the load test; other threads see its
snapshots. After the last batch, `settle` makes it a thing that is only read, and
from then on any thread may ask it for snapshots and queries.

Nothing here grows with the number of requests, only with the number of
different tag sets and of different values. Callers pass the time.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pytest_k6api.metrics.advice import DataWarnings, reduced_resolution, tags_seen
from pytest_k6api.metrics.aggregation import Aggregation, parse_aggregation
from pytest_k6api.metrics.description import describe
from pytest_k6api.metrics.group_tree import grow
from pytest_k6api.metrics.ingest import ColumnObserver, ingest
from pytest_k6api.metrics.requests_by_name import (
    RequestsRow,
    names_by_count,
    requests_by_name,
    requests_in_steps,
)
from pytest_k6api.metrics.sinks.deltas import Delta
from pytest_k6api.metrics.sinks.simple import Sink
from pytest_k6api.metrics.sinks.trend import TrendSink
from pytest_k6api.metrics.sinks.trend_memory import DEFAULT_LIMIT, TrendMemory
from pytest_k6api.metrics.sinks.windowed import WindowedSink
from pytest_k6api.metrics.snapshot import (
    MetricSnapshot,
    Snapshot,
    ThresholdSnapshot,
    Unjudged,
)
from pytest_k6api.metrics.store import MetricStore, MetricTotal, View
from pytest_k6api.metrics.tag_filter import Selection, TagFilter, parse_metric_id
from pytest_k6api.metrics.thresholds.coverage import FAILURE_RATES, Coverage, FailureSeries
from pytest_k6api.metrics.thresholds.evaluation import (
    EvaluationSummary,
    ThresholdEvaluation,
    WindowedEvaluation,
    summarize,
)
from pytest_k6api.metrics.thresholds.expression import Threshold
from pytest_k6api.metrics.timelines.load_timeline import LoadTimeline
from pytest_k6api.metrics.timelines.metric_timeline import KEPT, Point, Timeline
from pytest_k6api.model import Batch, Metric, MetricError, TagTable
from pytest_k6api.model import metrics as built_in

# k6 registers this sub-metric of http_req_duration in every run.
_EXPECTED_RESPONSES = TagFilter(
    "expected_response:true", frozenset({("expected_response", "true")})
)


class MetricsEngine:
    """All metrics, thresholds, groups and checks of one load test.

    Attributes:
        elapsed: Seconds of test-run time up to which it knows what was measured.

    Args:
        tags: Where the tag sets of the samples are interned.
        thresholds: What to judge, in the order in which to report it.
        listed: Metrics and sub-metrics to show from the start, although no
            threshold names them.
        tolerated: Samples whose failures are allowed as if a threshold were about
            them: those of thresholds that are switched off.
        trend_memory: Bytes that the different values of all trends may take before the
            largest of them keep fewer digits.
    """

    def __init__(
        self,
        tags: TagTable,
        thresholds: Sequence[Threshold] = (),
        listed: Iterable[Selection] = (),
        trend_memory: int = DEFAULT_LIMIT,
        tolerated: Iterable[Selection] = (),
    ) -> None:
        self._tags = tags
        self._memory = TrendMemory(trend_memory)
        self._stores: dict[str, MetricStore] = {}
        self._settled = False
        self.elapsed = 0.0
        self._doubts = DataWarnings(tags)
        self._evaluations: dict[str, list[ThresholdEvaluation]] = {}
        # Thresholds that look at the same samples share them, be they patient or not.
        self._windows: dict[tuple[str, float, float | None], WindowedSink] = {}
        self._load_began_at: float | None = None
        self._timelines: dict[str, Timeline] = {}
        self._load_timeline = LoadTimeline(tags)
        judged = [Selection(threshold.metric, threshold.filter) for threshold in thresholds]
        self._coverage = Coverage(tags, [*judged, *tolerated])
        for threshold in thresholds:
            view = self._list(Selection(threshold.metric, threshold.filter))
            self._evaluations.setdefault(view.id, []).append(self._evaluation(threshold, view))
        for selection in listed:
            self._list(selection)

    @property
    def tainted(self) -> bool:
        """Whether any threshold failed at its last evaluation."""
        return any(evaluation.ok is False for evaluation in self._all_evaluations())

    def ingest(
        self, batch: Batch, elapsed: float = 0.0, observer: ColumnObserver | None = None
    ) -> None:
        """Add what virtual users wrote since the last batch.

        A sample that its metric cannot take (a NaN, an infinity, no number at
        all) is left out and counted; the snapshot's warnings say so.

        Args:
            batch: What they wrote.
            elapsed: Seconds of test-run time now, for what is kept by time.
            observer: Is shown the same samples.
        """
        self.advance(elapsed)
        timeline = self._load_timeline
        observers = (timeline,) if observer is None else (timeline, observer)
        self._doubts.refuse(ingest(batch, self._store, observers))
        self._guard_series()

    def take_in(
        self,
        deltas: Mapping[Metric, Mapping[int, Delta]],
        elapsed: float,
        refused: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Add what was added to series elsewhere, as `ingest` would have added its samples.

        A metric that shares its name with another one but nothing else is left out and
        counted, as its samples are.

        Args:
            deltas: By metric, and by the numbers of the tag sets.
            elapsed: Seconds of test-run time at the youngest of the samples. What is kept
                by time takes them all as samples of that moment.
            refused: The number of samples that were left out there, by the metric's name.
        """
        self.advance(elapsed)
        self._doubts.refuse(refused)
        for metric, series in deltas.items():
            store = self._store(metric)
            if store.metric != metric:
                self._doubts.refuse({metric.name: sum(delta.count for delta in series.values())})
                continue
            store.merge(series)
            self._load_timeline.merge(metric, series)
        self._guard_series()

    def evaluate(self, elapsed: float, *, final: bool) -> EvaluationSummary:
        """Judge all thresholds, as k6 does every two seconds and at the end.

        Args:
            elapsed: Seconds of test-run time.
            final: Whether the load test has ended; a threshold whose metric never
                got a sample then fails.
        """
        self.advance(elapsed)
        evaluations = self._all_evaluations()
        for evaluation in evaluations:
            evaluation.evaluate(elapsed, final=final)
        return summarize(evaluations, elapsed)

    def thresholds(self) -> tuple[ThresholdSnapshot, ...]:
        """Return all thresholds with their last verdicts."""
        return tuple(evaluation.snapshot() for evaluation in self._all_evaluations())

    def load_began(self, elapsed: float) -> None:
        """Open the windows of thresholds: setup is over, what comes next is the load."""
        self._load_began_at = elapsed
        self.advance(elapsed)

    def load_ended(self, elapsed: float) -> None:
        """Judge windows for the last time: what comes next is teardown."""
        self.advance(elapsed)
        for evaluation in self._all_evaluations():
            if evaluation.threshold.window is not None:
                evaluation.evaluate(elapsed, final=True)
        self._load_began_at = None

    def cut_short(self) -> None:
        """Leave what never got a sample unjudged: the load test ends before its time."""
        for evaluation in self._all_evaluations():
            evaluation.is_optional = True

    def snapshot(self, elapsed: float) -> Snapshot:
        """Return everything measured so far, `elapsed` seconds into the test-run time."""
        return self.assemble(elapsed, dict(self.describe_each(elapsed)))

    def describe_each(self, elapsed: float) -> Iterator[tuple[str, MetricSnapshot]]:
        """Yield the metrics of a snapshot by id, one after the other.

        Each takes up to a few milliseconds, in proportion to its different values.
        Between two of them other tasks may run, and the engine may take in batches.
        `assemble` makes the snapshot.
        """
        for view in list(self._visible_views()):
            yield view.id, self._describe(view, elapsed)

    def assemble(self, elapsed: float, metrics: Mapping[str, MetricSnapshot]) -> Snapshot:
        """Return a snapshot with `metrics`, and groups and warnings as of now."""
        return Snapshot(
            elapsed=elapsed,
            metrics=metrics,
            root=grow(
                self._tags,
                self._series_of(built_in.CHECKS),
                self._series_of(built_in.GROUP_DURATION),
            ),
            tainted=self.tainted,
            warnings=tuple(self._warnings()),
            unjudged=self.unjudged(),
        )

    def unjudged(self, scenario: str | None = None) -> dict[str, Unjudged]:
        """Return what no threshold covers of the rates that tell of failures, by metric.

        Args:
            scenario: Whose samples are meant; None for all, those outside of scenarios too.
        """
        return {
            name: self._coverage.unjudged(name, store, scenario)
            for name in FAILURE_RATES
            if (store := self._stores.get(name)) is not None
        }

    def failed_requests(self) -> Iterator[FailureSeries]:
        """Yield the series of those rates of protocols that tell of a failure."""
        yield from self._coverage.failed_requests(self._stores)

    def query(
        self, metric_id: str, elapsed: float, stats: Iterable[str] = ()
    ) -> MetricSnapshot | None:
        """Return one metric, under any tag filter, whether or not a threshold names it.

        Args:
            metric_id: A metric's name, with tags in braces or without.
            elapsed: Seconds of test-run time.
            stats: Further numbers, such as ``p(99.9)``, to put into `extra` as written.

        Returns:
            The metric; None if it is unknown, or no sample of it has these tags.

        Raises:
            MetricError: `metric_id` cannot be read, or the metric has no such number.
        """
        name, tag_filter = parse_metric_id(metric_id)
        store = self._stores.get(name)
        if store is None:
            return None
        try:
            asked = [parse_aggregation(text, store.metric.kind) for text in stats]
        except MetricError as error:
            raise MetricError(f"{metric_id}: {error}") from None
        selection = Selection(store.metric, tag_filter)
        view = store.find(selection) if self._settled else store.ask(selection)
        if not view.is_visible:
            return None
        return self._describe(view, elapsed, asked)

    def totals(self, also: Iterable[str] = ()) -> dict[str, MetricTotal]:
        """Return what every listed metric adds up to, by id; ask after `settle`.

        Args:
            also: Ids of further sub-metrics; those without a sample are left out.

        Raises:
            MetricError: One of `also` cannot be read.
        """
        views = {view.id: view for view in self._visible_views()}
        for metric_id in also:
            name, tag_filter = parse_metric_id(metric_id)
            if name in self._stores and metric_id not in views:
                store = self._stores[name]
                view = store.find(Selection(store.metric, tag_filter))
                if view.sink.count:
                    views[metric_id] = view
        return {key: MetricTotal(view.selection.metric, view.sink) for key, view in views.items()}

    def requests_by_name(self, elapsed: float) -> tuple[RequestsRow, ...]:
        """Return the HTTP requests by name; see `requests_by_name`. Ask after `settle`."""
        return requests_by_name(self._tagged_series, elapsed)

    def requests_in_steps(
        self, elapsed: float, most: int
    ) -> Generator[None, None, tuple[RequestsRow, ...]]:
        """Return the HTTP requests by name, at any time; see `requests_in_steps`."""
        return requests_in_steps(self._tagged_series, elapsed, most)

    def request_names(self) -> list[str]:
        """Return the names of the HTTP requests, the most frequent first."""
        return names_by_count(self._tagged_series)

    def timeline(self, name: str) -> tuple[Point, ...] | None:
        """Return the metric `name` second by second; None if that is not kept."""
        timeline = self._timelines.get(name)
        return timeline.points() if timeline is not None else () if name in KEPT else None

    def plan_vus(self, vus: int, elapsed: float) -> None:
        """Note for the timeline how many virtual users the plan has now."""
        self.advance(elapsed)
        self._load_timeline.plan_vus(vus)

    def load_timeline(self, since: int = 0) -> LoadTimeline:
        """Return a copy of the timeline of the load test, see `LoadTimeline.copy`."""
        return self._load_timeline.copy(since)

    def settle(self) -> None:
        """Make the engine one that is only read; call it after the last batch."""
        self._settled = True
        self._load_timeline.settle()
        for window in self._windows.values():
            window.forget()
        for store in self._stores.values():
            store.settle()
        self._memory.close()

    def _describe(
        self, view: View, elapsed: float, asked: Iterable[Aggregation] = ()
    ) -> MetricSnapshot:
        seen, selection = "", view.selection
        if selection.filter is not None and not view.sink.count:
            series = self._stores[selection.metric.name].series
            seen = tags_seen(selection.filter, map(self._tags.__getitem__, series))
        return describe(view, elapsed, self._evaluations.get(view.id, ()), asked, seen=seen)

    def _store(self, metric: Metric) -> MetricStore:
        store = self._stores.get(metric.name)
        if store is None:
            store = self._stores[metric.name] = MetricStore(metric, self._tags, self._memory)
            self._follow(store)
            if metric.name == built_in.HTTP_REQ_DURATION.name:
                store.keep(Selection(metric, _EXPECTED_RESPONSES))
        return store

    def _evaluation(self, threshold: Threshold, view: View) -> ThresholdEvaluation:
        if threshold.window is None:
            return ThresholdEvaluation(threshold, view)
        key = (view.id, threshold.window.after, threshold.window.over_last)
        windowed = self._windows.get(key)
        if windowed is None:
            windowed = self._windows[key] = WindowedSink(
                threshold.metric, threshold.window, self._memory
            )
            view.followers.append(windowed)
        return WindowedEvaluation(threshold, view, threshold.window, windowed)

    def advance(self, elapsed: float) -> None:
        """Let time pass: what there was up to `elapsed`, in seconds of test-run time, is known."""
        began = self._load_began_at
        for window in self._windows.values():
            window.advance(None if began is None else elapsed - began)
        for timeline in self._timelines.values():
            timeline.now = elapsed
        self._load_timeline.advance(elapsed)
        self.elapsed = elapsed

    def _follow(self, store: MetricStore) -> None:
        if store.metric.name in KEPT:
            timeline = self._timelines[store.metric.name] = Timeline(store.metric)
            timeline.now = self.elapsed
            store.whole.followers.append(timeline)

    def _list(self, selection: Selection) -> View:
        store = self._store(selection.metric)
        view = store.keep(selection)
        store.whole.listed = view.listed = True
        return view

    def _visible_views(self) -> Iterator[View]:
        for store in self._stores.values():
            for view in store.views:
                if view.is_visible:
                    yield view

    def _all_evaluations(self) -> list[ThresholdEvaluation]:
        return [evaluation for some in self._evaluations.values() for evaluation in some]

    def _series_of(self, metric: Metric) -> Mapping[int, Sink]:
        store = self._stores.get(metric.name)
        return store.series if store is not None else {}

    def _tagged_series(self, metric: Metric) -> Iterator[tuple[Mapping[str, str], Sink]]:
        return ((self._tags[number], sink) for number, sink in self._series_of(metric).items())

    def _guard_series(self) -> None:
        for name, store in self._stores.items():
            self._doubts.look_at(name, store.series)

    def _warnings(self) -> Iterator[str]:
        yield from self._doubts.crowded()
        for view in self._visible_views():
            if isinstance(view.sink, TrendSink) and view.sink.digits is not None:
                yield reduced_resolution(view.id, view.sink.digits, self._memory.limit)
        yield from self._doubts.refused()
