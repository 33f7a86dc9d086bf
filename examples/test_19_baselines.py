"""A load test worth comparing: always the same work, and enough of it for percentiles.

pytest examples/test_19_baselines.py --k6-save=main
pytest examples/test_19_baselines.py --k6-compare=main --k6-compare-fail="http_req_duration:p(95):50%"
"""

import pytest


@pytest.mark.scenario(
    vus=5,
    iterations=500,
    # What has a threshold, or none in an empty list, is kept and compared by itself.
    thresholds={"http_req_duration{name:home}": [], "http_req_duration{name:catalogue}": []},
)
async def test_the_same_every_time(vu):
    await vu.http.get("/", name="home")
    await vu.http.get("/products", name="catalogue")
