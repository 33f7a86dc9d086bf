"""Calls of ours that somebody forgot to await, told where they stand.

``vu.http.get("/")`` without ``await`` sends nothing and fails nothing. Python
warns when it throws such a call away, perhaps once for a thousand of them and
without the cure. That warning is what is counted here, so calls that are awaited
cost nothing.
"""

import linecache
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_k6api.vu.failures.tracebacks import format_location, is_users
from pytest_k6api.vu.vu import current_vu

_WARNING = r"coroutine '(Client|VU)\.(\w+)' was never awaited"
_WRITTEN = re.compile(r"(?<!await )\bvu\.(?:http\.)?\w+(?=\()")
_AWAITED = {"VU.sleep": "vu.sleep", "VU.pace": "vu.pace", "Client.batch": "vu.http.batch"}


class ForgottenAwaits:
    """Those of one load test, counted by place."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Count them while the context is open; all other warnings pass."""
        with warnings.catch_warnings():
            warnings.filterwarnings("always", _WARNING, RuntimeWarning)
            show = warnings.showwarning

            def count(
                message: Warning | str,
                category: type[Warning],
                filename: str,
                lineno: int,
                *passed: Any,  # whatever else Python hands to `warnings.showwarning`
                **named: Any,
            ) -> None:
                if found := re.match(_WARNING, str(message)):
                    self._count(f"{found[1]}.{found[2]}", filename, lineno)
                else:
                    show(message, category, filename, lineno, *passed, **named)

            warnings.showwarning = count
            yield

    def sentences(self) -> list[str]:
        """Return what was forgotten, one sentence for each place."""
        counts = self._counts.copy()
        placed = [key for key in counts if key[0]]
        if len(placed) == 1:
            # What the first failure's traceback held on to was thrown away outside of any VU.
            counts = Counter({placed[0]: counts.total()})
        return [
            f"{place}{call}(...) was called {_times(count)} and never awaited, so it did nothing;"
            f" write: await {call}(...)"
            for (place, call), count in counts.items()
        ]

    def _count(self, name: str, filename: str, lineno: int) -> None:
        call = _AWAITED.get(name, "vu.http.get")
        vu = current_vu.get(None)
        place = f"{vu.scenario}: " if vu is not None and vu.scenario else ""
        # Elsewhere than in the user's code it was thrown away later than it was called.
        if is_users(filename):
            place = f"{format_location(filename, lineno)}: "
            if written := _WRITTEN.search(linecache.getline(filename, lineno)):
                call = written[0]
        self._counts[place, call] += 1


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
