"""What the live view shows of a load test, computed in its loop a few times a second."""

from collections.abc import Sequence

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import ScenarioSnapshot, StatusSnapshot
from pytest_k6api.report import ProgressLine

_FAILING = ("iteration_failures", "http_req_failed")


class ProgressReader:
    """Reads progress lines off an engine, remembering the last ones for the rates."""

    def __init__(self, engine: MetricsEngine) -> None:
        self._engine = engine
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
        return ProgressLine(
            name=scenario.name,
            state=scenario.state.value,
            share=scenario.progress,
            elapsed=status.elapsed,
            vus=scenario.vus,
            vus_max=scenario.vus_max,
            iterations=scenario.iterations,
            requests_per_second=self._rate("http_reqs" + only, status.elapsed),
            p95=duration["p(95)"] if duration else None,
            failures=self._failures(only, status.elapsed),
        )

    def _rate(self, metric_id: str, elapsed: float) -> float:
        sample = self._ask(metric_id, elapsed)
        count = sample["count"] if sample else 0.0
        before, at = self._requests.get(metric_id, (0.0, 0.0))
        self._requests[metric_id] = (count, elapsed)
        return (count - before) / (elapsed - at) if elapsed > at else 0.0

    def _failures(self, only: str, elapsed: float) -> int:
        failed = sum(self._ask(name + only, elapsed).get("passes", 0) for name in _FAILING)
        return int(failed + self._ask("checks" + only, elapsed).get("fails", 0))

    def _ask(self, metric_id: str, elapsed: float) -> dict[str, float]:
        metric = self._engine.query(metric_id, elapsed)
        return {**metric.sample, **metric.extra} if metric else {}
