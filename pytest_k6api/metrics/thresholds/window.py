"""Windows of thresholds: the part of a load test that one looks at.

``after`` leaves the warm-up out, ``over_last`` makes the threshold slide along
the load, ``for_at_least`` gives it patience. Only the values and how they are
written; `sinks.windowed` keeps the samples, `evaluation` evaluates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pytest_k6api.model import OptionError, ThresholdError, format_duration, parse_duration

SHORTEST_OVER_LAST = 2.0
"""Seconds; thresholds are judged every two, so that a shorter window would leave gaps."""

_OURS = ("after", "over_last", "for_at_least")
_KNOWN = ("threshold", "abort_on_fail", "delay_abort_eval", *_OURS)
_K6S = frozenset({"abortOnFail", "delayAbortEval"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which samples count, and how long a failure must last. All in seconds.

    Times are those of the load: they begin with the scenarios, when setup is
    over, and stand still while the load test is paused.

    Attributes:
        after: Samples of so many seconds from the start are left out.
        over_last: Only the samples of the last so many seconds count; None for all.
        for_at_least: It is crossed once it has failed for so long without a break.
    """

    after: float = 0.0
    over_last: float | None = None
    for_at_least: float = 0.0

    @property
    def is_lasting(self) -> bool:
        """Whether a crossing counts to the end, because later samples say nothing about it."""
        return self.over_last is not None or self.for_at_least > 0

    @property
    def text(self) -> str:
        """The window in words: ``over the last 30s, after 10s, for at least 20s``."""
        parts = [
            ("over the last", self.over_last),
            ("after", self.after),
            ("for at least", self.for_at_least),
        ]
        return ", ".join(f"{words} {format_duration(value)}" for words, value in parts if value)


def read_window(key: str, entry: Mapping[str, object]) -> Window | None:
    """Return the window that a threshold's mapping states; None if it states none.

    Raises:
        ThresholdError: It cannot be read, or a key is nearly one that there is.
    """
    _refuse_slips(key, entry)
    values = {name: _read(key, name, entry[name]) for name in _OURS if entry.get(name) is not None}
    over_last = values.get("over_last")
    if over_last is not None and over_last < SHORTEST_OVER_LAST:
        raise ThresholdError(
            f"{key}: over_last: thresholds are judged every {SHORTEST_OVER_LAST:g} seconds, so write"
            f" that or more, got {entry['over_last']!r}"
        )
    window = Window(
        after=values.get("after", 0.0),
        over_last=over_last,
        for_at_least=values.get("for_at_least", 0.0),
    )
    return None if window == Window() else window


def _read(key: str, name: str, value: object) -> float:
    try:
        seconds = parse_duration(value)
    except OptionError as error:
        raise ThresholdError(f"{key}: {name}: {error}") from None
    if seconds < 0:
        raise ThresholdError(f"{key}: {name}: can't be negative, got {value!r}")
    return seconds


def _refuse_slips(key: str, entry: Mapping[str, object]) -> None:
    # k6 ignores what it does not know, and scripts may rely on that. A slip of the
    # pen is another thing: a threshold would look at other samples than it says.
    for name in entry:
        if name in _KNOWN or name in _K6S:
            continue
        near = get_close_matches(str(name), _KNOWN, n=1)
        if near:
            raise ThresholdError(
                f"{key}: a threshold does not take {name!r}; did you mean {near[0]!r}?"
            )
