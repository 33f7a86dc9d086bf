"""Whether a load test passed, and in plain words why not."""

from typing import Any

import pytest

from pytest_k6api.metrics import GroupSnapshot, MetricSnapshot, Snapshot, ThresholdSnapshot
from pytest_k6api.model import BUILT_IN
from pytest_k6api.run.verdict import judge

KINDS = {metric.name: metric for metric in BUILT_IN}


def metric(
    metric_id: str, *, passes: int = 0, fails: int = 0, thresholds: tuple[Any, ...] = ()
) -> MetricSnapshot:
    name = metric_id.partition("{")[0]
    return MetricSnapshot(
        id=metric_id,
        name=name,
        kind=KINDS[name].kind,
        contains=KINDS[name].contains,
        sample={},
        extra={"passes": passes, "fails": fails},
        samples=passes + fails,
        thresholds=thresholds,
    )


def threshold(ok: bool | None, observed: float | None = 1.0) -> ThresholdSnapshot:
    return ThresholdSnapshot(metric="http_reqs", source="count>2", ok=ok, observed=observed)


def snapshot_of(*metrics: MetricSnapshot) -> Snapshot:
    root = GroupSnapshot(id="", path="", name="")
    return Snapshot(elapsed=1.0, metrics={each.id: each for each in metrics}, root=root)


GOOD = snapshot_of(
    metric("http_reqs", thresholds=(threshold(ok=True),)),
    metric("checks", passes=5),
    metric("iteration_failures", fails=5),
    metric("http_req_failed", passes=5),
)


def test_nothing_wrong_passes():
    verdict = judge(GOOD, checks_fail=True)

    assert (verdict.outcome, verdict.reasons) == ("passed", ())


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (
            metric("http_reqs", thresholds=(threshold(ok=False),)),
            "the threshold http_reqs: count>2 was crossed",
        ),
        (
            metric("http_reqs", thresholds=(threshold(ok=False, observed=None),)),
            "the threshold http_reqs: count>2 was crossed; its metric had no samples",
        ),
        (
            metric("iteration_failures", passes=1_500, fails=500),
            "1,500 of 2,000 iterations raised an exception",
        ),
        (metric("checks", passes=2, fails=1), "1 of 3 checks failed"),
    ],
)
def test_each_thing_that_went_wrong_is_a_reason(measured: MetricSnapshot, reason: str):
    verdict = judge(snapshot_of(measured), checks_fail=True)

    assert (verdict.outcome, verdict.reasons) == ("failed", (reason,))


def test_checks_that_are_only_recorded_are_no_reason():
    verdict = judge(snapshot_of(metric("checks", fails=3)), checks_fail=False)

    assert verdict.outcome == "passed"


@pytest.mark.parametrize("judged", ["checks", "iteration_failures", "checks{group:::visit}"])
def test_a_threshold_replaces_zero_tolerance(judged: str):
    name = judged.partition("{")[0]
    wrong = metric(name, passes=1, fails=1)
    tolerant = metric(judged, passes=1, fails=1, thresholds=(threshold(ok=True),))

    assert judge(snapshot_of(wrong), checks_fail=True).outcome == "failed"
    assert judge(snapshot_of(wrong, tolerant), checks_fail=True).outcome == "passed"


def test_a_threshold_that_was_not_judged_is_no_reason():
    verdict = judge(
        snapshot_of(metric("http_reqs", thresholds=(threshold(ok=None),))), checks_fail=True
    )

    assert verdict.outcome == "passed"


def test_who_ended_it_early_comes_first_and_makes_it_interrupted():
    verdict = judge(
        snapshot_of(metric("checks", fails=1)),
        checks_fail=True,
        ended_early="stopped early: by hand",
        trouble=("teardown failed: no",),
    )

    assert verdict.interrupted
    assert verdict.outcome == "interrupted"
    assert verdict.reasons == (
        "stopped early: by hand",
        "teardown failed: no",
        "1 of 1 checks failed",
    )


def test_trouble_alone_fails():
    assert judge(GOOD, checks_fail=True, trouble=("setup failed: no",)).outcome == "failed"


def test_trouble_that_comes_up_later_fails_what_passed_and_keeps_what_was_interrupted():
    passed = judge(GOOD, checks_fail=True)
    interrupted = judge(GOOD, checks_fail=True, ended_early="stopped early: by hand")

    assert passed.with_trouble([]).outcome == "passed"
    assert passed.with_trouble(["disk full"]).outcome == "failed"
    assert interrupted.with_trouble(["disk full"]).outcome == "interrupted"
    assert interrupted.with_trouble(["disk full"]).reasons[-1] == "disk full"
