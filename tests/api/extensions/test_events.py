"""Server-sent events, on a virtual clock."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import trio

from pytest_k6api.api import ResultsPort
from pytest_k6api.api.extensions.events import EventHub
from pytest_k6api.metrics import MetricSnapshot, Snapshot, ThresholdSnapshot
from pytest_k6api.model import Contains, MetricKind
from tests.api.fake import FakeLoadTest, FakeSession
from tests.virtual_time import in_virtual_time

Answer = TypeVar("Answer")

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
        assert await heard(hub.subscribe(), 2.6) == [
            "test",
            "status",
            *["metrics", "scenarios"] * 3,
        ]


@in_virtual_time
async def test_changes_are_told_within_a_quarter_of_a_second() -> None:
    load_test = FakeLoadTest()
    load_test.metrics = {"checks": CHECKS}
    async with watching(FakeSession(load_test)) as hub:
        stream = hub.subscribe()
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
        stream = hub.subscribe()
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
        stream = hub.subscribe()
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
        stream = hub.subscribe()
        names = [parsed(await anext(stream))[0] for _ in range(4)]
        assert names == ["test", "status", "metrics", "scenarios"]

        session.load_tests.append(FakeLoadTest(test_id="b"))

        name, data = parsed(await anext(stream))
        assert name == "test"
        assert data["id"] == "b"


@in_virtual_time
async def test_before_the_first_load_test_there_is_only_a_comment() -> None:
    async with watching(FakeSession()) as hub:
        assert await anext(hub.subscribe()) == b": no load test has started yet\n\n"


@in_virtual_time
async def test_a_listener_that_does_not_keep_up_is_dropped_and_others_are_not() -> None:
    async with watching(FakeSession(FakeLoadTest())) as hub:
        slow, quick = hub.subscribe(), hub.subscribe()
        await anext(slow)
        assert len(await heard(quick, 60.1)) > 64

        left = [event async for event in slow]

        assert len(left) == 64  # what its queue held, and then the end


@in_virtual_time
async def test_the_end_is_told_with_the_status_that_belongs_to_it() -> None:
    class Ending(FakeLoadTest):
        """Ends between the reading of its status and whatever is asked next."""

        async def read(self, question: Callable[[ResultsPort], Answer]) -> Answer:
            answer = question(self)
            self.enter("ended-linger")
            await trio.lowlevel.checkpoint()
            return answer

    async with watching(FakeSession(Ending())) as hub:
        stream = hub.subscribe()
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
        await heard(stream, 3.1)
        await stream.aclose()
        asked = load_test.snapshots
        await trio.sleep(10)

        assert (asked, load_test.snapshots) == (4, 4)


@in_virtual_time
async def test_streams_end_with_the_hub() -> None:
    async with watching(FakeSession(FakeLoadTest())) as hub:
        stream = hub.subscribe()
        await anext(stream)
    assert len([event async for event in stream]) < 4


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
        stream = hub.subscribe()
        for _ in range(2):
            await anext(stream)
        await trio.sleep(0.1)
        load_test.paused = True

        assert parsed(await anext(stream))[0] == "status"
        assert str(problems[0]) == "no snapshot"
        nursery.cancel_scope.cancel()
