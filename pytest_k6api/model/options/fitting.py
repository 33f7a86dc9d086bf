"""Options of a session, applied to a scenario that can take only some of them.

``--k6-vus=50`` is for every scenario that has a number of VUs; one with stages
runs as planned, and a remark says so. Options of the ini file are defaults and give
way silently.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.options.declarations import TAKES, ScenarioOptions, options_of
from pytest_k6api.model.options.resolving import WORKLOAD, Layer, planned_executor, resolve_scenario

# Every executor takes these, so they never conflict.
_ALWAYS_TAKEN = frozenset.intersection(*TAKES.values())


@dataclass(frozen=True, slots=True)
class Misfit:
    """An option of the session that a scenario cannot take.

    Attributes:
        layer: The place where the option was given.
        option: Its name.
        reason: The conflict, and the remedy.
    """

    layer: Layer
    option: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionLayers:
    """Options of a whole session, of lower and of higher precedence than markers.

    Attributes:
        defaults: Lower precedence than a marker.
        overrides: Higher precedence than a marker, lowest first.
    """

    defaults: Layer
    overrides: Sequence[Layer]

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the session, which every load test has."""
        merged: dict[str, str] = {}
        for layer in (self.defaults, *self.overrides):
            merged |= layer.values.get("tags", {})
        return merged

    def around(self, markers: Sequence[Layer]) -> list[Layer]:
        """Return all layers of a test with `markers`, lowest first."""
        return [self.defaults, *markers, *self.overrides]


def fit_scenario(
    name: str, markers: Sequence[Layer], session: SessionLayers, *, smoke: bool = False
) -> tuple[ScenarioOptions, tuple[Misfit, ...]]:
    """Return the options of the scenario `name`, and the options of the session that do not fit.

    Of the overrides the last counts most, and in each of them the workload. Defaults
    give way silently: where the markers choose an executor, only defaults that it
    takes are added.

    Args:
        name: The scenario's name.
        markers: The layers of its markers, lowest first.
        session: The layers of the session.
        smoke: As for `resolve_scenario`; then every option fits.

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
            return options, tuple(misfits)
    raise AssertionError("the last choice returns or raises")


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Options of a layer that are taken together, or not at all."""

    layer: Layer
    options: Sequence[str]


def _defaults(layer: Layer, markers: Sequence[Layer]) -> Layer:
    kind = planned_executor(markers)
    return layer if kind is None else layer.only(TAKES[kind])


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
        layer.only({option for option in layer.values if (id(layer), option) not in dropped})
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
