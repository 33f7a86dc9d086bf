"""Scheduling of iterations: scheduler, executors, arrival times and VU schedules, commands, clock.

Arrival times, schedules, segments and reservations are pure arithmetic; the rest
waits on Trio's clock and calls virtual users through the `ActiveVU` protocol.
"""

from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.executors import (
    Executor,
    ExecutorContext,
    ExecutorPlan,
    ScenarioCounts,
    make_executor,
)
from pytest_k6api.scheduling.scheduler import RunOutcome, Scheduler
from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment, equal_segment, read_segment

__all__ = [
    "WHOLE",
    "ExecutionSegment",
    "Executor",
    "ExecutorContext",
    "ExecutorPlan",
    "RunClock",
    "RunOutcome",
    "ScenarioCounts",
    "Scheduler",
    "equal_segment",
    "make_executor",
    "read_segment",
]
