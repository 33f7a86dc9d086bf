"""Durations as people write them, and as k6 prints them.

Inside the package a duration is a float of seconds. Outside it is a number of
seconds or k6's text with units; text without a unit is refused, because k6
reads it as milliseconds and Python's convention is seconds.
"""

import math
import re

from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.text import shown

_SECONDS_PER_UNIT = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,  # the Greek letter; the line above has the micro sign, as in Go
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
LONGEST = 9_223_372_036
"""The longest duration, in seconds: what k6's 64 bits of nanoseconds hold."""

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")


def parse_duration(value: object) -> float:
    """Return the seconds that `value` stands for.

    Args:
        value: Seconds as a number, or text such as ``"1m30s"``, ``"500ms"`` or
            ``"1d2h"``.

    Raises:
        OptionError: `value` is neither, is not finite, is longer than `LONGEST`, or is
            text without a unit.

    Source: k6 v1.1.0, ``lib/types/types.go``, ``ParseExtendedDuration``.
    """
    if isinstance(value, str):
        seconds = _parse_text(value.strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    else:
        raise OptionError(
            f"cannot read the duration {shown(value)}; write seconds as a number, or text such as"
            " '1m30s'"
        )
    if not -math.inf < seconds < math.inf:
        raise OptionError(f"a duration is a finite number of seconds, got {shown(value)}")
    if abs(seconds) > LONGEST:
        told = value if isinstance(value, str) else shown_number(value)
        raise OptionError(f"a duration is at most {LONGEST:,} s (292 years), got {told}")
    return float(seconds)


def shown_number(value: float) -> str:
    """Return `value` for a message; of a very long integer, the number of its digits."""
    # Python refuses to print integers of more than 4,300 digits.
    if not isinstance(value, int) or abs(value) < 10**30:
        return repr(value)
    return f"a number of {math.floor(math.log10(abs(value))) + 1:,} digits"


def _parse_text(text: str) -> float:
    if _WHOLE.fullmatch(text):
        seconds = sum(
            float(number) * _SECONDS_PER_UNIT[unit] for number, unit in _PART.findall(text)
        )
        return -seconds if text.startswith("-") else seconds
    if not _NUMBER.fullmatch(text):
        raise OptionError(
            f"cannot read the duration {shown(text)}; write numbers with units, such as '30s' or '1m30s'"
        )
    raise OptionError(
        f"the duration {shown(text)} has no unit; write '{text}s' for seconds or '{text}ms' for"
        " milliseconds"
    )


def format_duration(seconds: float) -> str:
    """Return `seconds` as Go prints a duration: ``1m30s``, ``500ms``, ``0s``.

    Source: Go, ``time.Duration.String``; resolution is one nanosecond.
    """
    nanoseconds = round(abs(seconds) * 1e9)
    sign = "-" if seconds < 0 and nanoseconds else ""
    if nanoseconds < 1_000_000_000:
        return sign + _format_below_a_second(nanoseconds)
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_plain(rest / 1e9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _format_below_a_second(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "0s"
    if nanoseconds >= 1_000_000:
        return f"{_plain(nanoseconds / 1e6)}ms"
    if nanoseconds >= 1_000:
        return f"{_plain(nanoseconds / 1e3)}µs"
    return f"{nanoseconds}ns"


def _plain(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")
