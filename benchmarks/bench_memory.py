"""Does memory grow with the length of a run? An hour at 5,000 requests a second, fed to the engine.

    python benchmarks/bench_memory.py [--minutes 60] [--rate 5000] [--names 1] [--worst]

Requests with log-normal latencies around 10 ms, one group and one check each. With
``--names`` they have so many names, hence series, beside the metric as a whole. With
``--worst`` latencies are spread over four decades, and there is a custom trend of
random floats, of which no two are equal. Prints the most that the engine held in some of
the minutes, between any two batches, by `tracemalloc`, and how far off the percentiles of
the floats are, which are known: they are uniform.
"""

import argparse
import random
import time
import tracemalloc

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import (
    CHECK_ROWS,
    GROUP_ROWS,
    Batch,
    Metric,
    MetricKind,
    SampleRow,
    TagTable,
)
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

SHOWN = (1, 2, 5, 10, 20, 30, 45, 60)
FLOATS = Metric(name="random_floats", kind=MetricKind.TREND)
SLICE = 0.05  # seconds of load in one batch, as the pump has it


def make_batch(
    tags: TagTable, chance: random.Random, number: int, *, names: int, worst: bool
) -> Batch:
    """Return so many requests with all that belongs to them."""
    https = [
        tags.intern({"name": f"/{name}", "status": "200", "expected_response": "true"})
        for name in range(names)
    ]
    group, check = tags.intern({"group": "::g"}), tags.intern({"group": "::g", "check": "is 200"})
    # Around 10 ms: from 2 to 60, or from 0.1 ms to 1 s.
    waits = [int(chance.lognormvariate(9.2, 1.2 if worst else 0.4)) for _ in range(number)]
    rows: list[HttpRow] = [
        (
            chance.choice(https),
            0,
            wait + 40,
            wait & 3,
            0,
            0,
            20 + (wait & 7),
            wait,
            20 - (wait & 7),
            0,
        )
        for wait in waits
    ]
    samples: list[SampleRow] = []
    if worst:
        samples = [(FLOATS, chance.choice(https), chance.random()) for _ in waits]
    groups = [(group, wait + 90) for wait in waits]
    checks = [(check, 1.0)] * number
    return Batch({HTTP_ROWS: rows, GROUP_ROWS: groups, CHECK_ROWS: checks}, samples)


def main() -> None:
    """Feed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=5_000, help="requests per second")
    parser.add_argument("--names", type=int, default=1, help="of requests")
    parser.add_argument("--worst", action="store_true", help="spread values as widely as can be")
    options = parser.parse_args()
    tags, chance, count = TagTable(), random.Random(1), round(options.rate * SLICE)
    engine = MetricsEngine(tags)
    tracemalloc.start()
    at_first = None
    print("| minute | requests | MB | of minute 1 |\n| --- | --- | --- | --- |")
    began = time.perf_counter()
    for minute in range(1, options.minutes + 1):
        held = 0.0
        for number in range(round(60 / SLICE)):
            now = (minute - 1) * 60 + number * SLICE
            engine.ingest(
                make_batch(tags, chance, count, names=options.names, worst=options.worst), now
            )
            held = max(held, tracemalloc.get_traced_memory()[0] / 2**20)
            if number % round(1 / SLICE) == 0:  # somebody watches
                engine.snapshot(now)
        if minute in SHOWN or minute == options.minutes:
            at_first = at_first or held
            requests = options.rate * 60 * minute
            print(f"| {minute} | {requests:,} | {held:.2f} | {held / at_first:.0%} |", flush=True)
    print(f"({time.perf_counter() - began:.0f} seconds)")
    asked = engine.query(FLOATS.name, 1.0, ("p(1)", "p(50)", "p(99)", "p(99.9)"))
    if asked is not None:
        for stat, is_right in (("p(1)", 0.01), ("p(50)", 0.5), ("p(99)", 0.99), ("p(99.9)", 0.999)):
            print(f"{stat}: {asked.extra[stat]:.6f}, as many uniform numbers have {is_right}")
    for warning in engine.snapshot(1.0).warnings:
        print(warning)


if __name__ == "__main__":
    main()
