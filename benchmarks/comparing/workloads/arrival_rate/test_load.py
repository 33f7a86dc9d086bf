"""A small GET in one group with one check, as often as the clock says."""

import os

import pytest


@pytest.mark.scenario(
    executor="constant-arrival-rate",
    rate=int(os.environ["RATE"]),
    duration=os.environ["DURATION"],
    pre_allocated_vus=100,
    max_vus=500,
)
async def test_visit(vu):
    """Visit the homepage."""
    with vu.group("visit homepage"):
        response = await vu.http.get("/logged")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
