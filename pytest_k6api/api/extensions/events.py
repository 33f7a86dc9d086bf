"""Server-sent events of the session: starts, ends, states, metrics, thresholds, reports.

==============  ==========================================================  ==================
event           data                                                        sent
==============  ==========================================================  ==================
``test``        the load test, as in ``/v1/tests/{id}``                     start, end
``status``      the status, as in ``/v1/status``                            on every change
``metrics``     all metrics, as in ``/v1/metrics``                          every second
``scenarios``   all scenarios, as in ``/v1/scenarios``                      every second
``workers``     all workers, as in ``/v1/workers``                          every second, if any
``threshold``   a threshold that was crossed, or holds again                when it does
``timeline``    the last seconds of ``/v1/timeline``                        every second, asked
``report``      all that ``/v1/report`` shows                               when new, asked
==============  ==========================================================  ==================

Each event is made once, however many listeners there are, and only if one of them wants it;
those of one look are sent together. A listener that does not keep up is dropped. Without
listeners the hub does nothing (``benchmarks/bench_page.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from pytest_k6api.api.documents import (
    Document,
    LiveReportData,
    LiveTimelineData,
    encode,
    load_test_data,
    metric_data,
    scenario_data,
    status_data,
    threshold_data,
)
from pytest_k6api.api.extensions.workers import worker_data
from pytest_k6api.api.ports import LoadTestPort, SessionPort
from pytest_k6api.metrics import MOST_POINTS, Snapshot, ThresholdSnapshot
from pytest_k6api.model import StatusSnapshot

PLAIN: Final = frozenset({"test", "status", "metrics", "scenarios", "workers", "threshold"})
"""The events of a listener that does not choose."""
EVENTS: Final = PLAIN | {"timeline", "report"}

_LOOK_EVERY: Final = 0.25
_LOOKS_PER_SECOND: Final = 4
_QUEUE: Final = 64
_HEARTBEAT: Final = 15.0
_AGAIN: Final = 3
"""Points of the timeline that are told again: they may have grown."""


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    """Where the events of one listener go, and which it wants."""

    channel: trio.MemorySendChannel[bytes]
    names: frozenset[str]


class EventHub:
    """Watches a session while there are listeners, and sends them its events.

    Args:
        session: The session.
        report: Called with unforeseen exceptions.
    """

    def __init__(self, session: SessionPort, report: Callable[[Exception], None]) -> None:
        self._session = session
        self._report = report
        self._listeners: set[_Listener] = set()
        self._has_listeners = trio.Event()
        self._seen = _Seen()
        self._told: list[tuple[str, bytes]] = []
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
                await self._look(is_second=looks % _LOOKS_PER_SECOND == 0)
            except Exception as error:  # noqa: BLE001 - one bad look must not end the stream
                self._report(error)
            self._send()
            looks += 1
            await trio.sleep(_LOOK_EVERY)

    def subscribe(self, names: frozenset[str] = PLAIN) -> "Subscription":
        """Return the events from now on, the state of things first.

        Args:
            names: Which of `EVENTS` are wanted.
        """
        channel, events = trio.open_memory_channel[bytes](_QUEUE)
        channel.send_nowait(self._greeting(names))
        listener = _Listener(channel, names)
        self._listeners.add(listener)
        self._has_listeners.set()
        return Subscription(events, partial(self._drop, listener))

    def _greeting(self, names: frozenset[str]) -> bytes:
        load_test = self._session.current
        if load_test is None:
            return b": no load test has started yet\n\n"
        status = load_test.live.status
        self._seen.greets(load_test, status)
        events = {
            "test": load_test_data(load_test, status, is_current=True),
            "status": status_data(status),
        }
        told = b"".join(self._event(name, data) for name, data in events.items() if name in names)
        return told or b": listening\n\n"

    async def _look(self, *, is_second: bool) -> None:
        # One load test may have ended and the next begun since the last look.
        for load_test in self._seen.and_after(self._session.load_tests):
            await self._look_at(load_test, is_second=is_second)

    async def _look_at(self, load_test: LoadTestPort, *, is_second: bool) -> None:
        status = published_status_with_outcome(load_test)
        is_current = load_test is self._session.current
        if self._seen.tells_new_test(load_test):
            self._tell("test", load_test_data(load_test, status, is_current=is_current))
        if self._seen.tells_new_status(status):
            self._tell("status", status_data(status))
        if self._seen.tells_results(load_test, is_time=is_second):
            await self._tell_results(load_test)

    async def _tell_results(self, load_test: LoadTestPort) -> None:
        wanted = frozenset[str]().union(*(listener.names for listener in self._listeners))
        if wanted & {"metrics", "threshold"}:
            self._tell_snapshot(await load_test.snapshot())
        if "scenarios" in wanted:
            self._tell("scenarios", [scenario_data(item) for item in load_test.live.scenarios])
        if "workers" in wanted and (workers := load_test.live.workers):
            self._tell("workers", [worker_data(worker) for worker in workers])
        if "timeline" in wanted:
            await self._tell_timeline(load_test)
        if "report" in wanted:
            report = await load_test.report()
            if self._seen.tells_new_report(report):
                self._tell("report", LiveReportData(load_test.id, dict(report)))

    def _tell_snapshot(self, snapshot: Snapshot) -> None:
        self._tell("metrics", [metric_data(metric) for metric in snapshot.metrics.values()])
        for threshold in self._seen.turned_thresholds(snapshot):
            self._tell("threshold", threshold_data(threshold))

    async def _tell_timeline(self, load_test: LoadTestPort) -> None:
        since = self._seen.next_second(load_test)
        timeline = await load_test.read(lambda now: now.load_timeline(since))
        if timeline is None:
            return  # the loop is blocked: the next look tells more
        document = timeline.document(MOST_POINTS, since)
        if document["seconds"]:
            self._seen.tells_seconds(load_test, document["seconds"][-1], document["width"])
            self._tell("timeline", LiveTimelineData(load_test.id, document))

    def _tell(self, name: str, data: object) -> None:
        if any(name in listener.names for listener in self._listeners):
            self._told.append((name, self._event(name, data)))

    def _send(self) -> None:
        """Send what the last look told: to each listener what it wants, in one part."""
        told, self._told = self._told, []
        parts: dict[frozenset[str], bytes] = {}
        for listener in list(self._listeners):
            names = listener.names
            if names not in parts:
                parts[names] = b"".join(event for name, event in told if name in names)
            try:
                if parts[names]:
                    listener.channel.send_nowait(parts[names])
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._drop(listener)

    def _event(self, name: str, data: object) -> bytes:
        self._number += 1
        head = f"id: {self._number}\nevent: {name}\ndata: ".encode()
        return b"".join((head, encode(Document(data)), b"\n\n"))

    def _drop(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        listener.channel.close()


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


def published_status_with_outcome(load_test: LoadTestPort) -> StatusSnapshot:
    """Return the same as last published, which takes no turn of the load test's loop."""
    while True:
        outcome = load_test.outcome
        status = load_test.live.status
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
        self._report: object = None
        self._seconds: dict[str, int] = {}  # by load test, from which on the timeline is told

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

    def tells_new_report(self, report: object) -> bool:
        """Take in a report, the same object as long as it is not new; return whether it is."""
        is_new = self._report is not report
        self._report = report
        return is_new

    def next_second(self, load_test: LoadTestPort) -> int:
        """Return from which second on the timeline of `load_test` is to be told."""
        return self._seconds.get(load_test.id, max(0, int(load_test.live.status.elapsed) - _AGAIN))

    def tells_seconds(self, load_test: LoadTestPort, last: int, width: int) -> None:
        """Note the start of the last point of a timeline that was told, and how long it is."""
        self._seconds[load_test.id] = max(0, last - _AGAIN * width)

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
