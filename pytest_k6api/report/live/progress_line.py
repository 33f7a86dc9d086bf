"""What the progress of one scenario is, and as a line of text for logs.

Needs nothing that draws: the loop of a load test computes it.
"""

from dataclasses import dataclass

from pytest_k6api.report.text.units import NOTHING, format_count, format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """What one scenario's line shows.

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
        failures: Failed iterations, checks and requests; None before the first of any.
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
