"""Calls of this package that were never awaited, or whose blocks were never entered, by location.

``vu.http.get("/")`` without ``await`` sends nothing and raises nothing. Python warns
when such a coroutine is collected, perhaps once for a thousand of them and without
advice. These warnings are counted here, so awaited calls cost nothing. Blocks without
``async with`` and calls of stubs warn in the same way (`pytest_k6api.protocols.blocks`).
"""

import linecache
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pytest_k6api.vu.failures.tracebacks import format_location, is_users
from pytest_k6api.vu.vu import current_vu

_WARNING = (
    r"coroutine '(Client|VU|WebSocket|WebSocketSession|GrpcClient|Channel|StreamingCall)\.(\w+)'"
    r" was never awaited"
)
_NEVER_USED = r"((?:vu|stub)\.[\w.]+)\(\.\.\.\) was never ([\w ]+); write: (.+)"
_WRITTEN = re.compile(
    r"(?<!await )\b(?:vu\.(?:(?:http|grpc)\.)?\w+"
    r"|\w+\.(?:send|receive|request|ping|close|read|write|done_writing|health))(?=\()"
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
    "GrpcClient.invoke": "vu.grpc.invoke",
    "Channel.health": "channel.health",
    "StreamingCall.read": "call.read",
    "StreamingCall.write": "call.write",
    "StreamingCall.done_writing": "call.done_writing",
}


class _Forgotten(NamedTuple):
    """One kind of call that did nothing.

    Attributes:
        location: The place or the scenario, with a colon; empty if neither is known.
        call: What was called.
        lacks: What was not done with it: ``awaited``, ``entered`` or ``iterated over``.
        cure: What to write.
    """

    location: str
    call: str
    lacks: str
    cure: str


class ForgottenAwaits:
    """The calls of one load test that were never awaited or entered, counted by location."""

    def __init__(self) -> None:
        self._counts: Counter[_Forgotten] = Counter()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Count them while the context is open; other warnings are passed on."""
        with warnings.catch_warnings():
            for text in (_WARNING, _NEVER_USED):
                warnings.filterwarnings("always", text, RuntimeWarning)
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
                    self._count_await(f"{found[1]}.{found[2]}", filename, lineno)
                elif found := re.match(_NEVER_USED, str(message)):
                    location = _location(filename, lineno)
                    self._counts[_Forgotten(location, *found.groups())] += 1
                else:
                    show(message, category, filename, lineno, *passed, **named)

            warnings.showwarning = count
            yield

    def sentences(self) -> list[str]:
        """Return one sentence for each location."""
        counts = self._counts.copy()
        located = [each for each in counts if each.location]
        if len(located) == 1:
            # A coroutine in the first failure's traceback is collected outside of any VU.
            counts = Counter({located[0]: counts.total()})
        return [
            f"{each.location}{each.call}(...) was called {_times(count)} and never {each.lacks}, so it"
            f" did nothing; write: {each.cure}"
            for each, count in counts.items()
        ]

    def _count_await(self, name: str, filename: str, lineno: int) -> None:
        call = _AWAITED.get(name, "vu.http.get")
        if is_users(filename) and (written := _WRITTEN.search(linecache.getline(filename, lineno))):
            call = written[0]
        forgotten = _Forgotten(_location(filename, lineno), call, "awaited", f"await {call}(...)")
        self._counts[forgotten] += 1


def _location(filename: str, lineno: int) -> str:
    if is_users(filename):
        return f"{format_location(filename, lineno)}: "
    # It was collected later than it was called.
    vu = current_vu.get(None)
    return f"{vu.scenario}: " if vu is not None and vu.scenario else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
