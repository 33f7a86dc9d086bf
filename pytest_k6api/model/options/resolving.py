"""Layers of options, resolved to the checked options of one scenario.

A scenario's options come in layers: the ini file, the marker, the environment,
the command line; a later layer wins. `resolve_scenario` chooses the executor as
k6's shortcuts do, refuses options that the executor does not take, and names the layer
of the mistake.

Source: k6 v1.1.0, ``internal/cmd/config.go``, ``deriveScenariosFromShortcuts``,
and ``lib/executor/*.go``, ``Validate``.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_k6api.model.durations import format_duration
from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.options.declarations import (
    NEEDS,
    TAKES,
    ExecutorKind,
    LoadTestOptions,
    ScenarioOptions,
    options_of,
    read_option,
)
from pytest_k6api.model.options.values import MOST_VUS


@dataclass(frozen=True, slots=True)
class Layer:
    """Options given in one place, each read.

    Attributes:
        origin: The place, for messages, such as ``@pytest.mark.scenario``.
        values: The value of each option given there, by the option's name.
        spell: How an option is spelt there: ``vus`` or ``--k6-vus``.
    """

    origin: str
    values: Mapping[str, Any]
    spell: Callable[[str], str] = str

    @classmethod
    def read(
        cls, origin: str, written: Mapping[str, object], spell: Callable[[str], str] = str
    ) -> "Layer":
        """Return the layer of the options `written` in one place.

        Raises:
            OptionError: An option is ill-typed or out of range.
        """
        values = {}
        for option, value in written.items():
            try:
                values[option] = read_option(option, value)
            except OptionError as error:
                raise OptionError(f"{origin}: {spell(option)}: {error}") from None
        return cls(origin, values, spell)

    def only(self, options: Container[str]) -> "Layer":
        """Return this layer with those of `options` alone."""
        values = {key: value for key, value in self.values.items() if key in options}
        return replace(self, values=values)


WORKLOAD = ("duration", "iterations", "stages", "rate")
_RATE_FOR_A_TIME = frozenset({"rate", "duration"})

# What to write instead, for an option on an executor that does not take it.
_INSTEAD = {
    ExecutorKind.SHARED_ITERATIONS: {"duration": "max_duration"},
    ExecutorKind.PER_VU_ITERATIONS: {"duration": "max_duration"},
    ExecutorKind.RAMPING_VUS: {"vus": "stages", "duration": "stages", "max_vus": "stages"},
    ExecutorKind.CONSTANT_ARRIVAL_RATE: {"vus": "max_vus", "iterations": "rate"},
    ExecutorKind.RAMPING_ARRIVAL_RATE: {"vus": "max_vus", "rate": "stages", "duration": "stages"},
    ExecutorKind.CONSTANT_VUS: {"max_vus": "vus", "stages": "duration"},
    ExecutorKind.EXTERNALLY_CONTROLLED: {"stages": "vus", "iterations": "duration"},
}

SMOKE = Layer.read("--k6-smoke", {"executor": "per-vu-iterations", "vus": 1, "iterations": 1})
"""The plan of ``--k6-smoke``: every scenario once, by one VU."""

_KEPT_BY_SMOKE = frozenset({"after", "tags", "env", "graceful_stop"})


def resolve_scenario(name: str, layers: Sequence[Layer], *, smoke: bool = False) -> ScenarioOptions:
    """Return the plan of the scenario `name` from `layers`, lowest first.

    Args:
        name: The scenario's name.
        layers: Options from each place. With the same name in two of them the
            later wins; a workload (duration, iterations, stages or rate) in a later
            one replaces the workload of the earlier ones, as in k6, unless an
            executor was named.
        smoke: Keep names and tags, but run one VU for one iteration.

    Raises:
        OptionError: An option does not go with the executor, or is missing.
    """
    merged = _merge(layers)
    kind = _choose_executor(merged)
    if smoke:
        kept = {key: item for key, item in merged.items() if key in _KEPT_BY_SMOKE}
        merged = {**_layered(SMOKE), **kept}
        kind = ExecutorKind.PER_VU_ITERATIONS
    _derive_max_duration(kind, merged)
    for option, (_, layer) in merged.items():
        _refuse_foreign(option, layer, kind)
    for option in NEEDS[kind]:
        if option not in merged:
            raise OptionError(
                f"{kind.value} needs {option}; give the marker {option}=, or choose another workload"
            )
    values: dict[str, Any] = {option: value for option, (value, _) in merged.items()}
    values["executor"] = kind
    _complete(kind, values)
    return check_scenario(ScenarioOptions(name=name, **values))


def planned_executor(layers: Sequence[Layer]) -> ExecutorKind | None:
    """Return the executor that `layers` choose; None if they give neither one nor a workload."""
    merged = _merge(layers)
    if merged.keys() & {"executor", *WORKLOAD}:
        return _choose_executor(merged)
    return None


def resolve_load_test(layers: Sequence[Layer]) -> LoadTestOptions:
    """Return the options of a load test as a whole from `layers`, lowest first.

    The last layer that has an option wins; thresholds add up, metric by metric.
    """
    known = options_of(LoadTestOptions)
    values: dict[str, Any] = {}
    for layer in layers:
        for option, value in layer.values.items():
            if option in known:
                values[option] = _joined(values.get(option), value)
    return LoadTestOptions(**values)


def _joined(earlier: object, later: object) -> object:
    """Return `later`; mappings add up, and the later one wins name by name."""
    if isinstance(earlier, Mapping) and isinstance(later, Mapping):
        return {**earlier, **later}
    return later


_Merged = dict[str, tuple[Any, Layer]]  # each value with the layer that it comes from


def _layered(layer: Layer) -> _Merged:
    known = options_of(ScenarioOptions)
    return {option: (value, layer) for option, value in layer.values.items() if option in known}


def _merge(layers: Sequence[Layer]) -> _Merged:
    merged: _Merged = {}
    for layer in layers:
        added = _layered(layer)
        workload = added.keys() & frozenset(WORKLOAD)
        had_plan = bool(merged)
        if "executor" not in merged and workload:
            # A rate for a duration is one workload of two options: either can be changed alone.
            has_rate = "rate" in merged or "rate" in added
            kept = _RATE_FOR_A_TIME if has_rate and workload <= _RATE_FOR_A_TIME else ()
            for option in WORKLOAD:
                if option not in kept:
                    merged.pop(option, None)
        for option, (value, _) in added.items():
            earlier, _ = merged.get(option, (None, layer))
            merged[option] = (_joined(earlier, value), layer)
        if workload and had_plan and "executor" not in merged:
            _fit_earlier_options(merged, added)
    return merged


# The option that gives each executor its number of VUs; `vus` for all others.
_VUS = {
    ExecutorKind.RAMPING_VUS: "start_vus",
    ExecutorKind.CONSTANT_ARRIVAL_RATE: "pre_allocated_vus",
    ExecutorKind.RAMPING_ARRIVAL_RATE: "pre_allocated_vus",
}


def _fit_earlier_options(merged: _Merged, added: _Merged) -> None:
    """Fit the options of earlier layers to the executor that the workload in `added` chose.

    They were written for another executor: their number of VUs is carried over, as k6
    does it from ``vus`` to the start of ``stages``, and the rest is dropped.
    """
    kind = _choose_executor(merged)
    for option in [each for each in merged if each not in added and each not in TAKES[kind]]:
        value = merged.pop(option)
        if option in {"vus", *_VUS.values()}:
            merged.setdefault(_VUS.get(kind, "vus"), value)


def _choose_executor(merged: _Merged) -> ExecutorKind:
    if "executor" in merged:
        kind: ExecutorKind = merged["executor"][0]
        return kind
    if "stages" in merged:
        arrival = "start_rate" in merged or "pre_allocated_vus" in merged
        return ExecutorKind.RAMPING_ARRIVAL_RATE if arrival else ExecutorKind.RAMPING_VUS
    if "rate" in merged:
        return ExecutorKind.CONSTANT_ARRIVAL_RATE
    if "iterations" in merged:
        return ExecutorKind.SHARED_ITERATIONS
    if "duration" in merged:
        return ExecutorKind.CONSTANT_VUS
    return ExecutorKind.PER_VU_ITERATIONS


def _derive_max_duration(kind: ExecutorKind, merged: _Merged) -> None:
    """Read k6's shortcut «iterations beside duration»: the duration is the most it may take."""
    shared = kind is ExecutorKind.SHARED_ITERATIONS and "executor" not in merged
    if shared and "duration" in merged and "max_duration" not in merged:
        merged["max_duration"] = merged.pop("duration")


