"""Sleeps shorter than a millisecond, and telling real clocks from virtual ones."""

import os
import time

import pytest
import trio
import trio.testing

from pytest_k6api.scheduling.clock import RunClock
from pytest_k6api.scheduling.precise_sleep import HighResolutionTimer
from pytest_k6api.vu import WakeEvent, is_real
from tests.virtual_time import in_real_time, in_virtual_time

naps = pytest.mark.skipif(not HighResolutionTimer.is_available, reason="on Linux only")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number


@naps
@in_real_time
async def test_a_nap_ends_no_sooner_than_it_should_and_others_run_meanwhile() -> None:
    timer = HighResolutionTimer()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for _ in range(10):
            await timer.sleep(0.0004)
        nursery.cancel_scope.cancel()
    took = time.perf_counter() - began
    timer.close()

    assert took >= 0.004
    assert turns > 0


@naps
@in_real_time
async def test_a_nap_of_nothing_lets_others_run() -> None:
    timer = HighResolutionTimer()

    with trio.testing.assert_checkpoints():
        await timer.sleep(-1.0)

    timer.close()


@naps
@in_real_time
async def test_a_nap_can_be_cancelled_and_another_be_taken() -> None:
    timer = HighResolutionTimer()

    with trio.move_on_after(0.01) as scope:
        await timer.sleep(30)
    await timer.sleep(0.0001)
    timer.close()

    assert scope.cancelled_caught


@naps
@in_real_time
async def test_a_clock_that_took_naps_gives_its_timer_back() -> None:
    before = open_files()
    clock, wake = RunClock(), WakeEvent()
    clock.start()

    for step in range(1, 20):
        await clock.wait_until(step * 0.0005, wake)
    during = open_files()
    clock.close()

    assert clock.elapsed >= 0.0095
    assert (during, open_files()) == (before + 1, before)


@in_virtual_time
async def test_a_virtual_clock_is_not_real_and_takes_no_naps() -> None:
    clock, wake = RunClock(), WakeEvent()
    clock.start()

    await clock.wait_until(0.0001, wake)

    assert clock.elapsed == 0.0001
    assert not is_real(trio.lowlevel.current_clock())


@in_real_time
async def test_trios_own_clock_is_real() -> None:
    assert is_real(trio.lowlevel.current_clock())
    assert is_real(trio.testing.MockClock(rate=1.0))
    assert not is_real(trio.testing.MockClock(rate=10.0))
