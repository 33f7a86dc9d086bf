"""One load test run by two instances that know nothing of each other.

An execution segment is a share of the load: of its virtual users, iterations and
arrivals. The shares of all instances add up to exactly the whole. On two machines:

    pytest --k6-execution-segment=0:1/2 --k6-execution-segment-sequence=0,1/2,1
    pytest --k6-execution-segment=1/2:1 --k6-execution-segment-sequence=0,1/2,1
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SEGMENTS = ("0:1/2", "1/2:1")


@pytest.mark.scenario(vus=5, iterations=100)
async def test_a_hundred_visits(vu):
    await vu.http.get("/products")


def test_two_instances_add_up(tmp_path):
    summaries = [tmp_path / "first.json", tmp_path / "second.json"]
    instances = [_start(*each) for each in zip(SEGMENTS, summaries, strict=True)]
    assert [instance.wait(60) for instance in instances] == [0, 0]

    # Virtual users are shared out first, three and two of the five; then the work, as they are.
    counts = [
        json.loads(summary.read_text())["metrics"]["iterations"]["count"] for summary in summaries
    ]
    assert counts == [60, 40]


def _start(segment, summary):
    command = [sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider"]
    command += ["-k", "test_a_hundred_visits", "--k6-address=", f"--k6-summary-export={summary}"]
    command += [f"--k6-execution-segment={segment}", "--k6-execution-segment-sequence=0,1/2,1"]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL)
