"""Server-sent events, on a virtual clock."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import Any

import trio

from pytest_k6api.api import ResultsPort
from pytest_k6api.api.extensions.events import EventHub
from pytest_k6api.api.messages import Stream
from pytest_k6api.metrics import LoadTimeline, MetricSnapshot, Snapshot, ThresholdSnapshot
from pytest_k6api.model import Contains, MetricKind, TagTable
from pytest_k6api.model.metrics import HTTP_REQ_DURATION
from tests.api.fake import FakeLoadTest, FakeSession
from tests.virtual_time import in_virtual_time

HELD = ThresholdSnapshot(metric="checks", source="rate>0.9", ok=True, samples=1)
CHECKS = MetricSnapshot(
    id="checks",
    name="checks",
    kind=MetricKind.RATE,
    contains=Contains.DEFAULT,
    sample={"rate": 1.0},
    extra={},
    samples=1,
    thresholds=(HELD,),
)


def fail(problem: Exception) -> None:
    raise problem


@asynccontextmanager
async def watching(session: FakeSession) -> AsyncIterator[EventHub]:
    hub = EventHub(session, fail)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub
        nursery.cancel_scope.cancel()


class Heard:
    """The events of a listener, one by one, however they were sent."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._events: list[bytes] = []

    def __aiter__(self) -> "Heard":
        return self

    async def __anext__(self) -> bytes:
        if not self._events:
            self._events = (await anext(self._stream)).split(b"\n\n")[:-1]
        return self._events.pop(0) + b"\n\n"


def listen(hub: EventHub, *names: str) -> Heard:
    return Heard(hub.subscribe(frozenset(names)) if names else hub.subscribe())


def parsed(event: bytes) -> tuple[str, Any]:
    fields = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])["data"]


async def heard(stream: AsyncIterator[bytes], seconds: float) -> list[str]:
    """Return the names of the events of the next `seconds`."""
    names: list[str] = []
    with trio.move_on_after(seconds):
        while True:
            names.append(parsed(await anext(stream))[0])
    return names


@in_virtual_time
async def test_a_listener_is_told_the_state_and_then_the_metrics_every_second() -> None:
    async with watching(FakeSession(FakeLoadTest())) as hub:
        assert await heard(listen(hub), 2.6) == [
            "test",
            "status",
            *["metrics", "scenarios"] * 3,
        ]


@in_virtual_time
async def test_changes_are_told_within_a_quarter_of_a_second() -> None:
    load_test = FakeLoadTest()
    load_test.metrics = {"checks": CHECKS}
    async with watching(FakeSession(load_test)) as hub:
        stream = listen(hub)
        for _ in range(4):
            await anext(stream)
        began = trio.current_time()

        load_test.paused = True

        name, data = parsed(await anext(stream))
        assert name == "status"
        assert data["attributes"]["paused"] is True
        assert trio.current_time() - began <= 0.25


@in_virtual_time
async def test_a_threshold_is_told_when_it_fails_and_when_it_holds_again() -> None:
    load_test = FakeLoadTest()

    def judge(ok: bool | None) -> None:
        judged = (replace(HELD, ok=ok),)
        load_test.metrics = {"checks": replace(CHECKS, thresholds=judged)}

    told = []
    judge(None)
    async with watching(FakeSession(load_test)) as hub:
        stream = listen(hub)
        for ok in (None, True, False, False, True):
            judge(ok)
            with trio.move_on_after(1.1):
                while True:
                    name, data = parsed(await anext(stream))
                    if name == "threshold":
                        told.append(data["attributes"]["ok"])

    assert told == [False, True]


@in_virtual_time
async def test_the_end_of_a_load_test_is_told_with_a_last_snapshot_and_then_silence() -> None:
    load_test = FakeLoadTest()
    async with watching(FakeSession(load_test)) as hub:
        stream = listen(hub)
        for _ in range(4):
            await anext(stream)

        load_test.enter("ended-linger")

        names = [parsed(await anext(stream))[0] for _ in range(4)]
        assert names == ["test", "status", "metrics", "scenarios"]
        assert await anext(stream) == b": still here\n\n"


@in_virtual_time
async def test_the_next_load_test_is_told() -> None:
    session = FakeSession(FakeLoadTest("ended-linger", test_id="a"))
    async with watching(session) as hub:
        stream = listen(hub)
        names = [parsed(await anext(stream))[0] for _ in range(4)]
        assert names == ["test", "status", "metrics", "scenarios"]

        session.load_tests.append(FakeLoadTest(test_id="b"))

        name, data = parsed(await anext(stream))
        assert name == "test"
        assert data["id"] == "b"


@in_virtual_time
async def test_before_the_first_load_test_there_is_only_a_comment() -> None:
    async with watching(FakeSession()) as hub:
        assert await anext(listen(hub)) == b": no load test has started yet\n\n"


@in_virtual_time
async def test_a_listener_that_does_not_keep_up_is_dropped_and_others_are_not() -> None:
    async with watching(FakeSession(FakeLoadTest())) as hub:
        slow, quick = hub.subscribe(), listen(hub)
        await anext(slow)
        assert len(await heard(quick, 70.1)) > 2 * 64

        left = [part async for part in slow]

        assert len(left) == 64  # what its queue held, and then the end


