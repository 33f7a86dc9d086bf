"""Reading the values of options: from Python objects, and from text.

A reader takes what a user wrote and returns the value that the package works
with, or raises `OptionError` with what was read and what to write instead.
Markers give Python objects; ini files, the environment and the command line
give text, which `from_text` turns into the same objects first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_k6api.model.durations import parse_duration
from pytest_k6api.model.errors import OptionError


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a ramp: where it leads, and how long it takes.

    Attributes:
        duration: Seconds; 0 jumps.
        target: VUs or iterations per time unit at the end of the stage.
    """

    duration: float
    target: int


def read_count(value: object) -> int:
    """Read a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"takes a whole number, got {value!r}")
    if value < 0:
        raise OptionError(f"can't be negative, got {value!r}")
    return value


def read_rate(value: object) -> float:
    """Read a number of iterations per time unit, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionError(f"takes a number, got {value!r}")
    if not math.isfinite(value) or value < 0:
        raise OptionError(f"takes a number of 0 or more, got {value!r}")
    return value


def read_seconds(value: object) -> float:
    """Read a duration of 0 or more, in seconds."""
    seconds = parse_duration(value)
    if seconds < 0:
        raise OptionError(f"can't be negative, got {value!r}")
    return seconds


def read_text(value: object) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise OptionError(f"takes a text, got {value!r}")
    return value


def read_base_url(value: object) -> str:
    """Read the address of a service: with its scheme, or empty."""
    text = read_text(value)
    if text and not text.lower().startswith(("http://", "https://")):
        bare = text.rpartition("://")[2]
        raise OptionError(f"takes a URL such as 'http://{bare}', got {value!r}")
    return text


def read_texts(value: object) -> Mapping[str, str]:
    """Read a mapping of text to text; numbers and truth values become text."""
    if not isinstance(value, Mapping):
        raise OptionError(f"takes a mapping such as {{'kind': 'smoke'}}, got {value!r}")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, (str, int, float)):
            raise OptionError(f"takes text as keys and values, got {key!r}: {item!r}")
    return {key: item if isinstance(item, str) else str(item) for key, item in value.items()}


def read_stages(value: object) -> tuple[Stage, ...]:
    """Read a list of (duration, target) pairs, or of mappings with these keys."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise OptionError(f"takes a list such as [('30s', 20), ('10s', 0)], got {value!r}")
    if not value:
        raise OptionError("at least one stage has to be specified")
    return tuple(_read_stage(number, item) for number, item in enumerate(value, 1))


def _read_stage(number: int, item: object) -> Stage:
    if isinstance(item, Mapping) and set(item) == {"duration", "target"}:
        duration, target = item["duration"], item["target"]
    elif isinstance(item, Stage):
        return item
    elif isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2:
        duration, target = item
    else:
        raise OptionError(f"stage {number} takes a pair such as ('30s', 20), got {item!r}")
    try:
        seconds = read_seconds(duration)
    except OptionError as error:
        raise OptionError(f"the duration of stage {number}: {error}") from None
    try:
        return Stage(seconds, read_count(target))
    except OptionError as error:
        raise OptionError(f"the target of stage {number} {error}") from None


def number_from_text(text: str) -> int | float | str:
    """Return the number that `text` spells, or `text` itself, for a reader to refuse."""
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text


def stages_from_text(text: str) -> object:
    """Return k6's text form of stages as pairs: ``30s:20,10s:0``.

    Source: k6 v1.1.0, ``K6_STAGES`` and ``--stage``.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        duration, colon, target = part.rpartition(":")
        if not colon:
            raise OptionError(
                f"cannot read the stage {part!r}; write DURATION:TARGET, as in '30s:20'"
            )
        pairs.append((duration, number_from_text(target)))
    return pairs


def texts_from_text(text: str) -> Mapping[str, str]:
    """Return ``NAME=VALUE`` pairs, separated by commas or lines, as a mapping."""
    pairs = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise OptionError(f"cannot read {part!r}; write NAME=VALUE")
        pairs[name] = value
    return pairs


def seconds_from_text(text: str) -> object:
    """Return `text` itself: durations are text already."""
    return text.strip()
