"""A small GET at a constant arrival rate; what was reported goes to a file."""

import json
import os
from pathlib import Path

import pytest

RANKS = (50, 90, 99, 99.9)


@pytest.mark.scenario(
    executor="constant-arrival-rate",
    rate=int(os.environ["RATE"]),
    duration=os.environ["DURATION"],
    pre_allocated_vus=int(os.environ["VUS"]),
    max_vus=int(os.environ["VUS"]),
)
async def test_load(vu):
    """Ask for the answer."""
    await vu.http.get(os.environ["ASK"])


def test_report(k6):
    """Write down what the load test reports."""
    took = k6.metrics["http_req_duration"]
    report = {
        "requests": k6.metrics["http_reqs"].count,
        "seconds": k6.last.elapsed,
        "took": {f"{rank:g}": took.p(rank) for rank in RANKS},
    }
    Path(os.environ["REPORT"]).write_text(json.dumps(report))