def _refuse_foreign(option: str, layer: Layer, kind: ExecutorKind) -> None:
    if option == "executor" or option in TAKES[kind]:
        return
    instead = _INSTEAD.get(kind, {}).get(option)
    spelt = map(layer.spell, sorted(TAKES[kind]))
    # Outside of a marker not all of them can be given.
    takes = ", ".join(name for name in spelt if " " not in name)
    raise OptionError(
        f"{layer.origin}: {kind.value} does not take {layer.spell(option)};"
        + (f" use {layer.spell(instead)}" if instead else f" it takes {takes}")
    )


def _complete(kind: ExecutorKind, values: dict[str, Any]) -> None:
    if kind is ExecutorKind.EXTERNALLY_CONTROLLED:
        values.setdefault("vus", 0)
        values.setdefault("max_vus", values["vus"])
    if kind in {ExecutorKind.CONSTANT_ARRIVAL_RATE, ExecutorKind.RAMPING_ARRIVAL_RATE}:
        values.setdefault("max_vus", values["pre_allocated_vus"])


_Rule = Callable[[ScenarioOptions], str | None]


def _at_least_a_second(name: str, seconds: float) -> str | None:
    if seconds >= 1:
        return None
    return f"the {name} must be at least 1s, but is {format_duration(seconds)}"


