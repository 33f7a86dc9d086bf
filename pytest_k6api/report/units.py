"""Numbers as people read them in a terminal: times, bytes, shares, counts.

Source: k6 v1.1.0, ``internal/js/summary.js``, ``humanizeDuration`` and
``humanizeBytes``: decimals are cut, not rounded, and bytes count in thousands.
"""

import math

from pytest_k6api.model import Contains

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def format_time(milliseconds: float) -> str:
    """Return a time with the unit that suits it: ``850ns``, ``12.3µs``, ``1.5ms``, ``1m30s``."""
    if not math.isfinite(milliseconds):
        return str(milliseconds)
    size = abs(milliseconds)
    if size == 0:
        return "0s"
    if size < 0.001:
        return f"{_cut(milliseconds * 1e6)}ns"
    if size < 1:
        return f"{_cut(milliseconds * 1e3)}µs"
    if size < 1000:
        return f"{_cut(milliseconds)}ms"
    if size < 60_000:
        return f"{_cut(milliseconds / 1e3)}s"
    minutes, seconds = divmod(round(milliseconds / 1e3), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{seconds:02}s" if hours else f"{minutes}m{seconds:02}s"


def format_bytes(count: float) -> str:
    """Return a number of bytes, in thousands: ``0 B``, ``1.2 kB``, ``34 MB``."""
    size = abs(count)
    step = min(int(math.log10(size) // 3), len(_BYTE_UNITS) - 1) if size >= 1 else 0
    scaled = count / 1000**step
    text = f"{scaled:.0f}" if step == 0 or abs(scaled) >= 10 else f"{scaled:.1f}"
    return f"{text} {_BYTE_UNITS[step]}"


def format_share(share: float) -> str:
    """Return a share of 0 to 1 in per cent, never rounded up to 100%."""
    return f"{math.floor(share * 10_000) / 100:.2f}%"


def format_count(count: float) -> str:
    """Return a count with separators: ``1,234,567``."""
    return f"{int(count):,}" if float(count).is_integer() else f"{count:,.6g}"


def format_value(value: float, contains: Contains) -> str:
    """Return a metric's number in the form for what it stands for."""
    if contains is Contains.TIME:
        return format_time(value)
    if contains is Contains.DATA:
        return format_bytes(value)
    return _cut(value) if math.isfinite(value) else str(value)


def format_per_second(rate: float, contains: Contains = Contains.DEFAULT) -> str:
    """Return a rate per second: ``12.5/s``, ``3.4 kB/s``."""
    if contains is Contains.DATA:
        return f"{format_bytes(rate)}/s"
    return f"{rate:,.6g}/s" if rate < 1000 else f"{rate:,.0f}/s"


def _cut(number: float) -> str:
    text = f"{math.trunc(number * 100) / 100:.2f}"
    return text.rstrip("0").rstrip(".")
