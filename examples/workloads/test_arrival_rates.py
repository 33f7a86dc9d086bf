"""Visits per second: iterations start when they are due, not when a virtual user is free.

Visitors do not wait for each other. An arrival rate needs as many virtual users as
there are visits at the same time: the rate times how long one takes. If none is free,
an iteration is not delayed but dropped, and counted in `dropped_iterations`.
"""

import pytest


@pytest.mark.scenario(
    rate=40,
    duration="2s",
    pre_allocated_vus=10,
    max_vus=40,
    thresholds={"dropped_iterations": ["count<8"], "response_time_from_due": ["p(95)<1000"]},
)
async def test_forty_visits_a_second(vu):
    await vu.http.get("/products")


def test_they_came_when_they_were_due(k6):
    came = k6.metrics["iterations"].count
    dropped = k6.metrics["dropped_iterations"].count

    assert came + dropped == 80
    # Both are recorded for arrival rates only: how late an iteration began, and how
    # long it took counted from when it was due.
    assert k6.metrics["iteration_lateness"].med < 100
    assert k6.metrics["response_time_from_due"].med >= k6.metrics["iteration_duration"].min


@pytest.mark.scenario(
    executor="ramping-arrival-rate",
    start_rate=10,
    stages=[("1s", 50), ("1s", 10)],
    pre_allocated_vus=20,
    thresholds={"dropped_iterations": ["count<6"]},
)
async def test_a_rush(vu):
    """The area under the curve is the number of visits: 30 on the way up, 30 on the way down."""
    await vu.http.get("/products")


def test_the_rush_had_sixty_visits(k6):
    assert k6.metrics["iterations"].count + k6.metrics["dropped_iterations"].count == 60


@pytest.mark.scenario(rate=20, duration="2s", pre_allocated_vus=2)
async def test_too_few_to_serve_them(vu):
    """Two virtual users, busy for 0.3 s at a time, carry out seven visits a second, not twenty."""
    await vu.http.get("/slow", params={"seconds": 0.3}, name="/slow")


def test_what_could_not_start_was_counted(k6):
    started = k6.metrics["iterations"].count
    dropped = k6.metrics["dropped_iterations"].count

    assert started + dropped == 40
    assert dropped > started
