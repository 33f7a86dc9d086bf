"""How many more iterations do two workers make on two cores than one process on one of them?

The load needs no server: a group with two checks, a custom trend, and a checkpoint. Rounds are
taken in turn, as many as asked for, and ratios made within a round. The controller works on
the same two cores.

    python benchmarks/bench_cores.py [--rounds 5] [--seconds 5] [--workers 2]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = """
import pytest
import trio

from pytest_k6api import Trend

size = Trend("size")


@pytest.mark.scenario
async def test_load(vu):
    with vu.group("visit homepage"):
        vu.check(200, {"is 200": lambda status: status == 200, "is no error": lambda s: s < 400})
        size.add(vu.iteration % 1_000)
    await trio.lowlevel.checkpoint()
"""


def iterations_per_second(folder: Path, seconds: float, workers: int) -> float:
    """Return the iterations that a second of load makes, with so many workers on as many cores."""
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[-workers:]))
    report = folder / "report.json"
    command = ["taskset", "-c", cores, sys.executable, "-m", "pytest", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "pytest_k6api.plugin", str(folder)]
    command += ["--k6-address=", "--k6-vus=50", f"--k6-duration={seconds:g}s"]
    command += [f"--k6-workers={workers}", f"--k6-report={report}"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    (load_test,) = json.loads(report.read_text())["load_tests"]
    count: int = load_test["metrics"]["iterations"]["sum"]
    return count / seconds


def main() -> None:
    """Print a line for each round, and the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_load.py").write_text(SUITE)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for number in range(options.rounds):
            turns = [1, options.workers] if number % 2 else [options.workers, 1]
            made = {
                workers: iterations_per_second(folder, options.seconds, workers)
                for workers in turns
            }
            ratios.append(made[options.workers] / made[1])
            print(
                f"one process {made[1]:9,.0f} iterations/s, {options.workers} workers"
                f" {made[options.workers]:9,.0f}: {ratios[-1]:.2f} times"
            )
    print(f"median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times")


if __name__ == "__main__":
    main()
