"""What failing looks like: each test here fails, and is expected to.

Run them with ``--runxfail`` to read their reports. Many failures of one kind are
one traceback, with their number and their share of the iterations.
"""

import pytest


@pytest.mark.xfail(strict=True, reason="one assertion in three does not hold")
@pytest.mark.scenario(vus=3, iterations=90)
async def test_an_iteration_raises(vu):
    response = await vu.http.get("/products")
    assert len(response.json()) != 5 or vu.random.random() > 0.3


@pytest.mark.xfail(strict=True, reason="the shop sells no coffee")
@pytest.mark.scenario(vus=3, iterations=90)
async def test_a_check_fails(vu):
    response = await vu.http.get("/products")
    vu.check(response, {"sells coffee": lambda r: "Coffee" in r.text})


@pytest.mark.xfail(strict=True, reason="the page takes 100 ms")
@pytest.mark.scenario(vus=3, duration="1s", thresholds={"http_req_duration": ["p(95)<50"]})
async def test_a_threshold_is_crossed(vu):
    await vu.http.get("/slow", params={"seconds": 0.1}, name="/slow")


@pytest.mark.xfail(strict=True, reason="no request is about the cart")
@pytest.mark.scenario(
    vus=3, duration="1s", thresholds={"http_req_duration{name:cart}": ["p(95)<500"]}
)
async def test_a_threshold_without_samples(vu):
    await vu.http.get("/products")
    await vu.sleep(0.1)


@pytest.mark.xfail(strict=True, reason="nothing listens on port 9")
@pytest.mark.scenario(vus=3, iterations=90)
async def test_the_service_is_down(vu):
    await vu.http.get("http://127.0.0.1:9/", name="closed port")
