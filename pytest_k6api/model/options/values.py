"""Readers of option values, from Python objects and from text.

A reader takes a value as written and returns the value that the package works
with, or raises `OptionError` with the value and the remedy. Markers give Python
objects; ini files, the environment and the command line give text, which
`from_text` turns into the same objects first.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_k6api.model.durations import parse_duration, shown_number
from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.secrets import SECRETS
from pytest_k6api.model.text import shown

_SWITCH_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
MOST_VUS = 10_000_000
"""The most virtual users, or iterations a second, of a scenario: far beyond all memory and processors."""

MOST_ITERATIONS = 2**53
"""The most iterations: whole numbers up to here are exact as floats and in JSON."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a ramp.

    Attributes:
        duration: Seconds; 0 jumps.
        target: VUs or iterations per time unit at the end of the stage.
    """

    duration: float
    target: int


def read_count(value: object, most: int = MOST_VUS) -> int:
    """Read a whole number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"takes a whole number, got {shown(value)}")
    if value > most:
        raise OptionError(f"can't be more than {most:,}, got {shown_number(value)}")
    if value < 0:
        raise OptionError(f"can't be negative, got {shown_number(value)}")
    return value


def read_iterations(value: object) -> int:
    """Read a number of iterations, 0 or more."""
    return read_count(value, MOST_ITERATIONS)


def read_rate(value: object) -> float:
    """Read a number of iterations per time unit, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionError(f"takes a number, got {shown(value)}")
    # NaN compares false with everything.
    if not 0 <= value < math.inf:
        raise OptionError(f"takes a number of 0 or more, got {shown_number(value)}")
    if value > MOST_ITERATIONS:
        raise OptionError(f"can't be more than {MOST_ITERATIONS:,}, got {shown_number(value)}")
    return value


def read_seconds(value: object) -> float:
    """Read a duration of 0 or more, in seconds."""
    seconds = parse_duration(value)
    if seconds < 0:
        raise OptionError(f"can't be negative, got {shown(value)}")
    return seconds


_SIZE = re.compile(r"(\d+(?:\.\d*)?)\s*(B|kB|MB|GB)", re.IGNORECASE)
_BYTES_PER_UNIT = {"b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def parse_size(text: str) -> int:
    """Return the bytes that `text` stands for, such as ``40MB``.

    Raises:
        OptionError: `text` is no positive number with a unit.
    """
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _BYTES_PER_UNIT[match[2].lower()] if match else 0
    if not 1 <= size < math.inf:
        raise OptionError(f"takes a size such as 40MB, in B, kB, MB or GB, got {shown(text)}")
    return int(size)


_HTTP_VERSIONS = ("auto", "1.1", "2", "2-prior-knowledge", "3")


def read_text(value: object) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise OptionError(f"must be a string, got {shown(value)}")
    return value


def read_base_url(value: object) -> str:
    """Read the address of a service: with its scheme, or empty."""
    text = read_text(value)
    if text and not text.lower().startswith(("http://", "https://")):
        bare = text.rpartition("://")[2]
        if text.lower().startswith("unix:"):
            raise OptionError(
                f"takes a URL such as 'http://app', with --k6-hosts=app={text} for the socket, got"
                f" {shown(text)}"
            )
        raise OptionError(
            f"takes a URL such as {SECRETS.mask_url(f'http://{bare}')!r},"
            f" got {SECRETS.mask_url(text)!r}"
        )
    return text


def read_http_versions(value: object) -> str:
    """Read the versions of HTTP that connections may speak."""
    if isinstance(value, str) and value in _HTTP_VERSIONS:
        return value
    raise OptionError(f"takes one of {', '.join(_HTTP_VERSIONS)}, got {shown(value)}")


def read_pairs(name: str, value: object) -> list[tuple[Any, Any]]:
    """Return the pairs of the option `name`, given as a mapping or as an iterable of pairs."""
    pairs: Any = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, (str, bytes)):
        try:
            return [(key, item) for key, item in pairs]
        except (TypeError, ValueError):
            pass
    # Not its repr: it may contain a password.
    raise OptionError(
        f"{name} takes a mapping, or pairs of name and value, got {type(value).__name__}"
    )


def read_texts(value: object) -> Mapping[str, str]:
    """Read a mapping of text to text; numbers and truth values become text."""
    if not isinstance(value, Mapping):
        raise OptionError(f"takes a mapping such as {{'kind': 'smoke'}}, got {shown(value)}")
    texts = {}
    for key, item in value.items():
        try:
            texts[key] = item if isinstance(item, str) else str(item)
            is_text = isinstance(key, str) and isinstance(item, (str, int, float))
        except Exception:  # noqa: BLE001 - an endless integer, or the test's code
            is_text = False
        if not is_text:
            raise OptionError(f"takes text as keys and values, got {shown(key)}: {shown(item)}")
    return texts


def read_stages(value: object) -> tuple[Stage, ...]:
    """Read a list of (duration, target) pairs, or of mappings with these keys."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise OptionError(f"takes a list such as [('30s', 20), ('10s', 0)], got {shown(value)}")
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
        raise OptionError(f"stage {number} takes a pair such as ('30s', 20), got {shown(item)}")
    try:
        seconds = read_seconds(duration)
    except OptionError as error:
        raise OptionError(f"the duration of stage {number}: {error}") from None
    try:
        return Stage(seconds, read_count(target))
    except OptionError as error:
        raise OptionError(f"the target of stage {number} {error}") from None


