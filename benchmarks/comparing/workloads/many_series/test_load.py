"""Fifty named pages, thresholds on tags, ten custom metrics fed in each iteration."""

import pytest

from pytest_k6api import Counter, Gauge, Rate, Trend

TRENDS = [Trend(f"trend_{name}") for name in "abcd"]
COUNTERS = [Counter(f"counter_{name}") for name in "abc"]
RATES = [Rate(f"rate_{name}") for name in "ab"]
GAUGE = Gauge("gauge_a")


@pytest.mark.scenario(
    thresholds={
        "http_req_duration{name:page 0}": ["p(95)<5000"],
        "http_req_duration{name:page 1}": ["p(95)<5000"],
        "http_req_failed{name:page 2}": ["rate<0.5"],
        "http_req_waiting{status:200}": ["avg<5000"],
        "checks{group:::visit}": ["rate>0.5"],
    }
)
async def test_visit(vu):
    """Visit one of fifty pages."""
    with vu.group("visit"):
        page = vu.iteration % 50
        response = await vu.http.get(f"/page/{page}", name=f"page {page}")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        for trend in TRENDS:
            trend.add(page)
        for counter in COUNTERS:
            counter.add(1)
        for rate in RATES:
            rate.add(True)
        GAUGE.add(page)
