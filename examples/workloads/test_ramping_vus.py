"""How many users at once? Virtual users that come and go in stages."""

import pytest


@pytest.mark.scenario(
    start_vus=1,
    stages=[("1s", 10), ("500ms", 10), ("500ms", 0)],  # how long, and how many at its end
    graceful_ramp_down="1s",  # what a virtual user that is taken away may finish in
    thresholds={"http_req_duration": ["p(95)<1000"]},
)
async def test_a_morning(vu):
    await vu.http.get("/products")
    await vu.sleep(0.1)


def test_ten_were_there_and_nobody_was_cut_short(k6):
    assert k6.metrics["vus_max"].max == 10
    assert k6.metrics["iterations"].count > 50
