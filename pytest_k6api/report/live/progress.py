"""Progress of a load test while it runs: a line for each scenario, read off its metrics.

Draws nothing: the load test's loop computes the lines a few times a second, and a
`ProgressView` shows them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import (
    PROTOCOLS,
    ScenarioOptions,
    ScenarioSnapshot,
    StatusSnapshot,
    planned_duration,
)
from pytest_k6api.report.text.units import NOTHING, format_count, format_time

_FAILING = {
    "iteration_failures": "passes",
    **{protocol.failed.name: "passes" for protocol in PROTOCOLS},
    "checks": "fails",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """The progress of one scenario.

    Attributes:
        name: The scenario.
        state: ``waiting``, ``running``, ``paused`` or ``ended``.
        share: Share of the plan that is done, 0 to 1; None where the plan has no end.
        elapsed: Seconds of test-run time, or of the plan where that is in seconds.
        planned: Seconds that the plan lasts; None where it is not in seconds or has no end.
        vus: VUs active now.
        vus_max: VUs there may be.
        iterations: Iterations completed.
        requests_per_second: Over the last interval; None before the first request.
        p95: The 95th percentile of http_req_duration so far, in milliseconds; None
            before the first request.
        failures: Failed iterations, checks and exchanges of all protocols; None before the first of any.
    """

    name: str
    state: str
    share: float | None
    elapsed: float
    planned: float | None
    vus: int
    vus_max: int
    iterations: int
    requests_per_second: float | None
    p95: float | None
    failures: int | None

    @property
    def time_text(self) -> str:
        """The time that has passed, and of how much: ``5s / 5m0s``, ``1m15s``."""
        elapsed = format_time(round(self.elapsed, 1) * 1000)
        return (
            elapsed if self.planned is None else f"{elapsed} / {format_time(self.planned * 1000)}"
        )

    @property
    def rate_text(self) -> str:
        """Requests per second, as a whole number."""
        rate = self.requests_per_second
        return f"{NOTHING if rate is None else format(rate, ',.0f')} req/s"

    @property
    def p95_text(self) -> str:
        """The 95th percentile with its unit."""
        return f"p95 {NOTHING if self.p95 is None else format_time(self.p95)}"

    @property
    def failures_text(self) -> str:
        """How many failed."""
        return f"{NOTHING if self.failures is None else format_count(self.failures)} failed"


def progress_text(line: ProgressLine, target: str) -> str:
    """Return `line` as text: ``test_buy on http://shop: 30s / 5m0s, 50/50 VUs, ...``.

    Args:
        line: The progress of a scenario.
        target: Where its requests go; empty if that is not known.
    """
    facts = [
        *([] if line.state == "running" else [line.state]),
        line.time_text,
        f"{line.vus}/{line.vus_max} VUs",
        f"{format_count(line.iterations)} iterations",
        line.rate_text,
        line.p95_text,
        line.failures_text,
    ]
    return f"{line.name}{f' on {target}' if target else ''}: {', '.join(facts)}"


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
        # The number of requests at the last look, its time, and the rate up to it.
        self._requests: dict[str, tuple[float, float, float]] = {}

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
        duration = self._ask("http_req_duration" + only)
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
            requests_per_second=self._rate("http_reqs" + only, is_paused=status.paused),
            p95=duration["p(95)"] if duration else None,
            failures=self._failures(only),
        )

    def _times(
        self, scenario: ScenarioSnapshot, status: StatusSnapshot
    ) -> tuple[float, float | None]:
        planned = self._planned.get(scenario.name)
        if scenario.progress is None or planned is None or planned == math.inf:
            return status.elapsed, None
        return scenario.progress * planned, planned

    def _rate(self, metric_id: str, *, is_paused: bool) -> float | None:
        sample = self._ask(metric_id)
        if not sample:
            return None
        count, elapsed = sample["count"], self._engine.elapsed
        before, at, rate = self._requests.get(metric_id, (0.0, 0.0, 0.0))
        if elapsed > at:  # what workers measure is known by the second
            rate = (count - before) / (elapsed - at)
            self._requests[metric_id] = (count, elapsed, rate)
        return rate if not is_paused else 0.0

    def _failures(self, only: str) -> int | None:
        asked = {name: self._ask(name + only) for name in _FAILING}
        failed = [numbers[_FAILING[name]] for name, numbers in asked.items() if numbers]
        return int(sum(failed)) if failed else None

    def _ask(self, metric_id: str) -> dict[str, float]:
        metric = self._engine.query(metric_id, self._engine.elapsed)
        return {**metric.sample, **metric.extra} if metric and metric.samples else {}
