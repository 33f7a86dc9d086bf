"""The same as rates.js; the starts go to a file instead of the log."""

import json
import os
import time
from pathlib import Path

import pytest

BEGAN: list[float] = []
STARTS: list[tuple[str, float]] = []


def look_at_the_clock():
    BEGAN.append(time.perf_counter())


def write_starts():
    Path(os.environ["STARTS"]).write_text(json.dumps(STARTS))


async def spend(vu, seconds):
    STARTS.append((vu.scenario, (time.perf_counter() - BEGAN[0]) * 1000))
    await vu.sleep(seconds)


@pytest.mark.load_test(setup=look_at_the_clock, teardown=write_starts)
class TestRates:
    @pytest.mark.scenario(
        executor="constant-arrival-rate", rate=10, duration=1.95, pre_allocated_vus=3
    )
    async def test_steady(self, vu):
        await spend(vu, 0.02)

    @pytest.mark.scenario(
        executor="constant-arrival-rate",
        rate=10,
        duration=1.95,
        pre_allocated_vus=1,
        graceful_stop=1,
    )
    async def test_overloaded(self, vu):
        await spend(vu, 0.52)

    @pytest.mark.scenario(
        executor="ramping-arrival-rate",
        start_rate=0,
        pre_allocated_vus=5,
        stages=[(2, 10), (0.55, 10)],
    )
    async def test_rising(self, vu):
        await spend(vu, 0.02)

    @pytest.mark.scenario(
        executor="ramping-vus",
        start_vus=0,
        graceful_ramp_down=0,
        graceful_stop=0,
        stages=[(1.5, 3), (0.5, 3), (0.9, 0)],
    )
    async def test_users(self, vu):
        await spend(vu, 0.29)
