"""A user's conftest with hooks and annotations: type checkers check it, nobody runs it."""

import dataclasses
from typing import assert_type

import pytest

from pytest_k6api import (
    LoadTestInfo,
    LoadTestResults,
    Output,
    SampleBatch,
    ScenarioOptions,
    Series,
    ThresholdSnapshot,
)


def pytest_k6_configure_scenario(
    item: pytest.Item, options: ScenarioOptions
) -> ScenarioOptions | None:
    if item.get_closest_marker("quick"):
        return dataclasses.replace(options, duration=1.5, tags={**options.tags, "quick": "yes"})
    return None


def pytest_k6_samples(load_test: LoadTestInfo, batch: SampleBatch) -> None:
    series: Series
    for series in batch.series:
        print(load_test.name, series.metric, dict(series.tags), sum(series.values))  # noqa: T201


class Printer:
    def start(self) -> None: ...

    def add(self, batch: SampleBatch) -> None:
        print(batch.elapsed)  # noqa: T201

    def stop(self) -> None: ...


def pytest_k6_add_outputs(load_test: LoadTestInfo) -> list[Output]:
    return [Printer()] if load_test.scenarios else []


def pytest_k6_threshold_crossed(load_test: LoadTestInfo, threshold: ThresholdSnapshot) -> None:
    assert_type(threshold.observed, float | None)
    assert_type(load_test.scenarios, tuple[ScenarioOptions, ...])


def pytest_k6_summary(load_test: LoadTestInfo, results: LoadTestResults) -> list[str]:
    return [f"{load_test.address}: {results.metrics['http_reqs'].count:.0f} requests"]


def pytest_k6_load_test_finished(results: LoadTestResults) -> None:
    assert_type(results.outcome, str | None)
