"""Thresholds decide: they are k6's expressions over everything that was measured.

The key is a metric, with tags in braces when only a part of it is meant. One
that is crossed fails the test at its end, or at once with `abort_on_fail`.
"""

import pytest


@pytest.mark.scenario(
    vus=5,
    duration="2s",
    thresholds={
        "http_req_duration": ["avg<500", "p(95)<1000", "max<5000"],
        "http_req_duration{name:home}": ["p(99)<1000"],
        "group_duration{group:::catalogue}": ["med<1000"],
        "http_req_failed": [{"threshold": "rate<0.01", "abort_on_fail": True}],
        "http_reqs": ["count>10"],
        "iterations": ["rate>1"],
    },
)
async def test_stays_fast(vu):
    await vu.http.get("/", name="home")
    with vu.group("catalogue"):
        await vu.http.get("/products")
    await vu.sleep(0.2)


@pytest.mark.scenario(
    vus=5,
    iterations=100,
    # Replaces «no check may fail» by what it states: one visit in ten is refused.
    thresholds={"checks": ["rate>=0.8"], "http_req_failed": ["rate<=0.2"]},
)
async def test_lives_with_a_flaky_page(vu):
    response = await vu.http.get("/flaky")
    vu.check(response, {"answers": lambda r: r.status_code == 200})
