"""Scheduling of iterations: scheduler, executors, arrival times and VU schedules, commands, clock.

Arrival times, schedules, segments and reservations are pure arithmetic; the rest
waits on Trio's clock and calls virtual users through the `ActiveVU` protocol.
"""

from pytest_k6api.scheduling.scheduler import RunOutcome, Scheduler
from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment, read_segment

__all__ = ["WHOLE", "ExecutionSegment", "RunOutcome", "Scheduler", "read_segment"]
