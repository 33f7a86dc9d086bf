"""Calls of this package that were never awaited, by location.

``vu.http.get("/")`` without ``await`` sends nothing and raises nothing. Python warns
when such a coroutine is collected, perhaps once for a thousand of them and without
advice. These warnings are counted here, so awaited calls cost nothing.
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

_WARNING = r"coroutine '(Client|VU|WebSocket|WebSocketSession)\.(\w+)' was never awaited"
_WRITTEN = re.compile(
    r"(?<!await )\b(?:vu\.(?:http\.)?\w+|\w+\.(?:send|receive|request|ping|close))(?=\()"
)
_AWAITED = {
    "VU.sleep": "vu.sleep",
    "VU.pace": "vu.pace",
    "Client.batch": "vu.http.batch",
    "WebSocketSession.send": "ws.send",
    "WebSocketSession.receive": "ws.receive",
    "WebSocket._request": "ws.request",
    "WebSocket._ping": "ws.ping",
    "WebSocket.close": "ws.close",
}


class ForgottenAwaits:
    """The calls of one load test that were never awaited, counted by location."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Count them while the context is open; other warnings are passed on."""
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
        """Return one sentence for each location."""
        counts = self._counts.copy()
        located = [key for key in counts if key[0]]
        if len(located) == 1:
            # A coroutine in the first failure's traceback is collected outside of any VU.
            counts = Counter({located[0]: counts.total()})
        return [
            f"{location}{call}(...) was called {_times(count)} and never awaited, so it did nothing;"
            f" write: await {call}(...)"
            for (location, call), count in counts.items()
        ]

    def _count(self, name: str, filename: str, lineno: int) -> None:
        call = _AWAITED.get(name, "vu.http.get")
        vu = current_vu.get(None)
        location = f"{vu.scenario}: " if vu is not None and vu.scenario else ""
        # Outside of the user's code it was collected later than it was called.
        if is_users(filename):
            location = f"{format_location(filename, lineno)}: "
            if written := _WRITTEN.search(linecache.getline(filename, lineno)):
                call = written[0]
        self._counts[location, call] += 1


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
