"""VU counts over time, as step functions in closed form. Pure.

Times are seconds from the scenario's start; executors wait for the steps.

Source: k6 v1.1.0, ``lib/executor/ramping_vus.go``.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_k6api.model import Stage
from pytest_k6api.scheduling.segments import WHOLE, ExecutionSegment


@dataclass(frozen=True, slots=True)
class StepFunction:
    """A count that changes at certain times, such as the VUs of a ramp.

    Attributes:
        times: Seconds, ascending, the first 0.
        counts: The count from each of these times on.
    """

    times: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def constant(cls, count: int) -> "StepFunction":
        """Return the step function that is always `count`."""
        return cls((0.0,), (count,))

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, int]]) -> "StepFunction":
        """Return the function of ascending `pairs` of time and count; of equal times the last holds."""
        times: list[float] = [0.0]
        counts: list[int] = [0]
        for at, count in pairs:
            if at <= times[-1]:
                counts[-1] = count
                if counts[-2:-1] == [count]:  # back to the count before: no step
                    del times[-1], counts[-1]
            elif count != counts[-1]:
                times.append(at)
                counts.append(count)
        return cls(tuple(times), tuple(counts))

    @property
    def highest(self) -> int:
        """The highest count."""
        return max(self.counts)

    def at(self, elapsed: float) -> int:
        """Return the count at `elapsed` seconds; at a step, the new one."""
        return self.counts[max(0, bisect_right(self.times, elapsed) - 1)]

    def next_change(self, elapsed: float) -> float:
        """Return the time of the first step after `elapsed`; infinity after the last."""
        index = bisect_right(self.times, elapsed)
        return self.times[index] if index < len(self.times) else math.inf


def end_of(stages: Sequence[Stage]) -> float:
    """Return the end of the last of `stages`, bit-equal to that of `ramp` and of arrivals."""
    end = 0.0
    for stage in stages:
        end += stage.duration  # not `sum`, which rounds differently since Python 3.12
    return end


def ramp(start: int, stages: Sequence[Stage], segment: ExecutionSegment = WHOLE) -> StepFunction:
    """Return the VUs of a ramp from `start` through `stages` that belong to `segment`."""
    return StepFunction.of((at, segment.scale(count)) for at, count in _ramp_steps(start, stages))


def _ramp_steps(start: int, stages: Sequence[Stage]) -> Iterator[tuple[float, int]]:
    yield 0.0, start
    count, end = start, 0.0
    for stage in stages:
        end += stage.duration
        if stage.duration:
            yield from _stage_steps(count, stage, end)
        else:
            yield end, stage.target
        count = stage.target


def _stage_steps(count: int, stage: Stage, end: float) -> Iterator[tuple[float, int]]:
    """Yield the steps of one stage; computed from its end, so that the last is exactly there."""
    change = stage.target - count
    if change > 0:
        for reached in range(count + 1, stage.target + 1):
            yield end - stage.duration * (stage.target - reached) / change, reached
    else:
        for left in range(count - 1, stage.target - 1, -1):
            yield end - stage.duration * (left - stage.target) / -change, left


def rolling_maximum(steps: StepFunction, window: float) -> StepFunction:
    """Return the highest count of the last `window` seconds, at any time.

    VUs that a ramp takes away stay reserved while their iterations may still run.
    """
    gone: deque[tuple[int, float]] = deque()  # counts that are held, and how long; falling
    count = steps.counts[0]
    changes = [(0.0, count)]

    def release(now: float) -> None:
        while gone and gone[0][1] <= now:
            _, until = gone.popleft()
            changes.append((until, gone[0][0] if gone else count))

    for at, following in zip(steps.times[1:], steps.counts[1:], strict=True):
        release(at)
        while gone and gone[-1][0] <= max(count, following):
            gone.pop()
        if following < count:
            gone.append((count, at + window))
        count = following
        changes.append((at, gone[0][0] if gone else count))
    release(math.inf)
    return StepFunction.of(changes)
