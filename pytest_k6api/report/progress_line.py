"""What the live view shows of one scenario; whoever computes it needs nothing that draws."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """What one scenario's line shows.

    Attributes:
        name: The scenario.
        state: ``waiting``, ``running``, ``paused`` or ``ended``, or the load test's
            phase, such as ``setup``.
        share: Share of the plan that is done, 0 to 1; None where the plan has no end.
        elapsed: Seconds of test-run time.
        vus: VUs active now.
        vus_max: VUs there may be.
        iterations: Iterations completed.
        requests_per_second: Over the last interval.
        p95: The 95th percentile of http_req_duration so far, in milliseconds.
        failures: Failed iterations, checks and requests.
    """

    name: str
    state: str
    share: float | None
    elapsed: float
    vus: int
    vus_max: int
    iterations: int
    requests_per_second: float
    p95: float | None
    failures: int
