"""Three ways of sharing the work: for a time, a number in all, a number for each.

The options choose the executor, as in k6; `executor=` chooses it by name.
"""

import pytest


@pytest.mark.scenario(vus=5, duration="1s", graceful_stop="2s")
async def test_for_a_time(vu):
    """constant-vus: each virtual user starts over until the time is up."""
    await vu.http.get("/products")
    await vu.sleep(0.1)


@pytest.mark.scenario(vus=5, iterations=100, max_duration="20s")
async def test_a_number_in_all(vu):
    """shared-iterations: a virtual user that is free takes the next of the hundred."""
    await vu.http.get("/products")


@pytest.mark.scenario(executor="per-vu-iterations", vus=5, iterations=4, max_duration="20s")
async def test_a_number_for_each(vu):
    """per-vu-iterations: four for each virtual user, however long the others take."""
    await vu.http.get("/products")


@pytest.mark.scenario(vus=5, duration="1s", min_iteration_duration="250ms")
async def test_at_a_steady_pace(vu):
    """An iteration that is done early waits, so that each takes a quarter of a second."""
    await vu.http.get("/products")
