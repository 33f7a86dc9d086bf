"""Ordinary tests that ask what the load tests before them measured.

`k6` knows the session's load tests; its metrics take tag filters, and trends
take any percentile.
"""

import pytest


@pytest.mark.scenario(vus=5, duration="2s")
async def test_visit(vu):
    with vu.group("front"):
        response = await vu.http.get("/", name="home")
        vu.check(response, {"is there": lambda r: r.status_code == 200})
    await vu.http.get("/products", name="catalogue")
    await vu.sleep(0.2)


def test_the_catalogue_is_fast(k6):
    duration = k6.metrics["http_req_duration{name:catalogue}"]

    assert duration.p(95) < 1000
    assert duration.p(99.9) < 5000
    assert duration.max < 10_000


def test_every_visit_was_counted(k6):
    assert k6.metrics["http_reqs"].count == 2 * k6.metrics["iterations"].count
    assert k6.metrics["http_req_failed"].rate == 0
