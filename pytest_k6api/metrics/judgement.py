"""Whether thresholds hold: k6's rules for the middle of a run, ours for its end.

| the sink is empty | in the middle                 | at the end             |
|-------------------|-------------------------------|------------------------|
| k6                | not judged, keeps its verdict | judged by 0; an unused rate passes |
| here              | not judged, keeps its verdict | a counter counted 0, which is judged; all others fail |

k6's end lets ``http_req_failed: rate<0.1`` pass when no request was made; a
green test would then mean nothing. A counter that was never fed is a
measurement all the same: ``dropped_iterations: count<1`` holds.

Source: k6 v1.1.0, ``internal/metrics/engine/engine.go``, ``evaluateThresholds``.
"""

from dataclasses import dataclass

from pytest_k6api.metrics.sinks import Sink, measure
from pytest_k6api.metrics.snapshot import ThresholdSnapshot
from pytest_k6api.metrics.threshold import Threshold
from pytest_k6api.model import MetricKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one evaluation of all thresholds went.

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


class Judgement:
    """One threshold over the samples it is about, and its last verdict.

    Attributes:
        threshold: The condition.
        ok: Whether it held; None before the first evaluation.
        was_ok: The same, one evaluation earlier.
    """

    __slots__ = ("_observed", "_samples", "_sink", "ok", "threshold", "was_ok")

    def __init__(self, threshold: Threshold, sink: Sink) -> None:
        self.threshold = threshold
        self.ok: bool | None = None
        self.was_ok: bool | None = None
        self._sink = sink
        self._observed: float | None = None
        self._samples = 0

    def evaluate(self, elapsed: float, *, final: bool) -> None:
        """Judge the samples there are.

        Args:
            elapsed: Seconds of test-run time.
            final: Whether the load test has ended; see the table above.
        """
        self.was_ok = self.ok
        if self._sink.count:
            self._samples = self._sink.count
            self._observed = measure(self._sink, self.threshold.aggregation, elapsed)
            self.ok = self.threshold.holds(self._observed)
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


def sum_up(judgements: list[Judgement], elapsed: float) -> Verdict:
    """Return what the last evaluation of `judgements` says together."""
    failed = [judgement for judgement in judgements if judgement.ok is False]
    return Verdict(
        failed=tuple(judgement.snapshot() for judgement in failed),
        crossed=tuple(
            judgement.snapshot() for judgement in failed if judgement.was_ok is not False
        ),
        aborting=tuple(
            judgement.snapshot() for judgement in failed if judgement.is_aborting(elapsed)
        ),
    )
