"""Lines of the live view, computed in the load test's loop a few times a second."""

import math
from collections.abc import Sequence
from typing import Protocol

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import ScenarioOptions, ScenarioSnapshot, StatusSnapshot, planned_duration
from pytest_k6api.report import ProgressLine

_FAILING = {"iteration_failures": "passes", "http_req_failed": "passes", "checks": "fails"}


class ProgressView(Protocol):
    """Shows the progress of a load test.

    Attributes:
        period: Seconds between two calls of `show`, and before the first.
    """

    period: float

    def show(self, lines: Sequence[ProgressLine]) -> None:
        """Show the progress of the scenarios, one line for each."""


class ProgressReader:
    """Reads progress lines off an engine, and keeps the last counts for the rates.

    Args:
        engine: Where samples add up.
        scenarios: The plans.
    """

    def __init__(self, engine: MetricsEngine, scenarios: Sequence[ScenarioOptions]) -> None:
        self._engine = engine
        self._planned = {options.name: planned_duration(options) for options in scenarios}
        self._requests: dict[str, tuple[float, float]] = {}

    def read(
        self, status: StatusSnapshot, scenarios: Sequence[ScenarioSnapshot]
    ) -> list[ProgressLine]:
        """Return one line for each scenario."""
        # A filter costs a merge of all series that match; one scenario needs none.
        alone = len(scenarios) == 1
        return [
            self._line(scenario, status, "" if alone else f"{{scenario:{scenario.name}}}")
            for scenario in scenarios
        ]

    def _line(self, scenario: ScenarioSnapshot, status: StatusSnapshot, only: str) -> ProgressLine:
        duration = self._ask("http_req_duration" + only, status.elapsed)
        elapsed, planned = self._times(scenario, status)
        return ProgressLine(
            name=scenario.name,
            state=scenario.state.value,
            share=scenario.progress,
            elapsed=elapsed,
            planned=planned,
            vus=scenario.vus,
            vus_max=scenario.vus_max,
            iterations=scenario.iterations,
            requests_per_second=self._rate("http_reqs" + only, status.elapsed),
            p95=duration["p(95)"] if duration else None,
            failures=self._failures(only, status.elapsed),
        )

    def _times(
        self, scenario: ScenarioSnapshot, status: StatusSnapshot
    ) -> tuple[float, float | None]:
        planned = self._planned.get(scenario.name)
        if scenario.progress is None or planned is None or planned == math.inf:
            return status.elapsed, None
        return scenario.progress * planned, planned

    def _rate(self, metric_id: str, elapsed: float) -> float | None:
        sample = self._ask(metric_id, elapsed)
        if not sample:
            return None
        count = sample["count"]
        before, at = self._requests.get(metric_id, (0.0, 0.0))
        self._requests[metric_id] = (count, elapsed)
        return (count - before) / (elapsed - at) if elapsed > at else 0.0

    def _failures(self, only: str, elapsed: float) -> int | None:
        asked = {name: self._ask(name + only, elapsed) for name in _FAILING}
        failed = [numbers[_FAILING[name]] for name, numbers in asked.items() if numbers]
        return int(sum(failed)) if failed else None

    def _ask(self, metric_id: str, elapsed: float) -> dict[str, float]:
        metric = self._engine.query(metric_id, elapsed)
        return {**metric.sample, **metric.extra} if metric and metric.samples else {}
