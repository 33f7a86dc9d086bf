"""Whether a load test passed, and in plain words why not."""

from typing import Any

import pytest

from pytest_k6api.metrics import (
    GroupSnapshot,
    MetricSnapshot,
    Snapshot,
    ThresholdSnapshot,
    Unjudged,
)
from pytest_k6api.model import BUILT_IN, LoadTestOptions
from pytest_k6api.run.verdict import judge

KINDS = {metric.name: metric for metric in BUILT_IN}


def metric(metric_id: str, *, thresholds: tuple[Any, ...] = ()) -> MetricSnapshot:
    name = metric_id.partition("{")[0]
    return MetricSnapshot(
        id=metric_id,
        name=name,
        kind=KINDS[name].kind,
        contains=KINDS[name].contains,
        sample={},
        extra={},
        samples=0,
        thresholds=thresholds,
    )


def threshold(ok: bool | None, observed: float | None = 1.0) -> ThresholdSnapshot:
    return ThresholdSnapshot(metric="http_reqs", source="count>2", ok=ok, observed=observed)


def snapshot_of(*metrics: MetricSnapshot, **unjudged: tuple[int, int]) -> Snapshot:
    root = GroupSnapshot(id="", path="", name="")
    return Snapshot(
        elapsed=1.0,
        metrics={each.id: each for each in metrics},
        root=root,
        unjudged={
            name: Unjudged(failed=failed, samples=samples)
            for name, (failed, samples) in unjudged.items()
        },
    )


GOOD = snapshot_of(
    metric("http_reqs", thresholds=(threshold(ok=True),)),
    checks=(0, 5),
    iteration_failures=(0, 5),
    http_req_failed=(0, 5),
)


def test_nothing_wrong_passes():
    verdict = judge(GOOD, options=LoadTestOptions())

    assert (verdict.outcome, verdict.reasons) == ("passed", ())


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (
            snapshot_of(metric("http_reqs", thresholds=(threshold(ok=False),))),
            "the threshold http_reqs: count>2 was crossed: count=1",
        ),
        (
            snapshot_of(metric("http_reqs", thresholds=(threshold(ok=False, observed=None),))),
            "the threshold http_reqs: count>2 was crossed; its metric had no samples",
        ),
        (
            snapshot_of(iteration_failures=(1_500, 2_000)),
            "1,500 of 2,000 iterations raised an exception",
        ),
        (snapshot_of(checks=(1, 3)), "1 of 3 checks failed"),
        (
            snapshot_of(http_req_failed=(68, 120)),
            "68 of 120 requests failed: 48x 503 GET flaky; 20x 404 GET /x",
        ),
    ],
)
def test_each_thing_that_went_wrong_is_a_reason(measured: Snapshot, reason: str):
    verdict = judge(
        measured,
        options=LoadTestOptions(),
        kinds={"http_req_failed": "48x 503 GET flaky; 20x 404 GET /x"},
    )

    assert (verdict.outcome, verdict.reasons) == ("failed", (reason,))


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        (LoadTestOptions(checks="record"), ("2 of 9 requests failed: 2x 500 GET a",)),
        (LoadTestOptions(requests="record"), ("3 of 9 checks failed",)),
        (LoadTestOptions(checks="record", requests="record"), ()),
    ],
)
def test_what_is_only_recorded_is_no_reason(options: LoadTestOptions, reasons: tuple[str, ...]):
    measured = snapshot_of(checks=(3, 9), http_req_failed=(2, 9))

    assert (
        judge(measured, options=options, kinds={"http_req_failed": "2x 500 GET a"}).reasons
        == reasons
    )


def test_a_threshold_that_was_not_judged_is_no_reason():
    verdict = judge(
        snapshot_of(metric("http_reqs", thresholds=(threshold(ok=None),))),
        options=LoadTestOptions(),
    )

    assert verdict.outcome == "passed"


def test_who_ended_it_early_comes_first_and_makes_it_interrupted():
    verdict = judge(
        snapshot_of(checks=(1, 1)),
        options=LoadTestOptions(),
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
    assert judge(GOOD, options=LoadTestOptions(), trouble=("setup failed: no",)).outcome == "failed"


def test_trouble_that_comes_up_later_fails_what_passed_and_keeps_what_was_interrupted():
    passed = judge(GOOD, options=LoadTestOptions())
    interrupted = judge(GOOD, options=LoadTestOptions(), ended_early="stopped early: by hand")

    assert passed.with_trouble([]).outcome == "passed"
    assert passed.with_trouble(["disk full"]).outcome == "failed"
    assert interrupted.with_trouble(["disk full"]).outcome == "interrupted"
    assert interrupted.with_trouble(["disk full"]).reasons[-1] == "disk full"
