"""Options of the session that some load tests cannot take: reported, or refused.

A load test that cannot take ``--k6-vus=50`` runs as planned, and one line says
so. On the command line an option that no load test can take is a mistake; in
the environment it may be meant for other sessions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from pytest_k6api.model import Layer, Misfit, SessionLayers
from pytest_k6api.plugin.collection.captured import CapturedScenario

_SHOWN_NAMES = 4


@dataclass(slots=True)
class _Option:
    """An option of the session, and the scenarios that it reached.

    Attributes:
        layer: The place where it was given.
        is_taken: Whether any scenario takes it.
        names: The scenarios that cannot take it, by the reason.
    """

    layer: Layer
    is_taken: bool = False
    names: dict[str, list[str]] = field(default_factory=dict)


class Misfits:
    """Options of `session` that scenarios cannot take."""

    def __init__(self, session: SessionLayers) -> None:
        self._session = session
        self._options: dict[tuple[str, str], _Option] = {}

    def add(self, item: pytest.Item, scenario: CapturedScenario, misfits: Iterable[Misfit]) -> None:
        """Note the options of the session that the scenario of `item` cannot take."""
        left = {(misfit.layer.origin, misfit.option): misfit for misfit in misfits}
        for layer in self._session.overrides:
            for name in layer.values:
                key = (layer.origin, name)
                option = self._options.setdefault(key, _Option(layer))
                if key in left:
                    shown = (
                        item.name if scenario.name in item.name else f"{item.name}::{scenario.name}"
                    )
                    option.names.setdefault(left[key].reason, []).append(shown)
                else:
                    option.is_taken = True

    def problems(self) -> Iterator[str]:
        """Yield the options of the command line that no load test can take."""
        for (origin, name), option in self._options.items():
            if self._is_refused(origin, option):
                spelt = option.layer.spell(name)
                yield f"{origin}: no load test of this session can take {spelt}: {_told(option)}"

    def remarks(self) -> Iterator[str]:
        """Yield a line for each option that some load tests cannot take."""
        for (origin, name), option in self._options.items():
            if option.names and not self._is_refused(origin, option):
                yield f"run as planned, without {option.layer.spell(name)}: {_told(option)}"

    @staticmethod
    def _is_refused(origin: str, option: _Option) -> bool:
        return bool(option.names) and not option.is_taken and origin == "command line"


def _told(option: _Option) -> str:
    return "; ".join(f"{_listed(names)} ({reason})" for reason, names in option.names.items())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = len(names) - _SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
