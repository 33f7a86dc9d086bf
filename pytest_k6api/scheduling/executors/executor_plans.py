"""Plans of the seven executors, as data. Pure.

Two mechanisms run all seven: `LoopingExecutor` keeps a number of VUs looping,
`ArrivalExecutor` hands due iterations to free VUs. The plans made here from a
scenario's options hold every difference between executors.

    executor               VUs              iterations   ends at        in flight at the end
    ---------------------  ---------------  -----------  -------------  --------------------
    constant-vus           vus              unlimited    duration       graceful_stop
    shared-iterations      vus              shared       max_duration   graceful_stop
    per-vu-iterations      vus              per VU       max_duration   graceful_stop
    ramping-vus            ramp of stages   unlimited    sum of stages  graceful_stop
    externally-controlled  vus              unlimited    duration       are interrupted
    constant-arrival-rate  as many as need  at a rate    duration       graceful_stop
    ramping-arrival-rate   as many as need  at a ramp    sum of stages  graceful_stop

Source: k6 v1.1.0, ``lib/executor/*.go``, ``Run``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pytest_k6api.model import ExecutorKind, ScenarioOptions
from pytest_k6api.scheduling.arrivals import Arrivals, ConstantArrivals, RampingArrivals
from pytest_k6api.scheduling.executors.iteration_source import (
    IterationSource,
    PerVUSource,
    SharedSource,
    UnlimitedSource,
)
from pytest_k6api.scheduling.schedules import StepFunction, end_of, ramp
from pytest_k6api.scheduling.segments import ExecutionSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPlan:
    """VUs that loop, for one instance; times are seconds from the scenario's start.

    Attributes:
        steps: Number of VUs over time.
        source: Their iterations.
        ends_at: Time from which no iteration starts; infinity without a planned end.
        graceful_stop: Time that running iterations have then.
        graceful_ramp_down: The same for VUs that are taken away before.
        vus_max: VUs initialised for the whole load test's plan.
        vus_are_steered: Whether a command that raises `vus` above `vus_max` is refused.
        counts_from_setup: Whether `ends_at` counts from the load test's start.
        awaits_others: Whether it ends when all instances have nothing left to do, not this one
            alone: VUs may still be added, each with iterations of its own.
    """

    steps: StepFunction
    source: IterationSource
    ends_at: float
    graceful_stop: float
    graceful_ramp_down: float
    vus_max: int
    vus_are_steered: bool = False
    counts_from_setup: bool = False
    awaits_others: bool = False

    def vus_at(self, elapsed: float) -> int:
        """Return the number of VUs that loop at `elapsed`."""
        return self.steps.at(elapsed) if elapsed < self.ends_at else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalPlan:
    """Iterations that fall due, for one instance; times are seconds from the start.

    Attributes:
        arrivals: Due times of the whole load test.
        share: The part of them that belongs to this instance.
        ends_at: Time from which no iteration starts.
        graceful_stop: Time that running iterations have then.
        graceful_ramp_down: The same for VUs that are taken away before.
        vus: VUs started before the first arrival.
        vus_max: Maximum of VUs, of the whole load test.
        vus_are_steered: False: a command that raises `vus` raises `vus_max` too.
    """

    arrivals: Arrivals
    share: ExecutionSegment
    ends_at: float
    graceful_stop: float
    graceful_ramp_down: float
    vus: int
    vus_max: int
    vus_are_steered: bool = False

    def vus_at(self, elapsed: float) -> int:
        """Return the number of VUs that are at hand at `elapsed`, if no more are needed."""
        return self.vus if elapsed < self.ends_at else 0


ExecutorPlan = LoopPlan | ArrivalPlan


def make_plan(
    options: ScenarioOptions, segment: ExecutionSegment, *, may_grow: bool = False
) -> ExecutorPlan | None:
    """Return the plan of the scenario `options` for an instance that runs `segment` of it.

    Args:
        options: The scenario's options.
        segment: The part that this instance runs.
        may_grow: Whether commands to all instances reach this one: then VUs that are added
            may give it a share.

    Returns:
        None if this instance has no share in it.
    """
    plan = _PLANNERS[options.executor](options, segment)
    if not isinstance(plan, LoopPlan):
        return plan
    if may_grow:
        return replace(plan, awaits_others=plan.source.total is not None)
    return plan if _has_share(plan, segment) else None


def _has_share(plan: LoopPlan, segment: ExecutionSegment) -> bool:
    if plan.vus_are_steered:
        return segment.is_whole or segment.scale(plan.vus_max) > 0
    return plan.steps.highest > 0 and plan.source.total != 0


def _constant_vus(options: ScenarioOptions, segment: ExecutionSegment) -> LoopPlan:
    return _loop(
        options,
        StepFunction.constant(segment.scale(options.vus)),
        vus_max=options.vus,
        source=UnlimitedSource(),
        ends_at=options.duration,
    )


def _shared_iterations(options: ScenarioOptions, segment: ExecutionSegment) -> LoopPlan:
    share = segment.recut(options.vus)
    iterations = share.scale(options.iterations) if share else 0
    return _loop(
        options,
        StepFunction.constant(segment.scale(options.vus)),
        vus_max=options.vus,
        source=SharedSource(iterations),
        ends_at=options.max_duration,
    )


def _per_vu_iterations(options: ScenarioOptions, segment: ExecutionSegment) -> LoopPlan:
    vus = segment.scale(options.vus)
    return _loop(
        options,
        StepFunction.constant(vus),
        vus_max=options.vus,
        source=PerVUSource(options.iterations, vus),
        ends_at=options.max_duration,
    )


def _ramping_vus(options: ScenarioOptions, segment: ExecutionSegment) -> LoopPlan:
    return _loop(
        options,
        ramp(options.start_vus, options.stages, segment),
        vus_max=max(options.start_vus, *(stage.target for stage in options.stages)),
        source=UnlimitedSource(),
        ends_at=end_of(options.stages),
    )


def _loop(
    options: ScenarioOptions,
    steps: StepFunction,
    *,
    vus_max: int,
    source: IterationSource,
    ends_at: float,
) -> LoopPlan:
    return LoopPlan(
        steps=steps,
        source=source,
        ends_at=ends_at,
        graceful_stop=options.graceful_stop,
        graceful_ramp_down=options.graceful_ramp_down,
        vus_max=vus_max,
    )


def _externally_controlled(options: ScenarioOptions, segment: ExecutionSegment) -> LoopPlan:
    return LoopPlan(
        steps=StepFunction.constant(segment.scale(options.vus)),
        source=UnlimitedSource(),
        ends_at=options.duration or math.inf,
        # k6 interrupts the VUs that it takes away from this executor, and all at its end.
        graceful_stop=0.0,
        graceful_ramp_down=0.0,
        vus_max=options.max_vus,
        vus_are_steered=True,
        counts_from_setup=not options.after,
    )


def _constant_arrival_rate(
    options: ScenarioOptions, segment: ExecutionSegment
) -> ArrivalPlan | None:
    arrivals = ConstantArrivals(options.rate / options.time_unit, options.duration)
    return _arrival(options, segment, arrivals, options.duration)


def _ramping_arrival_rate(
    options: ScenarioOptions, segment: ExecutionSegment
) -> ArrivalPlan | None:
    arrivals = RampingArrivals(
        options.start_rate / options.time_unit,
        [(stage.duration, stage.target / options.time_unit) for stage in options.stages],
    )
    ends_at = end_of(options.stages)
    return _arrival(options, segment, arrivals, ends_at)


def _arrival(
    options: ScenarioOptions, segment: ExecutionSegment, arrivals: Arrivals, ends_at: float
) -> ArrivalPlan | None:
    share = segment.recut(options.max_vus) if options.max_vus else segment
    if share is None:
        return None
    return ArrivalPlan(
        arrivals=arrivals,
        share=share,
        ends_at=ends_at,
        graceful_stop=options.graceful_stop,
        graceful_ramp_down=options.graceful_ramp_down,
        vus=segment.scale(options.pre_allocated_vus),
        vus_max=options.max_vus,
    )


_PLANNERS: Mapping[
    ExecutorKind, Callable[[ScenarioOptions, ExecutionSegment], ExecutorPlan | None]
] = {
    ExecutorKind.CONSTANT_VUS: _constant_vus,
    ExecutorKind.SHARED_ITERATIONS: _shared_iterations,
    ExecutorKind.PER_VU_ITERATIONS: _per_vu_iterations,
    ExecutorKind.RAMPING_VUS: _ramping_vus,
    ExecutorKind.EXTERNALLY_CONTROLLED: _externally_controlled,
    ExecutorKind.CONSTANT_ARRIVAL_RATE: _constant_arrival_rate,
    ExecutorKind.RAMPING_ARRIVAL_RATE: _ramping_arrival_rate,
}
