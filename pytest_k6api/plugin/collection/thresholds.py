"""Thresholds at collection: those of the session parsed once, those of markers with each load test."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_k6api.model import BUILT_IN, K6ApiError, Layer, Metric, SessionLayers
from pytest_k6api.plugin.settings.sources import Settings

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold

# The thresholds of one place, by their key: a metric, with or without tags.
_Parsed = Mapping[str, "tuple[Selection, Sequence[Threshold]]"]


def known_metrics() -> Mapping[str, Metric]:
    """Return every metric there can be, by name: the built-in and the declared ones."""
    # A suite that declares metrics has imported that package; no other suite imports it.
    vu = sys.modules.get("pytest_k6api.vu")
    declared = vu.declared_metrics() if vu is not None else {}
    return {metric.name: metric for metric in BUILT_IN} | dict(declared)


class SessionThresholds:
    """The thresholds of a session, to be joined with those of each load test.

    Attributes:
        problems: Thresholds that cannot be read, one text each; they are left out.

    Args:
        session: The layers of the session.
        settings: Which thresholds are evaluated.
    """

    def __init__(self, session: SessionLayers, settings: Settings) -> None:
        self.problems: list[str] = []
        self._settings = settings
        self._defaults = self._readable(session.defaults)
        self._overrides = [self._readable(layer) for layer in session.overrides]

    def around(
        self, markers: Sequence[Layer]
    ) -> "tuple[Sequence[Threshold], Sequence[Selection], Sequence[Selection]]":
        """Return the thresholds to judge, the metrics to list, and the samples that may fail.

        Of each key the highest place counts. Of the session's thresholds only those are
        judged whose metric has samples, since most are not about this load test.

        Raises:
            ThresholdError: A threshold of `markers` cannot be read.
        """
        own = [
            {key: _parse(key, entries) for key, entries in layer.values["thresholds"].items()}
            for layer in markers
            if "thresholds" in layer.values
        ]
        found: dict[str, tuple[Selection, Sequence[Threshold]]] = {}
        is_own: dict[str, bool] = {}
        for parsed in (self._defaults, *own, *self._overrides):
            found |= parsed
            is_own |= dict.fromkeys(parsed, any(parsed is each for each in own))
        # k6 keeps sub-metrics whose thresholds are switched off, or were never written.
        listed = [selection for key, (selection, _) in found.items() if is_own[key]]
        thresholds = [
            replace(threshold, is_optional=not is_own[key])
            for key in sorted(found, key=lambda key: not is_own[key])
            for threshold in found[key][1]
        ]
        if self._settings.switch("no_thresholds"):
            # A threshold that is not evaluated still allows the failures that it speaks of.
            tolerated = [found[key][0] for key in found if found[key][1]]
            return (), listed, tolerated
        if self._settings.switch("smoke"):
            # One iteration is over before any warm-up is.
            thresholds = [replace(threshold, window=None) for threshold in thresholds]
        return thresholds, listed, ()

    def _readable(self, layer: Layer) -> _Parsed:
        readable: dict[str, tuple[Selection, Sequence[Threshold]]] = {}
        for key, entries in layer.values.get("thresholds", {}).items():
            try:
                readable[key] = _parse(key, entries)
            except K6ApiError as error:
                self.problems.append(f"{layer.origin}: {layer.spell('thresholds')}: {error}")
        return readable


def _parse(key: str, entries: object) -> "tuple[Selection, Sequence[Threshold]]":
    # Only a suite with thresholds imports what reads them.
    from pytest_k6api.metrics import parse_entries

    return parse_entries(key, entries, known_metrics())
