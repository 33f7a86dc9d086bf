"""The first load test: a test function, a marker, and virtual users that run it.

Without the marker's options it is an ordinary test: one virtual user runs it once.
"""

import pytest


@pytest.mark.scenario(
    vus=5,
    duration="2s",
    thresholds={"http_req_duration": ["p(95)<500"], "checks": ["rate>0.99"]},
)
async def test_browse(vu):
    with vu.group("visit homepage"):
        response = await vu.http.get("/")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        with vu.checked("greets the visitor"):
            assert "Welcome" in response.text
    await vu.sleep(0.2)


@pytest.mark.scenario
async def test_the_shop_has_products(vu):
    response = await vu.http.get("/products")

    assert len(response.json()) == 5