@in_virtual_time
async def test_the_end_is_told_with_the_status_that_belongs_to_it() -> None:
    class Ending(FakeLoadTest):
        """Ends between the reading of its status and whatever is asked next."""

        is_watched = False

        @property
        def live(self) -> ResultsPort:
            published = copy(self)
            if self.is_watched:
                self.enter("ended-linger")
            return published

    ending = Ending()
    async with watching(FakeSession(ending)) as hub:
        stream = listen(hub)
        ending.is_watched = True
        told = [parsed(await anext(stream)) for _ in range(4)]

    ends = [data for name, data in told if name == "test"]
    assert [(end["attributes"]["outcome"], end["attributes"]["status"]) for end in ends] == [
        (None, 7),
        ("passed", 9),
    ]


@in_virtual_time
async def test_nobody_listening_costs_nothing() -> None:
    class Counting(FakeLoadTest):
        snapshots = 0

        async def snapshot(self) -> Snapshot:
            self.snapshots += 1
            return await super().snapshot()

    load_test = Counting()
    async with watching(FakeSession(load_test)) as hub:
        await trio.sleep(10)
        assert load_test.snapshots == 0
        stream = hub.subscribe()
        await heard(Heard(stream), 3.1)
        await stream.aclose()
        asked = load_test.snapshots
        await trio.sleep(10)

        assert (asked, load_test.snapshots) == (4, 4)


@in_virtual_time
async def test_streams_end_with_the_hub() -> None:
    async with watching(FakeSession(FakeLoadTest())) as hub:
        stream = hub.subscribe()
        await anext(stream)
    assert len([part async for part in stream]) < 2


@in_virtual_time
async def test_a_failing_look_is_reported_and_the_stream_goes_on() -> None:
    class Broken(FakeLoadTest):
        async def snapshot(self) -> Snapshot:
            raise RuntimeError("no snapshot")

    problems: list[Exception] = []
    load_test = Broken()
    hub = EventHub(FakeSession(load_test), problems.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        stream = listen(hub)
        for _ in range(2):
            await anext(stream)
        await trio.sleep(0.1)
        load_test.paused = True

        assert parsed(await anext(stream))[0] == "status"
        assert str(problems[0]) == "no snapshot"
        nursery.cancel_scope.cancel()


class Measured(FakeLoadTest):
    """A load test with a request in each second so far, which counts what it is asked for."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.asked = {"snapshot": 0, "report": 0, "timeline": 0}
        tags = TagTable()
        self.tags_id = tags.intern({"name": "home"})
        self.timeline = LoadTimeline(tags)
        self.measure(0, seconds)

    def measure(self, first: int, end: int) -> None:
        for second in range(first, end + 1):  # the last one is not over
            self.timeline.advance(second)
            self.timeline.see(HTTP_REQ_DURATION, {self.tags_id: [1000 + second]}, None)
        self.elapsed = float(end)

    async def snapshot(self) -> Snapshot:
        self.asked["snapshot"] += 1
        return await super().snapshot()

    async def report(self) -> Mapping[str, object]:
        self.asked["report"] += 1
        return await super().report()

    def load_timeline(self, since: int = 0, /) -> LoadTimeline | None:
        self.asked["timeline"] += 1
        return super().load_timeline(since)


@in_virtual_time
async def test_what_several_listeners_want_is_asked_for_once_and_the_rest_not_at_all() -> None:
    load_test = Measured(10)
    async with watching(FakeSession(load_test)) as hub:
        streams = [listen(hub, "status", "report", "timeline") for _ in range(10)]
        await trio.sleep(2.1)
        names = [await heard(stream, 0.01) for stream in streams]

    assert names == [["status", "timeline", "report", "timeline", "timeline"]] * 10
    assert load_test.asked == {"snapshot": 0, "report": 3, "timeline": 3}


@in_virtual_time
async def test_events_of_one_look_come_in_one_part() -> None:
    async with watching(FakeSession(Measured(3))) as hub:
        stream = hub.subscribe(frozenset({"scenarios", "timeline", "report"}))

        assert await anext(stream) == b": listening\n\n"
        assert (await anext(stream)).count(b"event: ") == 3


@in_virtual_time
async def test_a_report_is_told_when_it_is_new() -> None:
    load_test = Measured(3)
    load_test.shown = {"name": "first"}
    async with watching(FakeSession(load_test)) as hub:
        stream = listen(hub, "report")
        await anext(stream)
        told = [parsed(await anext(stream))]
        await trio.sleep(3)

        load_test.shown = {"name": "second"}

        told.append(parsed(await anext(stream)))
    assert [data for _, data in told] == [
        {"type": "reports", "id": "t1", "attributes": {"name": "first"}},
        {"type": "reports", "id": "t1", "attributes": {"name": "second"}},
    ]


@in_virtual_time
async def test_of_the_timeline_the_last_seconds_are_told_and_three_again() -> None:
    load_test = Measured(100)
    async with watching(FakeSession(load_test)) as hub:
        stream = listen(hub, "timeline")
        await anext(stream)
        told = [parsed(await anext(stream))[1]]
        load_test.measure(101, 102)
        told.append(parsed(await anext(stream))[1])

    assert [data["id"] for data in told] == ["t1", "t1"]
    assert [data["attributes"]["seconds"] for data in told] == [
        [97, 98, 99],
        [96, 97, 98, 99, 100, 101],
    ]
    (all_of_it, home) = told[1]["attributes"]["requests"]
    assert (home["name"], home["max_ms"][-1], all_of_it["count"][-2:]) == ("home", 1.101, [1, 1])


@in_virtual_time
async def test_a_blocked_loop_delays_the_timeline_and_nothing_else() -> None:
    load_test = Measured(3)
    load_test.blocked = 5.0
    async with watching(FakeSession(load_test)) as hub:
        told = await heard(listen(hub, "status", "timeline", "scenarios"), 1.1)

    assert told == ["status", "scenarios", "scenarios"]