def read_thresholds(value: object) -> Mapping[str, object]:
    """Read a mapping from metric to a list of thresholds; `metrics` parses the thresholds."""
    if not isinstance(value, Mapping):
        raise OptionError(
            f"takes a mapping such as {{'http_req_duration': ['p(95)<200']}}, got {shown(value)}"
        )
    return value


def read_function(value: object) -> Callable[..., object]:
    """Read a function."""
    if not callable(value):
        raise OptionError(f"takes a function, got {shown(value)}")
    return value


def read_timeout(value: object) -> float:
    """Read a duration of more than 0, in seconds."""
    seconds = read_seconds(value)
    if not seconds:
        raise OptionError(f"must be more than 0, got {shown(value)}")
    return seconds


def read_consequence(value: object) -> str:
    """Read the consequence of a failure: it fails the load test, or is only counted."""
    if isinstance(value, str) and value in ("fail", "record"):
        return value
    raise OptionError(f"takes fail or record, got {shown(value)}")


def read_names(value: object) -> tuple[str, ...]:
    """Read a list of names."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise OptionError(f"takes a list of names, got {shown(value)}")
    names = tuple(value)
    if not all(isinstance(name, str) and name for name in names):
        raise OptionError(f"takes a list of names, got {shown(value)}")
    return names


def read_switch(value: object) -> bool:
    """Read a yes or no."""
    if not isinstance(value, bool):
        raise OptionError(f"takes True or False, got {shown(value)}")
    return value


def switch_from_text(text: str) -> object:
    """Return the truth value that `text` spells, or `text` itself, for a reader to refuse."""
    return _SWITCH_WORDS.get(text.lower(), text)


def number_from_text(text: str) -> int | float | str:
    """Return the number that `text` spells, or `text` itself, for a reader to refuse."""
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text


def stages_from_texts(texts: Sequence[str]) -> object:
    """Return k6's text form of stages as pairs; each text may hold several: ``30s:20,10s:0``.

    Source: k6 v1.1.0, ``K6_STAGES`` and ``--stage``.
    """
    pairs = []
    for part in filter(None, (part.strip() for text in texts for part in text.split(","))):
        duration, colon, target = part.rpartition(":")
        if not colon:
            raise OptionError(
                f"cannot read the stage {shown(part)}; write DURATION:TARGET, as in '30s:20'"
            )
        pairs.append((duration, number_from_text(target)))
    return pairs


def pairs_from_texts(texts: Sequence[str]) -> Mapping[str, str]:
    """Return texts of ``NAME=VALUE`` as a mapping; the value is all after the first ``=``."""
    pairs = {}
    for text in texts:
        name, equals, value = text.strip().partition("=")
        if not equals or not name:
            raise OptionError(f"cannot read {shown(text)}; write NAME=VALUE")
        pairs[name] = value
    return pairs


def thresholds_from_texts(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return texts of ``METRIC:EXPRESSION`` as lists of expressions by metric."""
    thresholds: dict[str, list[str]] = {}
    for text in texts:
        # From the right: tags in braces have colons, expressions have none.
        metric, _, expression = text.rpartition(":")
        if not metric.strip():
            raise OptionError(
                f"cannot read {shown(text)}; write '<metric>: <expression>', such as"
                " 'http_req_failed: rate<0.01'"
            )
        thresholds.setdefault(metric.strip(), []).append(expression.strip())
    return thresholds


def split_entries(text: str) -> list[str]:
    """Return the entries of a list in one text.

    Each line is an entry; in a text of one line commas separate them, except for commas
    in braces, as in ``checks{a:b,c:d}:rate>0.9``.
    """
    lines = text.splitlines()
    entries = lines if len(lines) > 1 else _SEPARATOR.split(text)
    return [entry.strip() for entry in entries if entry.strip()]


_SEPARATOR = re.compile(r",(?![^{}]*\})")
