"""State of the engine at one moment, as immutable values for any thread.

Snapshots are what the API, the terminal, the reports and the ``k6`` fixture
see; none of them ever touches the engine itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_k6api.metrics.slowest import TracedRequest
from pytest_k6api.model import Contains, MetricKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdSnapshot:
    """One threshold and how its last evaluation went.

    Attributes:
        metric: The metric's name with its filter, as the user wrote it.
        source: The expression, as the user wrote it.
        ok: Whether it held; None before the first evaluation.
        observed: The number it was last judged by, in the metric's unit.
        samples: How many samples that number rests on.
        abort_on_fail: Whether crossing it ends the load test.
        window: Which part of the load it looks at, in words; empty for all of it.
        seen: Of a filter that no sample passed, which tags samples had instead.
        crossed_at: When a window was crossed for the first time, in seconds of
            test-run time; such a threshold stays crossed.
    """

    metric: str
    source: str
    ok: bool | None
    observed: float | None = None
    samples: int = 0
    abort_on_fail: bool = False
    window: str = ""
    seen: str = ""
    crossed_at: float | None = None

    @property
    def text(self) -> str:
        """The expression with its window, which tells it from all others of its metric."""
        return f"{self.source} {self.window}" if self.window else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSnapshot:
    """One metric, or one of its sub-metrics.

    Attributes:
        id: The name, with the tag filter of a sub-metric as it was written.
        name: The name without a filter.
        sample: k6's numbers: counter ``count, rate``; gauge ``value``; rate
            ``rate``; trend ``avg, max, med, min, p(90), p(95)``. Times in ms.
        extra: What the summary and reports want beside: gauge ``min, max``; rate
            ``passes, fails``; trend ``count, sum, p(50), p(99)``.
        samples: How many samples it rests on.
        tainted: None without threshold or before the first evaluation, else
            whether one of them failed at the last.
        thresholds: Those that were written for exactly this id.
    """

    id: str
    name: str
    kind: MetricKind
    contains: Contains
    sample: Mapping[str, float]
    extra: Mapping[str, float]
    samples: int
    tainted: bool | None = None
    thresholds: tuple[ThresholdSnapshot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSnapshot:
    """One check of one group, counted."""

    id: str
    path: str
    name: str
    passes: int
    fails: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSnapshot:
    """A group with what is inside; the root has the path ``""``."""

    id: str
    path: str
    name: str
    checks: tuple[CheckSnapshot, ...] = ()
    groups: tuple["GroupSnapshot", ...] = ()

    def walk(self) -> Iterator["GroupSnapshot"]:
        """Yield this group and all below it, parents first."""
        yield self
        for group in self.groups:
            yield from group.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Samples of a rate that no threshold is about, by their tags.

    Attributes:
        failed: How many of them tell of something that went wrong.
        samples: How many there are.
    """

    failed: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything measured up to one moment.

    Attributes:
        elapsed: Seconds of test-run time (since before setup, less pauses).
        metrics: By id, in the order of first appearance. Listed are metrics with
            a sample, those that thresholds name, and their parents.
        root: The tree of groups and checks.
        tainted: Whether any threshold failed at the last evaluation.
        warnings: What the engine wants people to know, such as too many series.
        slowest: The slowest requests that have a trace, the slowest first; none without traces.
        unjudged: For the rates of `FAILURE_RATES` (``checks``, ``http_req_failed``, …), the
            samples that no threshold covers; those of setup and teardown included.
    """

    elapsed: float
    metrics: Mapping[str, MetricSnapshot]
    root: GroupSnapshot
    tainted: bool = False
    warnings: tuple[str, ...] = field(default=())
    slowest: tuple[TracedRequest, ...] = ()
    unjudged: Mapping[str, Unjudged] = field(default_factory=dict)

    @property
    def thresholds(self) -> Iterator[ThresholdSnapshot]:
        """Every threshold, in the order of the metrics."""
        for metric in self.metrics.values():
            yield from metric.thresholds
