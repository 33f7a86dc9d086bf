"""Thresholds that look at a part of the load: past a warm-up, or along a sliding window.

The times are short, so that the example is; think in tens of seconds.
"""

import pytest


@pytest.mark.scenario(
    vus=5,
    duration="4s",
    thresholds={
        "http_req_duration": [
            # The first second is left out: caches are cold, connections are new.
            {"threshold": "p(95)<1000", "after": "1s"},
            # Every window of two seconds must hold, not only the load as a whole.
            {"threshold": "p(99)<2000", "over_last": "2s", "abort_on_fail": True},
        ],
        # One look may fail, two in a row may not.
        "http_req_failed": [{"threshold": "rate<0.05", "over_last": "2s", "for_at_least": "2s"}],
    },
)
async def test_stays_fast_all_the_time(vu):
    await vu.http.get("/products")
    await vu.sleep(0.1)
