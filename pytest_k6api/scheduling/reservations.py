"""VUs that the plans of all scenarios need at the same time, and the order of their starts. Pure.

Planned VUs are initialised before the start. A plan needs its VUs until the graceful
stop of its last iterations is over, and those that a ramp takes away until their
graceful ramp-down is.

Source: k6 v1.1.0, ``lib/executors.go``, ``GetFullExecutionRequirements``, and
``lib/executor/ramping_vus.go``, ``reserveVUsForGracefulRampDowns``.
"""

import math
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

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

    A scenario that waits for another one is assumed to start at the latest end of that one.
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
    """Return the VUs that `plan` needs, from its start to the end of its graceful stop."""
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


def check_order(scenarios: Sequence[ScenarioOptions]) -> tuple[str, ...]:
    """Return the names of scenarios in an order in which none comes before the one it waits for.

    Raises:
        OptionError: A scenario waits for an unknown one, or scenarios wait for each other.
    """
    after = {options.name: options.after for options in scenarios}
    for name, other in after.items():
        if other and other not in after:
            names = ", ".join(sorted(after.keys() - {name})) or "none"
            raise OptionError(f"{name}: after={other!r} names no other scenario; there are {names}")
    graph = {name: {other} if other else () for name, other in after.items()}
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = error.args[1][:0:-1]  # without the first, which is the last again
        first = next(name for name in after if name in cycle)
        at = cycle.index(first)
        path = " after ".join([*cycle[at:], *cycle[:at], first])
        raise OptionError(f"{first}: scenarios wait for each other: {path}") from None


def _latest_starts(
    scenarios: Sequence[ScenarioOptions], plans: Mapping[str, ExecutorPlan | None]
) -> dict[str, float]:
    by_name = {options.name: options for options in scenarios}
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for name in check_order(scenarios):
        options, plan = by_name[name], plans[name]
        starts[name] = options.start_time + (ends[options.after] if options.after else 0.0)
        lasts = plan.ends_at + plan.graceful_stop if plan else 0.0
        # A scenario without an end may be ended by hand, at a time that is not known.
        ends[name] = starts[name] + (lasts if lasts < math.inf else 0.0)
    return starts
