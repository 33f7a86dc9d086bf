"""Numbers and characters in a terminal: times, bytes, shares, counts, and forms in ASCII.

k6's forms, save for counts, whose thousands are separated. Times are cut, not
rounded, so that 999.999 ms is never shown as a second.

Source: k6 v1.1.0, ``internal/js/summary.js``, ``humanizeGenericDuration``,
``humanizeBytes``, ``humanizeValue``.
"""

import math
from collections.abc import Mapping

from pytest_k6api.model import Contains

NOTHING = "–"
"""What stands for a number before anything was measured."""

# For terminals and logs without our own characters.
_FORMS: Mapping[str, str] = {
    "✓": "+",
    "✗": "x",
    "↳": ">",
    "→": "->",
    "–": "-",
    "—": "-",
    "…": "...",
    "µ": "u",
    "━": "-",
    "╸": "-",
    "╺": "-",
}

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def format_time(milliseconds: float) -> str:
    """Return a time with the unit that suits it: ``850ns``, ``12.3µs``, ``1.5ms``, ``1m30s``."""
    if not math.isfinite(milliseconds):
        return str(milliseconds)
    size = abs(milliseconds)
    if size == 0:
        return "0s"
    if size < 0.001:
        return f"{math.trunc(milliseconds * 1e6)}ns"
    if size < 1:
        return f"{_cut(milliseconds * 1e3)}µs"
    if size < 1000:
        return f"{_cut(milliseconds)}ms"
    if size < 60_000:
        return f"{_cut(milliseconds / 1e3)}s"
    minutes, seconds = divmod(math.trunc(size / 1e3), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{f'{hours}h' if hours else ''}{minutes}m{seconds}s"


def format_bytes(count: float) -> str:
    """Return a number of bytes, in thousands: ``0 B``, ``1.2 kB``, ``34 MB``."""
    if not math.isfinite(count) or abs(count) < 10:
        return f"{format_number(count)} B"
    scaled = abs(count)
    unit = 0
    while scaled >= 1000 and unit < len(_BYTE_UNITS) - 1:
        scaled /= 1000
        unit += 1
    scaled = math.floor(scaled * 10 + 0.5) / 10
    sign = "-" if count < 0 else ""
    digits = f"{scaled:.1f}" if scaled < 10 else f"{math.floor(scaled + 0.5)}"
    return f"{sign}{digits} {_BYTE_UNITS[unit]}"


def format_number(number: float) -> str:
    """Return a plain number with what is not zero of six decimals: ``0.001``, ``12.5``."""
    if not math.isfinite(number):
        return str(number)
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def format_share(share: float) -> str:
    """Return a share of 0 to 1 in per cent, never rounded up to 100%."""
    return f"{math.trunc(share * 100 * 100) / 100:.2f}%"


def format_count(count: float) -> str:
    """Return a count with separators: ``1,234,567``."""
    if not math.isfinite(count):
        return str(count)
    return f"{int(count):,}" if float(count).is_integer() else f"{count:,.2f}"


def format_value(value: float, contains: Contains) -> str:
    """Return a metric's number in the form for what it stands for."""
    if contains is Contains.TIME:
        return format_time(value)
    if contains is Contains.DATA:
        return format_bytes(value)
    return format_number(value)


def format_per_second(rate: float, contains: Contains = Contains.DEFAULT) -> str:
    """Return a rate per second: ``12.5/s``, ``3.4 kB/s``."""
    if contains is Contains.DATA:
        return f"{format_bytes(rate)}/s"
    if not math.isfinite(rate) or abs(rate) < 1:
        return f"{format_number(rate)}/s"
    return f"{rate:,.6g}/s" if abs(rate) < 1000 else f"{rate:,.0f}/s"


def _cut(number: float) -> str:
    text = f"{math.trunc(number * 100) / 100:.2f}"
    return text.rstrip("0").rstrip(".")


def in_encoding(text: str, encoding: str) -> str:
    r"""Return `text` with all characters that `encoding` has; the others in another form.

    What has no form in ASCII is shown by its number.

    >>> in_encoding("✓ p(95)<200  850µs – ű", "latin-1")
    '+ p(95)<200  850µs - \\u0171'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_in_encoding(char, encoding) for char in text)
    except LookupError:
        return in_encoding(text, "ascii")
    return text


def _in_encoding(char: str, encoding: str) -> str:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return _FORMS.get(char) or char.encode("ascii", "backslashreplace").decode()
    return char
