"""Test-run time: it stands still while paused, nests, and never wakes anybody too early."""

import math

import pytest
import trio

from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.vu import WakeEvent
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_clock_stands_at_nothing_until_it_is_started() -> None:
    clock = RunClock()
    await trio.sleep(3)

    assert clock.elapsed == 0
    assert clock.is_standing
    assert clock.trio_time(1) == math.inf


@in_virtual_time
async def test_a_clock_does_not_count_the_time_it_stood() -> None:
    clock = RunClock()
    clock.start()
    await trio.sleep(2)
    clock.stop()
    clock.stop()
    await trio.sleep(5)

    assert clock.elapsed == 2
    clock.resume()
    clock.resume()
    await trio.sleep(1)

    assert clock.elapsed == 3
    assert clock.trio_time(10) == trio.current_time() + 7


@in_virtual_time
async def test_a_clock_within_another_stands_when_either_does() -> None:
    outer = RunClock()
    inner = RunClock(within=outer)
    outer.start()
    await trio.sleep(1)
    inner.start()
    await trio.sleep(1)
    inner.stop()
    await trio.sleep(1)
    assert (outer.elapsed, inner.elapsed) == (3, 1)
    assert inner.is_standing
    assert not outer.is_standing

    outer.stop()
    inner.resume()
    await trio.sleep(1)
    assert (outer.elapsed, inner.elapsed) == (3, 1)
    assert inner.is_standing
    assert not inner.is_stopped
    assert inner.trio_time(2) == math.inf

    outer.resume()
    await trio.sleep(1)
    assert (outer.elapsed, inner.elapsed) == (4, 2)
    assert inner.trio_time(5) == trio.current_time() + 3


@in_virtual_time
async def test_waiting_ends_when_the_time_has_come() -> None:
    clock = RunClock()
    clock.start()

    await clock.wait_until(2.5, WakeEvent())

    assert clock.elapsed == 2.5


@in_virtual_time
async def test_waiting_ends_when_the_bell_rings_also_when_it_rang_before() -> None:
    clock, wake = RunClock(), WakeEvent()
    clock.start()
    wake.set()
    await clock.wait_until(10, wake)
    assert clock.elapsed == 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.wait_until, 10, wake)
        await trio.sleep(4)
        wake.set()

    assert clock.elapsed == 4


@in_virtual_time
async def test_a_time_that_has_come_is_never_found_to_be_still_to_come() -> None:
    clock, wake = RunClock(), WakeEvent()
    # After a day a float has steps of 15 ps: sums of start and duration round.
    await trio.sleep(80_000.1)
    clock.start()

    for step in range(1, 500):
        due = step * 0.1
        await clock.wait_until(due, wake)
        assert clock.elapsed >= due
        assert clock.elapsed == pytest.approx(due)


@in_virtual_time
async def test_a_standing_clock_is_not_moved_by_a_wait_that_ends() -> None:
    clock, wake = RunClock(), WakeEvent()
    clock.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.wait_until, 5, wake)
        await trio.sleep(4)
        clock.stop()
        await trio.sleep(3)

    assert clock.elapsed == 4


@in_virtual_time
async def test_the_clock_can_be_read_from_any_thread() -> None:
    clock = RunClock()
    clock.start()
    await trio.sleep(2)

    assert await trio.to_thread.run_sync(lambda: clock.elapsed) == 2.0


@in_virtual_time
async def test_a_clock_that_is_set_to_the_reading_of_another_goes_on_as_that_does() -> None:
    around = RunClock()
    around.start()
    first, second = RunClock(within=around), RunClock(within=around)
    first.start()
    await trio.sleep(3)
    first.stop()
    await trio.sleep(2)

    second.start()
    second.set(first.reading)

    assert (second.elapsed, second.is_stopped) == (3, True)
    first.resume()
    await trio.sleep(1)
    second.set(first.reading)
    second.resume()
    second.set(first.reading)
    assert (first.elapsed, second.elapsed, second.is_stopped) == (4, 4, False)
