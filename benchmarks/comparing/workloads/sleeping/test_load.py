"""A small GET in one group with one check, then a rest."""

import os

import pytest

SLEEP, SPREAD = float(os.environ["SLEEP"]), float(os.environ["SPREAD"])


@pytest.mark.scenario(graceful_stop="0s")
async def test_visit(vu):
    """Visit the homepage, and wait."""
    if vu.iteration == 0:
        await vu.sleep(SPREAD * vu.random.random())
    with vu.group("visit homepage"):
        response = await vu.http.get("/")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
    await vu.sleep(SLEEP)
