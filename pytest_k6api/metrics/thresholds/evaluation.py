"""Evaluation of thresholds: k6's rules for the middle of a run, ours for its end.

| the sink is empty | in the middle                 | at the end             |
|-------------------|-------------------------------|------------------------|
| k6                | not judged, keeps its verdict | judged by 0; an unused rate passes |
| here              | not judged, keeps its verdict | a counter counted 0, which is judged; all others fail |
| here, optional, or cut short | not judged, keeps its verdict | not judged |

k6's end lets ``http_req_failed: rate<0.1`` pass when no request was made; a
green test would then mean nothing. A counter that was never fed is a
measurement all the same: ``dropped_iterations: count<1`` holds.

A threshold with a window is judged by what is in the window, once the load has
lasted long enough to fill it. What slides or has patience stays crossed: the
last window says nothing of those before it, and nothing fails silently.

Source: k6 v1.1.0, ``internal/metrics/engine/engine.go``, ``evaluateThresholds``.
"""

from dataclasses import dataclass, replace

from pytest_k6api.metrics.sinks.simple import measure
from pytest_k6api.metrics.sinks.windowed import WindowedSink
from pytest_k6api.metrics.snapshot import ThresholdSnapshot
from pytest_k6api.metrics.store import View
from pytest_k6api.metrics.thresholds.expression import Threshold
from pytest_k6api.metrics.thresholds.window import Window
from pytest_k6api.model import MetricKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSummary:
    """The results of one evaluation of all thresholds.

    Attributes:
        failed: The thresholds that do not hold now.
        crossed: Those of them that held, or were not judged, the time before.
        aborting: Those of the failed that ask to end the load test now.
    """

    failed: tuple[ThresholdSnapshot, ...] = ()
    crossed: tuple[ThresholdSnapshot, ...] = ()
    aborting: tuple[ThresholdSnapshot, ...] = ()

    @property
    def tainted(self) -> bool:
        """Whether any threshold does not hold."""
        return bool(self.failed)

    @property
    def abort(self) -> bool:
        """Whether the load test is to end now."""
        return bool(self.aborting)


class ThresholdEvaluation:
    """One threshold over the samples it is about, and its last verdict.

    Attributes:
        threshold: The condition.
        ok: Whether it held; None before the first evaluation.
        was_ok: The same, one evaluation earlier.
        is_optional: Whether the end leaves it unjudged if there was no sample.
    """

    __slots__ = ("_observed", "_samples", "_view", "is_optional", "ok", "threshold", "was_ok")

    def __init__(self, threshold: Threshold, view: View) -> None:
        self.threshold = threshold
        self.ok: bool | None = None
        self.was_ok: bool | None = None
        self.is_optional = threshold.is_optional
        self._view = view
        self._observed: float | None = None
        self._samples = 0

    def evaluate(self, elapsed: float, *, final: bool) -> None:
        """Judge the samples there are.

        Args:
            elapsed: Seconds of test-run time.
            final: Whether the load test has ended; see the table above.
        """
        self.was_ok = self.ok
        sink = self._view.sink
        if sink.count:
            self._samples = sink.count
            self._observed = measure(sink, self.threshold.aggregation, elapsed)
            self.ok = self.threshold.holds(self._observed)
        elif final and self.is_optional:
            return
        elif final and self.threshold.metric.kind is MetricKind.COUNTER:
            self._observed = 0.0
            self.ok = self.threshold.holds(0.0)
        elif final:
            self.ok = False

    def is_aborting(self, elapsed: float) -> bool:
        """Tell whether it fails, and failing is to end the load test at this time."""
        delay = self.threshold.delay_abort_eval
        return (
            self.ok is False and self.threshold.abort_on_fail and (delay is None or delay < elapsed)
        )

    def snapshot(self) -> ThresholdSnapshot:
        """Return the threshold and its last verdict as a value."""
        return ThresholdSnapshot(
            metric=self.threshold.metric_id,
            source=self.threshold.source,
            ok=self.ok,
            observed=self._observed,
            samples=self._samples,
            abort_on_fail=self.threshold.abort_on_fail,
        )


class WindowedEvaluation(ThresholdEvaluation):
    """A threshold over a window of the load, and its last verdict.

    Args:
        threshold: A condition with a window.
        view: All samples of its metric, which tell whether there ever was one.
        windowed: Those in the window.
    """

    __slots__ = (
        "_crossed_at",
        "_failing_since",
        "_is_over",
        "_is_told",
        "_window",
        "_windowed",
    )

    def __init__(
        self, threshold: Threshold, view: View, window: Window, windowed: WindowedSink
    ) -> None:
        super().__init__(threshold, view)
        self._window = window
        self._windowed = windowed
        self._failing_since: float | None = None
        self._crossed_at: float | None = None
        self._is_over = False
        self._is_told = False

    def evaluate(self, elapsed: float, *, final: bool) -> None:
        """Judge the samples in the window, unless the load has ended: then that has been done.

        Args:
            elapsed: Seconds of test-run time.
            final: Whether the load has ended.
        """
        if self._is_over:
            # The result at the end of the load is new once more, for the final summary.
            self.was_ok, self._is_told = (self.ok if self._is_told else self.was_ok), True
            return
        self.was_ok = self.ok
        self._is_over = final
        if self._windowed.now is not None and (final or self._windowed.is_full):
            self._judge(elapsed, final=final)
        if final and self.ok is None and not self.is_optional:
            self.ok = False

    def is_aborting(self, elapsed: float) -> bool:
        """Tell whether it fails now, and not only did so once, and that is to end the load test."""
        return self._failing_since is not None and super().is_aborting(elapsed)

    def snapshot(self) -> ThresholdSnapshot:
        """Return the threshold and its last verdict as a value."""
        return replace(super().snapshot(), window=self._window.text, crossed_at=self._crossed_at)

    def _judge(self, elapsed: float, *, final: bool) -> None:
        sink, seconds = self._windowed.read()
        is_counter = self.threshold.metric.kind is MetricKind.COUNTER
        # A counter that stands still has been told 0, once it was told anything.
        if not sink.count and not (is_counter and (final or self._view.sink.count)):
            return
        observed = measure(sink, self.threshold.aggregation, seconds)
        holds = self.threshold.holds(observed)
        if holds:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = elapsed
        is_crossed = not holds and self._has_failed_for(elapsed) >= self._window.for_at_least
        if self._crossed_at is None:
            self._observed, self._samples = observed, sink.count
        if is_crossed and self._window.is_lasting and self._crossed_at is None:
            self._crossed_at = elapsed
        self.ok = not is_crossed and self._crossed_at is None

    def _has_failed_for(self, elapsed: float) -> float:
        return elapsed - self._failing_since if self._failing_since is not None else 0.0


def summarize(evaluations: list[ThresholdEvaluation], elapsed: float) -> EvaluationSummary:
    """Return what the last evaluation of `evaluations` says together."""
    failed = [evaluation for evaluation in evaluations if evaluation.ok is False]
    return EvaluationSummary(
        failed=tuple(evaluation.snapshot() for evaluation in failed),
        crossed=tuple(
            evaluation.snapshot() for evaluation in failed if evaluation.was_ok is not False
        ),
        aborting=tuple(
            evaluation.snapshot() for evaluation in failed if evaluation.is_aborting(elapsed)
        ),
    )
