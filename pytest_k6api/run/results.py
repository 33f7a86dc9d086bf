"""Results of one load test: the one object that the plugin, the control API and reports ask.

While the load test runs, its loop alone asks, and gets what is known by then. After
the end any thread may ask: nothing is written any more. `RunResults.live` is an
immutable value, published 20 times a second, that any thread may read at any time.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_k6api.metrics import (
    FailureSeries,
    LoadTimeline,
    MetricsEngine,
    MetricSnapshot,
    MetricTotal,
    Point,
    RequestsRow,
    Snapshot,
    TracedRequest,
)
from pytest_k6api.model import LoadTestOptions, ScenarioSnapshot, StatusSnapshot, WorkerStatus
from pytest_k6api.run.verdict import failing, those_that_count
from pytest_k6api.vu import FailedRequests, Failure, name_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """State of a load test as last published, for any thread.

    Attributes:
        status: Its status.
        scenarios: Its scenarios, in the order of start time and name.
        failures: Its failures, most frequent first; as old as `snapshot`.
        snapshot: Everything measured; at most some seconds old.
        workers: Its workers, in the order of their numbers.
    """

    status: StatusSnapshot
    scenarios: tuple[ScenarioSnapshot, ...]
    workers: tuple[WorkerStatus, ...]
    failures: tuple[Failure, ...]
    snapshot: Snapshot

    def load_timeline(self, _since: int = 0, /) -> None:
        """Return None: a timeline is not published."""

    def query(self, metric_id: str, _stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return a metric of the snapshot; None if it is not among them."""
        return self.snapshot.metrics.get(metric_id)


