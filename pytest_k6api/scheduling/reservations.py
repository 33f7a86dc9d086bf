"""How many VUs the plans of all scenarios need at the same time. Pure.

They are initialised before the start. A plan needs its VUs until the iterations
that run at its end may be over, and what a ramp takes away until it may be.

Source: k6 v1.1.0, ``lib/executors.go``, ``GetFullExecutionRequirements``, and
``lib/executor/ramping_vus.go``, ``reserveVUsForGracefulRampDowns``.
"""

import math
from collections.abc import Mapping, Sequence

from pytest_k6api.model import OptionError, ScenarioOptions
from pytest_k6api.scheduling.executors.executor_plans import ArrivalPlan, ExecutorPlan
from pytest_k6api.scheduling.schedules import StepFunction, rolling_maximum
from pytest_k6api.scheduling.segments import ExecutionSegment


def planned_vus(
    scenarios: Sequence[ScenarioOptions],
    plans: Mapping[str, ExecutorPlan | None],
    segment: ExecutionSegment,
) -> int:
    """Return the highest number of VUs that `plans` need at one time.

    A scenario that waits for the end of another is taken to start when that one
    ends at the latest.
    """
    starts = _latest_starts(scenarios, plans)
    needs = [(starts[name], reserved_vus(plan, segment)) for name, plan in plans.items() if plan]
    moments = {start + at for start, steps in needs for at in steps.times}
    return max(
        (
            sum(steps.at(moment - start) for start, steps in needs if moment >= start)
            for moment in moments
        ),
        default=0,
    )


def reserved_vus(plan: ExecutorPlan, segment: ExecutionSegment) -> StepFunction:
    """Return the VUs that `plan` needs, from its start to when the last may be over."""
    end = plan.ends_at + plan.graceful_stop
    if isinstance(plan, ArrivalPlan):
        steps = StepFunction.constant(plan.vus)
    elif plan.vus_are_steered:
        steps = StepFunction.constant(segment.scale(plan.vus_max))
    else:
        steps = rolling_maximum(plan.steps, plan.graceful_ramp_down)
    if end == math.inf:
        return steps
    pairs = zip(steps.times, steps.counts, strict=True)
    return StepFunction.of([*(pair for pair in pairs if pair[0] < end), (end, 0)])


def check_order(scenarios: Sequence[ScenarioOptions]) -> None:
    """Refuse scenarios that wait for one that is not there, or for each other.

    Raises:
        OptionError: They do.
    """
    after = {options.name: options.after for options in scenarios}
    for name, other in after.items():
        if other and other not in after:
            names = ", ".join(sorted(after.keys() - {name})) or "none"
            raise OptionError(f"{name}: after={other!r} names no other scenario; there are {names}")
        seen = [name]
        while (other := after[seen[-1]]) and other not in seen:
            seen.append(other)
        if other == name:
            raise OptionError(
                f"{name}: scenarios wait for each other: {' after '.join([*seen, name])}"
            )


def _latest_starts(
    scenarios: Sequence[ScenarioOptions], plans: Mapping[str, ExecutorPlan | None]
) -> dict[str, float]:
    options_by_name = {options.name: options for options in scenarios}
    starts: dict[str, float] = {}

    def start_of(name: str) -> float:
        if name not in starts:
            options = options_by_name[name]
            starts[name] = options.start_time + (end_of(options.after) if options.after else 0.0)
        return starts[name]

    def end_of(name: str) -> float:
        plan = plans[name]
        lasts = plan.ends_at + plan.graceful_stop if plan else 0.0
        # One without an end may be ended by hand; nothing can be foreseen then.
        return start_of(name) + (lasts if lasts < math.inf else 0.0)

    for name in options_by_name:
        start_of(name)
    return starts
