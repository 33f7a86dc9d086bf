"""One load test on two cores: the same file, the same command, one verdict.

    pytest --k6-workers=2

Fixtures whose values are data are set up once, and travel. Each worker sets up by itself
what `worker_fixtures` names: here a pool, of which each process needs one of its own.
"""

import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_k6api import Counter

served = Counter("served")


@pytest.fixture
def pool():
    connections = queue.SimpleQueue()
    for number in range(10):
        connections.put(f"connection {number} of process {os.getpid()}")
    return connections


def sign_in():
    return {"token": "abc"}


@pytest.mark.scenario(vus=4, iterations=40, setup=sign_in, worker_fixtures=["pool"])
async def test_forty_visits(vu, pool, setup_data):
    connection = pool.get_nowait()
    await vu.http.get("/products", headers={"Authorization": setup_data["token"]})
    pool.put(connection)
    served.add(1, {"by": connection.rpartition(" ")[2]})


def test_two_workers_make_the_forty_visits(tmp_path):
    summary = tmp_path / "summary.json"
    command = [sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:cacheprovider"]
    command += ["-k", "test_forty_visits", "--k6-address=", f"--k6-summary-export={summary}"]
    command += ["--k6-workers=2"]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True, timeout=120)

    metrics = json.loads(summary.read_text())["metrics"]
    assert metrics["iterations"]["count"] == 40
    assert metrics["served"]["count"] == 40
