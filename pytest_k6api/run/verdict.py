"""Whether a load test passed, and in plain words why not. Pure.

pytest's promise is that a green test means that nothing went wrong, so nothing
fails silently: a crossed threshold, an iteration that raised, a failed check,
or an early end fails the load test. A threshold on ``checks`` or on
``iteration_failures`` replaces zero tolerance for that one by what it states.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_k6api.metrics import Snapshot, ThresholdSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a load test.

    Attributes:
        reasons: Why it failed, one sentence each; empty if it passed.
        interrupted: Whether it was ended before its time.
    """

    reasons: tuple[str, ...]
    interrupted: bool = False

    @property
    def outcome(self) -> str:
        """``passed``, ``failed`` or ``interrupted``."""
        if self.interrupted:
            return "interrupted"
        return "failed" if self.reasons else "passed"

    def with_trouble(self, reasons: Iterable[str]) -> "Verdict":
        """Return this verdict with more `reasons`, which came up after it was found."""
        return replace(self, reasons=(*self.reasons, *reasons))


def judge(
    snapshot: Snapshot,
    *,
    checks_fail: bool,
    ended_early: str = "",
    trouble: tuple[str, ...] = (),
    worse: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on everything measured.

    Args:
        snapshot: The last one, after the final evaluation of the thresholds.
        checks_fail: Whether a failed check fails the load test.
        ended_early: Why it was ended before its time; empty if it was not.
        trouble: What else went wrong, such as a teardown that raised.
        worse: In what it is too much worse than its baseline.
    """
    reasons = [
        *([ended_early] if ended_early else []),
        *trouble,
        *_threshold_reasons(snapshot),
        *worse,
        *_iteration_reasons(snapshot),
        *(_check_reasons(snapshot) if checks_fail else ()),
    ]
    return Verdict(reasons=tuple(reasons), interrupted=bool(ended_early))


def _threshold_reasons(snapshot: Snapshot) -> Iterator[str]:
    for threshold in snapshot.thresholds:
        if threshold.ok is False:
            yield f"the threshold {threshold.metric}: {threshold.text} was crossed{_how(threshold)}"


def _how(threshold: ThresholdSnapshot) -> str:
    if threshold.crossed_at is not None:
        return f" at {threshold.crossed_at:.1f} s"
    if threshold.observed is None:
        window = " in its window" if threshold.window else ""
        seen = f"; {threshold.seen}" if threshold.seen else ""
        return f"; its metric had no samples{window}{seen}"
    return ""


def _iteration_reasons(snapshot: Snapshot) -> Iterator[str]:
    failures = snapshot.metrics.get("iteration_failures")
    if failures is None or _is_judged(snapshot, "iteration_failures"):
        return
    failed = int(failures.extra["passes"])  # a failure is a non-zero sample
    if failed:
        yield f"{failed:,} of {failures.samples:,} iterations raised an exception"


def _check_reasons(snapshot: Snapshot) -> Iterator[str]:
    checks = snapshot.metrics.get("checks")
    if checks is None or _is_judged(snapshot, "checks"):
        return
    failed = int(checks.extra["fails"])
    if failed:
        yield f"{failed:,} of {checks.samples:,} checks failed"


def _is_judged(snapshot: Snapshot, name: str) -> bool:
    return any(metric.thresholds for metric in snapshot.metrics.values() if metric.name == name)
