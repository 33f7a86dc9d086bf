"""What the controller of many workers does in a second: CPU time to merge their reports and to judge.

Workers are simulated: one real `SeriesCollector` records some seconds of reports, of 50
series (five names of requests, and iterations), with log-normal latencies in whole
microseconds. Each worker replays them, from another second on, once in each second of
virtual time. The controller merges them, and as often as in a load test, every two seconds,
judges thresholds (one on everything, one on a name, one over the last 30 s) and makes a
snapshot. Only the controller's work is timed. Run it with the interpreter that has the package:

    python benchmarks/bench_workers.py                  # a virtual half minute of each
    python benchmarks/bench_workers.py --seconds 3600   # memory over an hour
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pytest_k6api.metrics import MetricsEngine, SeriesCollector, SeriesMerger, parse_thresholds
from pytest_k6api.metrics.workers.packing import VERSION, SeriesReport
from pytest_k6api.model import ITERATION_ROWS, Batch, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.protocols.http import HTTP_ROWS

RECORDED = 20  # seconds
NAMES = 5
PUMPS = 20  # in a second
THRESHOLDS = parse_thresholds(
    {
        "http_req_duration": ["p(95)<500", {"threshold": "p(99)<900", "over_last": "30s"}],
        "http_req_duration{name:/1}": ["p(95)<500"],
        "http_req_failed": ["rate<0.01"],
    },
    {metric.name: metric for metric in built_in.BUILT_IN},
)


@dataclass
class Spent:
    """Seconds of CPU time of the controller."""

    put: float = 0.0
    merge: float = 0.0
    judge: float = 0.0
    resident: list[tuple[int, float]] = field(default_factory=list)

    @property
    def total(self) -> float:
        """All of it."""
        return self.put + self.merge + self.judge


def request(tags_id: int, rng: random.Random) -> tuple[int, ...]:
    """Return the row of one request of about 5 ms on a kept-alive connection."""
    waiting = int(rng.lognormvariate(8.5, 0.5))
    sending, receiving = rng.randrange(20, 60), rng.randrange(20, 120)
    duration = sending + waiting + receiving
    return (tags_id, 0, duration, rng.randrange(3), 0, 0, sending, waiting, receiving, 0)


def record(rate: int) -> list[SeriesReport]:
    """Return the reports of a worker that sends `rate` requests in a second."""
    rng = random.Random(7)
    tags = TagTable()
    scenario = tags.intern({"scenario": "buy"})
    names = [
        tags.intern({"scenario": "buy", "name": f"/{n}", "expected_response": "true"})
        for n in range(NAMES)
    ]
    collector = SeriesCollector(tags, THRESHOLDS)
    collector.load_began(0.0)
    reports = []
    for second in range(RECORDED):
        for pump in range(PUMPS):
            rows = [request(rng.choice(names), rng) for _ in range(max(1, rate // PUMPS))]
            iteration = (scenario, rng.randrange(20_000, 60_000), 0, 2_000, 9_000)
            batch = Batch({HTTP_ROWS: rows, ITERATION_ROWS: [iteration]})
            collector.ingest(batch, second + (pump + 0.5) / PUMPS)
        data = collector.take(second + 1.0)
        reports.append(msgspec.msgpack.decode(data[1:], type=SeriesReport))
    return reports


def replayed(recorded: Sequence[SeriesReport], worker: int, seconds: int) -> Iterator[bytes]:
    """Yield a report for each second, all with times of their own."""
    for second in range(seconds):
        report = recorded[(second + worker) % len(recorded)]
        until = second + 1.0
        for part in report.parts:
            part.until = until - 0.025
        sent = SeriesReport(until, [], [], report.parts, [])
        if second == 0:  # metrics and tags are sent once
            sent.metrics, sent.tags = recorded[0].metrics, recorded[0].tags
        yield bytes([VERSION]) + msgspec.msgpack.encode(sent)


def resident() -> float:
    """Return the megabytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def run(workers: int, rate: int, seconds: int) -> tuple[Spent, int, int]:
    """Return what the controller spent, the bytes of a report, and the series in it."""
    recorded = record(rate)
    tags = TagTable()
    engine = MetricsEngine(tags, THRESHOLDS)
    merger = SeriesMerger(engine, tags, THRESHOLDS)
    merger.load_began(0.0)
    crew = {f"worker {n}": replayed(recorded, n, seconds) for n in range(workers)}
    for name in crew:
        merger.join(name)
    spent, size = Spent(), 0
    for second in range(1, seconds + 1):
        reports = {name: next(reports) for name, reports in crew.items()}
        size = len(next(iter(reports.values())))
        began = time.process_time()
        for name, report in reports.items():
            merger.put(name, report)
        spent.put += time.process_time() - began
        began = time.process_time()
        now = merger.merge(float(second))
        spent.merge += time.process_time() - began
        if second % 2 == 0:
            began = time.process_time()
            engine.evaluate(now, final=False)
            engine.snapshot(now)
            spent.judge += time.process_time() - began
        if second % max(1, seconds // 6) == 0:
            spent.resident.append((second, resident()))
    columns = recorded[-1].parts[0].columns
    return spent, size, sum(len(msgspec.msgpack.decode(column.rows)) for column in columns)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="virtual time of each run")
    parser.add_argument("--workers", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--rate", type=int, nargs="*", default=[20, 200, 1_000])
    options = parser.parse_args()
    print(
        "workers  requests/s  series  bytes/report  % of a core: put  merge  judge    all  µs/series"
    )
    for workers in options.workers:
        for rate in options.rate:
            spent, size, series = run(workers, rate, options.seconds)
            share = 100 / options.seconds
            per_series = spent.total / options.seconds / workers / series * 1e6
            print(
                f"{workers:7}  {workers * rate:10,}  {series:6}  {size:12,}"
                f"  {spent.put * share:16.1f}  {spent.merge * share:5.1f}"
                f"  {spent.judge * share:5.1f}  {spent.total * share:5.1f}  {per_series:9.1f}"
            )
            if options.seconds > 60:
                held = ", ".join(f"{at} s {size:.0f}" for at, size in spent.resident)
                print(f"         resident MB: {held}")


if __name__ == "__main__":
    main()
