"""What the store of metrics costs beside that of an earlier commit, both in one run.

    python benchmarks/bench_store.py [--against HEAD~10] [--rounds 5] [--seconds 60] [--rate 5000]

Each round feeds the same requests to the engine of this checkout and to that of the other
commit, in turns, each in a process of its own, as the pump does it: 20 batches a second,
everything asked for once a second. Prints, for each workload, the processor time for one
request, asking included, the longest time for which the loop was held at once (by a batch,
or by one metric that was described), and what a question for everything takes, as medians
of the rounds.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

BATCHES_PER_SECOND = 20
# Name of a workload: names of requests, and how long one takes, in microseconds.
WORKLOADS: dict[str, tuple[int, Callable[[random.Random], int]]] = {
    "loopback": (1, lambda chance: int(chance.lognormvariate(6.2, 0.35))),
    "around 10 ms": (1, lambda chance: int(chance.lognormvariate(9.2, 0.4))),
    "50 names": (50, lambda chance: int(chance.lognormvariate(9.2, 0.4))),
    "widely spread": (1, lambda chance: int(chance.lognormvariate(10.3, 1.5))),
    "widely spread, 50 names": (50, lambda chance: int(chance.lognormvariate(10.3, 1.5))),
}


def batches(name: str, seconds: int, rate: int) -> Iterator[list[tuple[int, ...]]]:
    """Yield the rows of each batch: requests as the client writes them."""
    names, draw = WORKLOADS[name]
    chance = random.Random(1)
    for _ in range(seconds * BATCHES_PER_SECOND):
        rows: list[tuple[int, ...]] = []
        for _ in range(rate // BATCHES_PER_SECOND):
            wait = draw(chance)
            sent = 20 + (wait & 7)
            rows.append((chance.randrange(names), 0, wait + 40, wait & 3, 0, 0, sent, wait, 20, 0))
        yield rows


def measure(name: str, seconds: int, rate: int) -> dict[str, float]:
    """Feed an engine, whichever this interpreter imports; return what that took."""
    from pytest_k6api.metrics import MetricsEngine
    from pytest_k6api.model import Batch, TagTable
    from pytest_k6api.protocols.http import HTTP_ROWS

    tags = TagTable()
    for number in range(WORKLOADS[name][0]):
        tags.intern({"name": f"/{number}", "status": "200", "expected_response": "true"})
    engine = MetricsEngine(tags)
    spent = held = asking = 0.0
    asked = 0
    for number, rows in enumerate(batches(name, seconds, rate)):
        began = time.process_time()
        engine.ingest(Batch({HTTP_ROWS: rows}), number / BATCHES_PER_SECOND)
        took = time.process_time() - began
        spent, held = spent + took, max(held, took)
        if number % BATCHES_PER_SECOND == 0:
            asked += 1
            began = time.process_time()
            for _ in engine.describe_each(number / BATCHES_PER_SECOND):
                now = time.process_time()
                held, asking, began = max(held, now - began), asking + now - began, now
    return {
        "µs/request": (spent + asking) / seconds / rate * 1e6,
        "longest hold, ms": held * 1e3,
        "ms/question": asking / asked * 1e3,
    }


def run_with(package: Path, name: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure in a process that imports the package from the folder `package`."""
    sizes = [f"--seconds={options.seconds}", f"--rate={options.rate}"]
    command = [sys.executable, __file__, "--measure", name, *sizes]
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--against", metavar="COMMIT", default="HEAD", help="what to compare with (HEAD)"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="of load")
    parser.add_argument("--rate", type=int, default=5_000, help="requests per second")
    parser.add_argument("--measure", metavar="WORKLOAD", help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="WORKLOAD", help="one of them")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.seconds, options.rate)))
        return
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "old.tar"
        git = ["git", "-C", str(here), "archive", f"--output={archive}", options.against]
        subprocess.run([*git, "pytest_k6api"], check=True)
        subprocess.run(["tar", "-xf", str(archive), "-C", folder], check=True)
        print(f"| workload | figure | {options.against} | here | ratio |\n|---|---|---|---|---|")
        for name in [options.only] if options.only else WORKLOADS:
            rounds = [
                (run_with(Path(folder), name, options), run_with(here, name, options))
                for _ in range(options.rounds)
            ]
            for figure in rounds[0][0]:
                before, after = (
                    statistics.median(each[side][figure] for each in rounds) for side in (0, 1)
                )
                print(f"| {name} | {figure} | {before:.2f} | {after:.2f} | {after / before:.2f} |")


if __name__ == "__main__":
    main()
