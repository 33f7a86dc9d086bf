"""Server-sent events of the session: starts, ends, states, metrics, thresholds.

==============  ==========================================================  ===============
event           data                                                        sent
==============  ==========================================================  ===============
``test``        the load test, as in ``/v1/tests/{id}``                     start, end
``status``      the status, as in ``/v1/status``                            on every change
``metrics``     all metrics, as in ``/v1/metrics``                          every second
``scenarios``   all scenarios, as in ``/v1/scenarios``                      every second
``threshold``   a threshold that was crossed, or holds again                when it does
==============  ==========================================================  ===============

A listener that does not keep up is dropped. Without listeners the hub costs nothing:
it reads load tests only while there are some.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from pytest_k6api.api.documents import (
    Document,
    encode,
    load_test_data,
    metric_data,
    scenario_data,
    status_data,
    threshold_data,
)
from pytest_k6api.api.ports import LoadTestPort, SessionPort
from pytest_k6api.metrics import Snapshot, ThresholdSnapshot
from pytest_k6api.model import StatusSnapshot

_LOOK_EVERY: Final = 0.25
_LOOKS_PER_SNAPSHOT: Final = 4
_QUEUE: Final = 64
_HEARTBEAT: Final = 15.0


class EventHub:
    """Watches a session while there are listeners, and sends them its events.

    Args:
        session: The session.
        report: Called with unforeseen exceptions.
    """

    def __init__(self, session: SessionPort, report: Callable[[Exception], None]) -> None:
        self._session = session
        self._report = report
        self._listeners: set[trio.MemorySendChannel[bytes]] = set()
        self._has_listeners = trio.Event()
        self._seen = _Seen()
        self._number = 0

    async def run(self) -> None:
        """Watch until cancelled; then every stream of events ends."""
        try:
            while True:
                await self._has_listeners.wait()
                await self._watch()
                self._has_listeners, self._seen = trio.Event(), _Seen()
        finally:
            for listener in list(self._listeners):
                self._drop(listener)

    async def _watch(self) -> None:
        looks = 0
        while self._listeners:
            try:
                await self._look(with_snapshot=looks % _LOOKS_PER_SNAPSHOT == 0)
            except Exception as error:  # noqa: BLE001 - one bad look must not end the stream
                self._report(error)
            looks += 1
            await trio.sleep(_LOOK_EVERY)

    def subscribe(self) -> "Subscription":
        """Return the events from now on, the state of things first."""
        listener, events = trio.open_memory_channel[bytes](_QUEUE)
        for event in self._greeting():
            listener.send_nowait(event)
        self._listeners.add(listener)
        self._has_listeners.set()
        return Subscription(events, partial(self._drop, listener))

    def _greeting(self) -> list[bytes]:
        load_test = self._session.current
        if load_test is None:
            return [b": no load test has started yet\n\n"]
        status = load_test.live.status
        self._seen.greets(load_test, status)
        return [
            self._event("test", load_test_data(load_test, status, is_current=True)),
            self._event("status", status_data(status)),
        ]

    async def _look(self, *, with_snapshot: bool) -> None:
        # One load test may have ended and the next begun since the last look.
        for load_test in self._seen.and_after(self._session.load_tests):
            await self._look_at(load_test, with_snapshot=with_snapshot)

    async def _look_at(self, load_test: LoadTestPort, *, with_snapshot: bool) -> None:
        status = await status_with_outcome(load_test)
        is_current = load_test is self._session.current
        if self._seen.tells_new_test(load_test):
            self._tell("test", load_test_data(load_test, status, is_current=is_current))
        if self._seen.tells_new_status(status):
            self._tell("status", status_data(status))
        if self._seen.tells_results(load_test, is_time=with_snapshot):
            self._tell_snapshot(await load_test.snapshot())
            self._tell("scenarios", [scenario_data(item) for item in load_test.live.scenarios])

    def _tell_snapshot(self, snapshot: Snapshot) -> None:
        self._tell("metrics", [metric_data(metric) for metric in snapshot.metrics.values()])
        for threshold in self._seen.turned_thresholds(snapshot):
            self._tell("threshold", threshold_data(threshold))

    def _tell(self, name: str, data: object) -> None:
        event = self._event(name, data)
        for listener in list(self._listeners):
            try:
                listener.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._drop(listener)

    def _event(self, name: str, data: object) -> bytes:
        self._number += 1
        head = f"id: {self._number}\nevent: {name}\ndata: ".encode()
        return b"".join((head, encode(Document(data)), b"\n\n"))

    def _drop(self, listener: trio.MemorySendChannel[bytes]) -> None:
        self._listeners.discard(listener)
        listener.close()


class Subscription:
    """The events of one listener; a comment now and then lets a dead client be noticed.

    Args:
        events: The channel of its events.
        leave: Called when the listener has gone.
    """

    def __init__(self, events: trio.MemoryReceiveChannel[bytes], leave: Callable[[], None]) -> None:
        self._events = events
        self._leave = leave

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> bytes:
        with trio.move_on_after(_HEARTBEAT):
            try:
                return await self._events.receive()
            except trio.EndOfChannel:
                raise StopAsyncIteration from None
        return b": still here\n\n"

    async def aclose(self) -> None:
        """Listen no more."""
        self._leave()
        await self._events.aclose()


async def status_with_outcome(load_test: LoadTestPort) -> StatusSnapshot:
    """Return the status that belongs to `load_test.outcome`: both of the same moment."""
    while True:
        outcome = load_test.outcome
        status = await load_test.read(lambda now: now.status)
        if load_test.outcome == outcome:
            return status


_OUTDATED: Final = "outdated"


class _Seen:
    """Events that listeners have already got."""

    def __init__(self) -> None:
        self._test: tuple[str, str | None] | None = None
        self._status: object = None
        self._thresholds: dict[tuple[str, str], bool] = {}
        self._complete: set[str] = set()  # load tests whose final results were sent

    def and_after(self, load_tests: Sequence[LoadTestPort]) -> Sequence[LoadTestPort]:
        """Return the load test of the last event and those after it."""
        told = self._test[0] if self._test else None
        for index, load_test in enumerate(load_tests):
            if load_test.id == told:
                return load_tests[index:]
        return load_tests

    def greets(self, load_test: LoadTestPort, status: StatusSnapshot) -> None:
        """Note the first events of a new listener, so that it gets every later change."""
        if self._test is None:
            self._test = (load_test.id, load_test.outcome)
        told = status_data(status)
        self._complete.discard(load_test.id)
        # The published status may be older than the last event: then all listeners get it anew.
        self._status = told if self._status in (None, told) else _OUTDATED

    def tells_new_test(self, load_test: LoadTestPort) -> bool:
        """Take in `load_test`; return whether it started or ended since the last time."""
        seen = (load_test.id, load_test.outcome)
        if self._test is not None and self._test[0] != load_test.id:
            self._thresholds.clear()
        is_new = self._test != seen
        self._test = seen
        return is_new

    def tells_results(self, load_test: LoadTestPort, *, is_time: bool) -> bool:
        """Return whether to send results: when `is_time`, and once after the end."""
        if load_test.outcome is None:
            return is_time
        is_new = load_test.id not in self._complete
        self._complete.add(load_test.id)
        return is_new

    def tells_new_status(self, status: StatusSnapshot) -> bool:
        """Take in the status; return whether it changed since the last time."""
        seen = status_data(status)
        is_new = self._status != seen
        self._status = seen
        return is_new

    def turned_thresholds(self, snapshot: Snapshot) -> list[ThresholdSnapshot]:
        """Take in the thresholds; return those that failed for the first time or turned."""
        turned = []
        for threshold in snapshot.thresholds:
            key = (threshold.metric, threshold.text)
            if threshold.ok is None:
                continue
            if threshold.ok != self._thresholds.get(key, True):
                turned.append(threshold)
            self._thresholds[key] = threshold.ok
        return turned
