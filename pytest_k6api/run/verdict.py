"""The verdict on a load test: passed, failed or interrupted, with reasons in plain words. Pure.

A green test means that nothing went wrong, so nothing fails silently: a crossed
threshold, an iteration that raised, a failed check, a failed request, session or call,
or an early end fails the load test. A threshold on ``checks``, ``iteration_failures`` or
the rate of a protocol, such as ``http_req_failed``, replaces zero tolerance by its own
limit, for the samples that it covers.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pytest_k6api.metrics import MetricSnapshot, Snapshot, ThresholdSnapshot, Unjudged
from pytest_k6api.model import PROTOCOLS, LoadTestOptions
from pytest_k6api.report import observed_text
from pytest_k6api.vu import Failure, FailureKind

# The rates that count failures, which thresholds may allow; others always fail a load test.
_RATES = {
    FailureKind.ITERATION: "iteration_failures",
    FailureKind.CHECK: "checks",
    **{FailureKind(protocol.noun): protocol.failed.name for protocol in PROTOCOLS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a load test.

    Attributes:
        reasons: Why it failed, one sentence each; empty if it passed.
        interrupted: True if it was ended before its time.
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
        """Return this verdict with further `reasons`, found later."""
        return replace(self, reasons=(*self.reasons, *reasons))


def judge(
    snapshot: Snapshot,
    *,
    options: LoadTestOptions,
    kinds: Mapping[str, str] = MappingProxyType({}),
    has_failed_fast: bool = False,
    ended_early: str = "",
    trouble: tuple[str, ...] = (),
    worse: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on a load test that has ended.

    Args:
        snapshot: The last one, after the final evaluation of the thresholds.
        options: Which failures do not fail it.
        kinds: The kinds of failures that no threshold covers in one line, by the rate of
            their protocol.
        has_failed_fast: Whether it ended itself at its first failure.
        ended_early: Why it was ended before its time; empty if it was not.
        trouble: Other failures, such as a teardown that raised.
        worse: Rules of the comparison with its baseline that it broke.
    """
    ended_early = "" if has_failed_fast else ended_early
    reasons = [
        *([ended_early] if ended_early else []),
        *trouble,
        *_threshold_reasons(snapshot),
        *worse,
        *_failure_reasons(snapshot.unjudged, options, kinds),
    ]
    if has_failed_fast:
        reasons.append(f"fail_fast: ended at the first failure, after {snapshot.elapsed:.1f} s")
    return Verdict(reasons=tuple(reasons), interrupted=bool(ended_early))


def _threshold_reasons(snapshot: Snapshot) -> Iterator[str]:
    for metric in snapshot.metrics.values():
        for threshold in metric.thresholds:
            if threshold.ok is False:
                crossed = f"the threshold {threshold.metric}: {threshold.text} was crossed"
                yield f"{crossed}{_how(threshold, metric)}"


def _how(threshold: ThresholdSnapshot, metric: MetricSnapshot) -> str:
    if threshold.observed is not None:
        return f": {observed_text(threshold, metric)}"
    window = " in its window" if threshold.window else ""
    seen = f"; {threshold.seen}" if threshold.seen else ""
    return f"; its metric had no samples{window}{seen}"


def _failure_reasons(
    unjudged: Mapping[str, Unjudged], options: LoadTestOptions, kinds: Mapping[str, str]
) -> Iterator[str]:
    texts = {
        "iteration_failures": "iterations raised an exception",
        "checks": "checks failed",
        **{
            protocol.failed.name: f"{protocol.failures} failed:"
            f" {kinds.get(protocol.failed.name, '')}"
            for protocol in PROTOCOLS
        },
    }
    failures = failing(unjudged, options)
    for name, text in texts.items():
        if name in failures:
            yield f"{failures[name].failed:,} of {failures[name].samples:,} {text}"


def those_that_count(failures: Iterable[Failure], rates: Container[str]) -> tuple[Failure, ...]:
    """Return those of `failures` that fail a load test because of what `failing` returned."""
    return tuple(each for each in failures if each.kind not in _RATES or _RATES[each.kind] in rates)


def failing(unjudged: Mapping[str, Unjudged], options: LoadTestOptions) -> dict[str, Unjudged]:
    """Return those of the rates in `unjudged` that fail a load test with these `options`."""
    consequences = {
        "checks": options.checks,
        **{protocol.failed.name: options.requests for protocol in PROTOCOLS},
    }
    return {
        name: each
        for name, each in unjudged.items()
        if each.failed and consequences.get(name) != "record"
    }
