"""One service, two answers: why a closed model is blind to a service that stands still.

The page does not answer for 0.3 s of every second, and answers in 5 ms for the rest.
"""

import pytest


@pytest.mark.scenario(start_vus=1, stages=[("3s", 1)])
async def test_one_after_the_other(vu):
    """Closed: one visitor, which sends nothing while it waits, so a freeze is one sample.

    With stages it stays one, whatever `--k6-vus` says.
    """
    await vu.http.get("/freezing")


def test_all_looks_well(k6):
    assert k6.metrics["http_req_duration"].p(95) < 150


@pytest.mark.scenario(rate=100, duration="3s", pre_allocated_vus=50)
async def test_as_visitors_come(vu):
    """Open: all that come during a freeze wait for its end, and each is a sample."""
    await vu.http.get("/freezing")


def test_three_in_ten_visitors_wait(k6):
    assert k6.metrics["http_req_duration"].p(95) > 150
