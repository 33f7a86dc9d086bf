"""The options of a session on a scenario that has a place for some of them.

``--k6-vus=50`` is meant for every scenario that has a number of VUs; one with
stages runs as planned, and says so. What the ini file says is a default and
gives way in silence.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.options.declarations import TAKES, ScenarioOptions, options_of
from pytest_k6api.model.options.resolving import WORKLOAD, Layer, planned_executor, resolve_scenario

# Every executor takes them, so they are never in the way.
_ALWAYS_TAKEN = frozenset.intersection(*TAKES.values())


@dataclass(frozen=True, slots=True)
class Misfit:
    """An option of the session that a scenario has no place for.

    Attributes:
        layer: Where the option was given.
        option: Its name.
        reason: What does not go together, and what would.
    """

    layer: Layer
    option: str
    reason: str


@dataclass(frozen=True, slots=True)
class FittedScenario:
    """A scenario's plan, and what of the session's options it left out."""

    options: ScenarioOptions
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True)
class SessionLayers:
    """What is said for a whole session, below the markers and above them.

    Attributes:
        defaults: What counts less than a marker.
        overrides: What counts more than a marker, lowest first.
    """

    defaults: Layer
    overrides: Sequence[Layer]

    def around(self, markers: Sequence[Layer]) -> list[Layer]:
        """Return all layers of what has `markers`, lowest first."""
        return [self.defaults, *markers, *self.overrides]


def fit_scenario(
    name: str, markers: Sequence[Layer], session: SessionLayers, *, smoke: bool = False
) -> FittedScenario:
    """Return the plan of the scenario `name` with as much of the session's options as it takes.

    Of the overrides the last counts most, and in each of them the workload; what
    does not go with the scenario is left out and told. Defaults are silent: where
    the markers plan the load, only what their executor takes is added.

    Args:
        name: The scenario's name.
        markers: What its markers say, lowest first.
        session: What is said for all.
        smoke: As for `resolve_scenario`, which has a place for everything then.

    Raises:
        OptionError: The markers by themselves cannot be used.
    """
    defaults = _defaults(session.defaults, markers)
    layers = [defaults, *markers, *session.overrides]
    units = [] if smoke else [*_units(markers, [*reversed(session.overrides), defaults])]
    # From all to none, those that count more kept longer.
    for chosen in product((True, False), repeat=len(units)):
        left = [unit for unit, is_in in zip(units, chosen, strict=True) if not is_in]
        try:
            options = resolve_scenario(name, _without(layers, left), smoke=smoke)
        except OptionError:
            if not any(chosen):
                raise
        else:
            told = [unit for unit in left if unit.layer is not defaults]
            misfits = [each for unit in told for each in _misfits(name, layers, left, unit)]
            return FittedScenario(options, tuple(misfits))
    raise AssertionError("the last choice returns or raises")


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Options of a layer that are taken together, or not at all."""

    layer: Layer
    options: Sequence[str]


def _defaults(layer: Layer, markers: Sequence[Layer]) -> Layer:
    kind = planned_executor(markers)
    if kind is None:
        return layer
    taken = TAKES[kind]
    return replace(layer, values={k: v for k, v in layer.values.items() if k in taken})


def _units(markers: Sequence[Layer], layers: Iterable[Layer]) -> Iterator[_Unit]:
    has_executor = any("executor" in marker.values for marker in markers)
    droppable = options_of(ScenarioOptions).keys() - _ALWAYS_TAKEN
    for layer in layers:
        workload = [option for option in WORKLOAD if option in layer.values]
        if has_executor:
            yield from (_Unit(layer, [option]) for option in workload)
        elif workload:
            yield _Unit(layer, workload)
        for option in layer.values:
            if option in droppable and option not in workload:
                yield _Unit(layer, [option])


def _without(layers: Sequence[Layer], left: Iterable[_Unit]) -> list[Layer]:
    dropped = {(id(unit.layer), option) for unit in left for option in unit.options}
    if not dropped:
        return list(layers)
    return [
        replace(
            layer, values={k: v for k, v in layer.values.items() if (id(layer), k) not in dropped}
        )
        for layer in layers
    ]


def _misfits(
    name: str, layers: Sequence[Layer], left: Sequence[_Unit], unit: _Unit
) -> Iterator[Misfit]:
    try:
        resolve_scenario(name, _without(layers, [each for each in left if each is not unit]))
    except OptionError as error:
        reason = str(error).removeprefix(f"{unit.layer.origin}: ")
        for option in unit.options:
            yield Misfit(unit.layer, option, reason)
