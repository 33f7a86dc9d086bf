"""When virtual users run: the scheduler, executors, schedules, clocks; owns Trio's time."""

from pytest_k6api.scheduling.scheduler import RunOutcome, Scheduler
from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment, read_segment

__all__ = ["WHOLE", "ExecutionSegment", "RunOutcome", "Scheduler", "read_segment"]
