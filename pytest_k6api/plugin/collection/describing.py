"""The plan of a scenario in one line, for ``--collect-only -v``. Pure."""

from pytest_k6api.model import ExecutorKind, ScenarioOptions, format_duration


def plan_text(options: ScenarioOptions) -> str:
    """Return the plan of a scenario in words, such as ``constant-vus: 10 VUs for 30s``."""
    return f"{options.executor.value}: {_WORDS[options.executor](options)}"


def _shared(options: ScenarioOptions) -> str:
    return f"{_count(options.iterations, 'iteration')} shared by {_count(options.vus, 'VU')}"


def _per_vu(options: ScenarioOptions) -> str:
    return f"{_count(options.vus, 'VU')} x {_count(options.iterations, 'iteration')}"


def _constant(options: ScenarioOptions) -> str:
    return f"{_count(options.vus, 'VU')} for {format_duration(options.duration)}"


def _ramping(options: ScenarioOptions) -> str:
    most = max([options.start_vus, *(stage.target for stage in options.stages)])
    return f"up to {_count(most, 'VU')} in {_stages(options)}"


def _arriving(options: ScenarioOptions) -> str:
    unit = format_duration(options.time_unit)
    length = format_duration(options.duration)
    return f"{options.rate:g} iterations per {unit} for {length}, {_arrival_vus(options)}"


def _ramping_arrivals(options: ScenarioOptions) -> str:
    most = max([options.start_rate, *(stage.target for stage in options.stages)])
    unit = format_duration(options.time_unit)
    return f"up to {most:g} iterations per {unit} in {_stages(options)}, {_arrival_vus(options)}"


def _controlled(options: ScenarioOptions) -> str:
    length = f"for {format_duration(options.duration)}" if options.duration else "until stopped"
    return f"{options.vus} of {_count(options.max_vus, 'VU')} {length}"


_WORDS = {
    ExecutorKind.SHARED_ITERATIONS: _shared,
    ExecutorKind.PER_VU_ITERATIONS: _per_vu,
    ExecutorKind.CONSTANT_VUS: _constant,
    ExecutorKind.RAMPING_VUS: _ramping,
    ExecutorKind.CONSTANT_ARRIVAL_RATE: _arriving,
    ExecutorKind.RAMPING_ARRIVAL_RATE: _ramping_arrivals,
    ExecutorKind.EXTERNALLY_CONTROLLED: _controlled,
}


def _stages(options: ScenarioOptions) -> str:
    length = format_duration(sum(stage.duration for stage in options.stages))
    return f"{_count(len(options.stages), 'stage')} of {length}"


def _arrival_vus(options: ScenarioOptions) -> str:
    if options.max_vus == options.pre_allocated_vus:
        return _count(options.max_vus, "VU")
    return f"{options.pre_allocated_vus} to {_count(options.max_vus, 'VU')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