class ResultsSource(Protocol):
    """A load test that runs, as `RunResults` reads it."""

    @property
    def elapsed(self) -> float:
        """Seconds of test-run time."""

    def take_in(self) -> None:
        """Move rows that virtual users wrote into the engine."""

    def status(self) -> StatusSnapshot:
        """Return the status as of now."""

    def scenarios(self) -> tuple[ScenarioSnapshot, ...]:
        """Return the scenarios as of now, in the order of start time and name."""

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Return the state of each worker; none where the load comes from this process."""

    def vu_failures(self) -> tuple[Failure, ...]:
        """Return the grouped failures inside virtual users."""

    def warnings(self) -> tuple[str, ...]:
        """Return warnings beside those of the engine, one sentence each."""

    def slowest(self) -> tuple[TracedRequest, ...]:
        """Return the slowest requests that have a trace, the slowest first."""


class RunResults:
    """Results of one load test, as of now while it runs, final from `settle` on.

    Attributes:
        live: State as last published; any thread may read it.

    Args:
        source: The load test that runs.
        engine: The metrics.
        requests: Failed requests by kind.
        options: Which failures do not fail the load test.
    """

    def __init__(
        self,
        source: ResultsSource,
        engine: MetricsEngine,
        requests: FailedRequests,
        options: LoadTestOptions,
    ) -> None:
        self._source: ResultsSource | None = source
        self._engine = engine
        self._requests = requests
        self._options = options
        self.live = self._freeze(self._snapshot_now(source))

    @property
    def status(self) -> StatusSnapshot:
        """The status."""
        return self._source.status() if self._source else self.live.status

    @property
    def scenarios(self) -> tuple[ScenarioSnapshot, ...]:
        """The scenarios, in the order of start time and name."""
        return self._source.scenarios() if self._source else self.live.scenarios

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """The workers, in the order of their numbers; none where the load comes from one process."""
        return self._source.workers() if self._source else self.live.workers

    @property
    def elapsed(self) -> float:
        """Seconds of test-run time."""
        return self._source.elapsed if self._source else self.live.snapshot.elapsed

    @property
    def snapshot(self) -> Snapshot:
        """Everything measured, as last published."""
        return self.live.snapshot

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The grouped failures, most frequent first; what sums up the rest last."""
        if self._source is None:
            return self.live.failures
        requests = self._requests.failures(self._engine.failed_requests())
        failures = (*self._source.vu_failures(), *requests)
        return tuple(sorted(failures, key=lambda each: (each.is_rest, -each.count)))

    def snapshot_steps(self) -> Generator[None, None, Snapshot]:
        """Return everything measured; yield after each metric, so that virtual users can run."""
        if self._source is None:
            return self.live.snapshot
        self._source.take_in()
        elapsed, known = self.elapsed, self._engine.elapsed
        metrics: dict[str, MetricSnapshot] = {}
        for metric_id, metric in self._engine.describe_each(known):
            metrics[metric_id] = metric
            yield
        snapshot = self._engine.assemble(elapsed, metrics)
        return self._with_remarks(snapshot, self._source)

    def query(self, metric_id: str, stats: Sequence[str] = ()) -> MetricSnapshot | None:
        """Return one metric with any tag filter; see `MetricsEngine.query`.

        Raises:
            MetricError: The filter or one of `stats` cannot be read.
        """
        if self._source is not None:
            self._source.take_in()
        return self._engine.query(metric_id, self._engine.elapsed, stats)

    def totals(self, also: Iterable[str] = ()) -> Mapping[str, MetricTotal]:
        """Return the sinks of every listed metric; see `MetricsEngine.totals`."""
        return self._engine.totals(also)

    def requests_by_name(self) -> tuple[RequestsRow, ...]:
        """Return the HTTP requests by name; see `MetricsEngine.requests_by_name`."""
        return self._engine.requests_by_name(self._engine.elapsed)

    def requests_in_steps(self, most: int) -> Generator[None, None, tuple[RequestsRow, ...]]:
        """Return the HTTP requests by name, at any time; see `MetricsEngine.requests_in_steps`."""
        return self._engine.requests_in_steps(self._engine.elapsed, most)

    def request_names(self) -> list[str]:
        """Return the names of the HTTP requests, the most frequent first."""
        return self._engine.request_names()

    def timeline(self, name: str) -> tuple[Point, ...] | None:
        """Return a metric second by second, or None if that is not kept."""
        return self._engine.timeline(name)

    def load_timeline(self, since: int = 0, /) -> LoadTimeline:
        """Return a copy of the timeline of the whole load test."""
        return self._engine.load_timeline(since)

    def failures_that_count(self, scenario: str) -> tuple[Failure, ...]:
        """Return those failures of `scenario` that fail the load test."""
        unjudged = self._engine.unjudged(scenario)
        failures = (each for each in self.failures if each.scenario == scenario)
        return those_that_count(failures, failing(unjudged, self._options))

    def unjudged_requests(self) -> dict[str, str]:
        """Return the kinds of failures that no threshold is about in one line, by their rate."""
        by_rate: dict[str, list[FailureSeries]] = {}
        for series in self._engine.failed_requests():
            if not series.is_judged:
                by_rate.setdefault(series.metric, []).append(series)
        return {rate: name_kinds(self._requests.failures(some)) for rate, some in by_rate.items()}

    def publish(self, snapshot: Snapshot | None = None) -> None:
        """Publish status and scenarios as of now; with `snapshot`, it and the failures too."""
        if snapshot is not None:
            self.live = self._freeze(snapshot)
        else:
            self.live = replace(
                self.live, status=self.status, scenarios=self.scenarios, workers=self.workers
            )

    def settle(self) -> None:
        """Publish the final state, and let go of the load test; call it once, after its end."""
        if self._source is not None:
            self.live = self._freeze(self._snapshot_now(self._source))
            self._source = None

    def _snapshot_now(self, source: ResultsSource) -> Snapshot:
        return self._with_remarks(self._engine.snapshot(self.elapsed), source)

    def _with_remarks(self, snapshot: Snapshot, source: ResultsSource) -> Snapshot:
        warnings = (*source.warnings(), *snapshot.warnings)
        return replace(snapshot, warnings=warnings, slowest=source.slowest())

    def _freeze(self, snapshot: Snapshot) -> LiveState:
        return LiveState(
            status=self.status,
            scenarios=self.scenarios,
            workers=self.workers,
            failures=self.failures,
            snapshot=snapshot,
        )
