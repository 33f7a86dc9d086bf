"""What it costs to count a request: CPU time of ``MetricsEngine.ingest`` for each HTTP row.

Rows as the HTTP client writes them, with log-normal latencies, in batches of
2,000, over 1 to 50 tag sets, with and without thresholds on tags, and with one
check for each request; and what a sliding window costs, which is judged every
two seconds. What is kept by the second is part of all of it. Last, what a worker takes,
which only adds samples up, its reports included. Run it with the interpreter that has the
package:

    python benchmarks/bench_ingest.py
"""

import random
import sys
import time
import tracemalloc

from pytest_k6api.metrics import MetricsEngine, SeriesCollector, parse_thresholds
from pytest_k6api.model import Batch, SampleRow, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

BATCH = 2_000
BATCHES = 100
BATCHES_PER_SECOND = 5  # 10,000 requests, as many as a core sends
KNOWN = {metric.name: metric for metric in built_in.BUILT_IN}


def row(tags_id: int, rng: random.Random) -> HttpRow:
    """Return one request of about 5 ms on a kept-alive connection."""
    waiting = int(rng.lognormvariate(8.5, 0.5))
    sending, receiving = rng.randrange(20, 60), rng.randrange(20, 120)
    duration = sending + waiting + receiving
    return (tags_id, 0, duration, rng.randrange(3), 0, 0, sending, waiting, receiving, 0)


def run(tag_sets: int, thresholds: dict[str, object], *, checks: bool) -> tuple[float, float]:
    """Return microseconds of CPU for each row, and milliseconds for a snapshot."""
    rng = random.Random(7)
    tags = TagTable()
    ids = [
        tags.intern({"name": f"/{n}", "url": f"/{n}", "status": "200", "expected_response": "true"})
        for n in range(tag_sets)
    ]
    engine = MetricsEngine(tags, parse_thresholds(thresholds, KNOWN))
    check_id = tags.intern({"check": "is 200", "group": "::g"})
    spent = 0.0
    for round_ in range(BATCHES):
        http = [row(rng.choice(ids), rng) for _ in range(BATCH)]
        samples: list[SampleRow] = [(built_in.CHECKS, check_id, 1)] * BATCH if checks else []
        began = time.process_time()
        engine.ingest(Batch({HTTP_ROWS: http}, samples), round_ / BATCHES_PER_SECOND)
        spent += time.process_time() - began
    began = time.process_time()
    engine.snapshot(10.0)
    return spent / BATCH / BATCHES * 1e6, (time.process_time() - began) * 1e3


def sliding() -> tuple[float, float]:
    """Return microseconds of CPU for each row, and milliseconds to judge a full window."""
    rng = random.Random(7)
    tags = TagTable()
    number = tags.intern({})
    entry = {"threshold": "p(95)<200", "over_last": "30s"}
    engine = MetricsEngine(tags, parse_thresholds({"http_req_duration": [entry]}, KNOWN))
    engine.load_began(0.0)
    spent = 0.0
    for round_ in range(BATCHES):
        http = [row(number, rng) for _ in range(BATCH)]
        began = time.process_time()
        engine.ingest(Batch({HTTP_ROWS: http}), round_ / 3)
        spent += time.process_time() - began
    began = time.process_time()
    engine.evaluate(BATCHES / 3, final=False)
    return spent / BATCH / BATCHES * 1e6, (time.process_time() - began) * 1e3


def collecting(tag_sets: int) -> float:
    """Return microseconds of CPU for each row in a worker, its reports included."""
    rng = random.Random(7)
    tags = TagTable()
    ids = [tags.intern({"name": f"/{n}"}) for n in range(tag_sets)]
    collector = SeriesCollector(tags)
    spent = 0.0
    for round_ in range(BATCHES):
        http = [row(rng.choice(ids), rng) for _ in range(BATCH)]
        elapsed = round_ / BATCHES_PER_SECOND
        began = time.process_time()
        collector.ingest(Batch({HTTP_ROWS: http}), elapsed)
        if round_ % BATCHES_PER_SECOND == 0:
            collector.take(elapsed)
        spent += time.process_time() - began
    return spent / BATCH / BATCHES * 1e6


def memory(batches: int) -> float:
    """Return the megabytes that an engine holds after so many batches."""
    rng = random.Random(7)
    tags = TagTable()
    ids = [tags.intern({"name": f"/{n}"}) for n in range(10)]
    tracemalloc.start()
    engine = MetricsEngine(tags)
    for _ in range(batches):
        engine.ingest(Batch({HTTP_ROWS: [row(rng.choice(ids), rng) for _ in range(BATCH)]}))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / 1e6


def main() -> None:
    """Print a table."""
    filtered: dict[str, object] = {
        f"http_req_duration{{name:/{n}}}": ["p(95)<200"] for n in range(5)
    }
    print("tag sets  thresholds  checks   µs CPU/request   ms/snapshot")
    for tag_sets in (1, 5, 50):
        for thresholds, checks in (({}, False), (filtered, False), (filtered, True)):
            cost, snapshot = run(tag_sets, thresholds, checks=checks)
            print(
                f"{tag_sets:8}  {len(thresholds):10}  {checks!s:6}  {cost:14.2f}  {snapshot:12.1f}"
            )
    cost, judging = sliding()
    print(f"one threshold over the last 30s: {cost:.2f} µs/request, {judging:.1f} ms to judge")
    for tag_sets in (1, 5, 50):
        print(f"in a worker, {tag_sets:2} tag sets: {collecting(tag_sets):.2f} µs/request")
    if "--memory" in sys.argv:
        for batches in (20, 200):
            print(f"{batches * BATCH:9,} requests, 10 tag sets: {memory(batches):6.1f} MB")


if __name__ == "__main__":
    main()
