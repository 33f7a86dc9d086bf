"""Wall time in the formats of k6's file outputs. Pure.

Source: k6 v1.1.0, ``output/csv/config.go``, ``TimeFormat``, and Go's ``time.RFC3339Nano``.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(us: int) -> str:
    """Return `us` microseconds since the epoch as ``2026-11-27T19:10:38.291716Z``."""
    seconds, rest = divmod(us, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


def _rfc3339_whole(us: int) -> str:
    return f"{_second(us // 1_000_000)}Z"


TIME_FORMATS: Mapping[str, Callable[[int], str]] = {
    "unix": lambda us: str(us // 1_000_000),
    "unix_milli": lambda us: str(us // 1_000),
    "unix_micro": str,
    "unix_nano": lambda us: f"{us}000",
    "rfc3339": _rfc3339_whole,
    "rfc3339_nano": rfc3339,
}
"""How `K6_CSV_TIME_FORMAT` can have a time, given in microseconds since the epoch."""


class TimeColumn:
    """Formats the times of the series of one batch.

    The series of one protocol's samples share a tuple of times: a dozen metrics of each
    request. So each tuple is formatted once.

    Args:
        format_all: Returns the text of each time of a tuple.
    """

    def __init__(self, format_all: Callable[[tuple[int, ...]], Sequence[str]]) -> None:
        self._format_all = format_all
        # The tuples are kept, so that their `id` stays theirs.
        self._formatted: dict[int, tuple[Sequence[str], tuple[int, ...]]] = {}

    @classmethod
    def of(cls, format_time: Callable[[int], str]) -> "TimeColumn":
        """Return one that formats each time for itself."""
        return cls(lambda times_us: list(map(format_time, times_us)))

    def texts(self, times_us: tuple[int, ...]) -> Sequence[str]:
        """Return the text of each of `times_us`."""
        known = self._formatted.get(id(times_us))
        if known is None:
            known = self._formatted[id(times_us)] = self._format_all(times_us), times_us
        return known[0]