def _some_vus(options: ScenarioOptions) -> str | None:
    return None if options.vus else "the number of VUs must be more than 0"


def _some_iterations(options: ScenarioOptions) -> str | None:
    return None if options.iterations else "the number of iterations must be more than 0"


def _enough_to_share(options: ScenarioOptions) -> str | None:
    if options.iterations >= options.vus:
        return None
    return (
        f"the number of iterations ({options.iterations}) can't be less than the number of VUs"
        f" ({options.vus}); give more iterations, or fewer vus"
    )


def _some_ramp(options: ScenarioOptions) -> str | None:
    if options.start_vus or any(stage.target for stage in options.stages):
        return None
    return "either start_vus or one of the stages' target values must be greater than 0"


def _some_rate(options: ScenarioOptions) -> str | None:
    return None if options.rate else "the iteration rate must be more than 0"


def _some_time_unit(options: ScenarioOptions) -> str | None:
    if not options.time_unit:
        return "the time_unit must be more than 0"
    highest = max(options.rate, options.start_rate, *(each.target for each in options.stages), 0)
    if highest <= MOST_VUS * options.time_unit:
        return None
    return f"the iteration rate can't be more than {MOST_VUS:,} a second"


def _max_covers_pre_allocated(options: ScenarioOptions) -> str | None:
    if options.max_vus >= options.pre_allocated_vus:
        return None
    return "max_vus can't be less than pre_allocated_vus"


def _max_covers_active(options: ScenarioOptions) -> str | None:
    if options.vus <= options.max_vus:
        return None
    return (
        f"the number of active VUs ({options.vus}) must be less than or equal to the number of"
        f" max_vus ({options.max_vus})"
    )


def _long_enough(options: ScenarioOptions) -> str | None:
    return _at_least_a_second("duration", options.duration)


def _long_enough_at_most(options: ScenarioOptions) -> str | None:
    return _at_least_a_second("max_duration", options.max_duration)


_RULES: Mapping[ExecutorKind, tuple[_Rule, ...]] = {
    ExecutorKind.SHARED_ITERATIONS: (_some_vus, _enough_to_share, _long_enough_at_most),
    ExecutorKind.PER_VU_ITERATIONS: (_some_vus, _some_iterations, _long_enough_at_most),
    ExecutorKind.CONSTANT_VUS: (_some_vus, _long_enough),
    ExecutorKind.RAMPING_VUS: (_some_ramp,),
    ExecutorKind.CONSTANT_ARRIVAL_RATE: (
        _some_rate,
        _some_time_unit,
        _long_enough,
        _max_covers_pre_allocated,
    ),
    ExecutorKind.RAMPING_ARRIVAL_RATE: (_some_time_unit, _max_covers_pre_allocated),
    ExecutorKind.EXTERNALLY_CONTROLLED: (_max_covers_active,),
}


def check_scenario(options: ScenarioOptions) -> ScenarioOptions:
    """Return `options` if its executor's rules hold for it.

    Raises:
        OptionError: Every rule that does not hold, in one message.
    """
    broken = [text for rule in _RULES[options.executor] if (text := rule(options))]
    if broken:
        raise OptionError(f"{options.executor.value}: " + ", ".join(broken))
    return options
