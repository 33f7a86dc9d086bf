"""What an output costs beside the load: CPU of the process for each request, with and without it.

Rows as a load test of grouped and checked GETs writes them go through the pump's own way: engine,
observer, queue, and the output's thread, to a file or to a server in another process that
takes everything. What the load itself takes is the least of the figures in
``docs/explanation/performance.md``; the last column is the output's share of it.

    taskset -c 1 python benchmarks/bench_outputs.py [--rounds 5] [--load 24]
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_k6api.metrics import MetricsEngine, Observer
from pytest_k6api.model import (
    CHECK_ROWS,
    GROUP_ROWS,
    ITERATION_ROWS,
    Batch,
    LoadTestInfo,
    TagTable,
)
from pytest_k6api.outputs import OutputContext, QueuedOutput, find_factory
from pytest_k6api.protocols.http import HTTP_ROWS, HttpRow

REQUESTS_IN_BATCH = 1_500  # what 30,000 requests a second make in 50 ms
BATCHES = 60
SERVER = """
import http.server, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


@contextmanager
def running_server() -> Iterator[int]:
    """Give the port of a server in another process that takes every POST."""
    command = [sys.executable, "-c", SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.terminate()


def make_batches(tags: TagTable, names: int) -> list[Batch]:
    """Return what a load test writes: a request, a group, a check for each iteration."""
    rng = random.Random(7)
    place = {"scenario": "test_browse", "group": "::visit homepage"}
    ids = [
        tags.intern(
            {
                **place,
                "name": f"/{number}",
                "url": f"/{number}",
                "method": "GET",
                "status": "200",
                "proto": "HTTP/1.1",
                "expected_response": "true",
            }
        )
        for number in range(names)
    ]
    group, root = tags.intern(place), tags.intern({"scenario": "test_browse", "group": ""})
    check = tags.intern({**place, "check": "status is 200"})

    def request() -> HttpRow:
        waiting = int(rng.lognormvariate(8.5, 0.5))
        sending, receiving = rng.randrange(20, 60), rng.randrange(20, 120)
        duration = sending + waiting + receiving
        ended = time.perf_counter_ns()
        return (rng.choice(ids), 0, duration, 0, 0, 0, sending, waiting, receiving, ended)

    batches = []
    for _ in range(BATCHES):
        http = [request() for _ in range(REQUESTS_IN_BATCH)]
        batches.append(
            Batch(
                {
                    HTTP_ROWS: http,
                    ITERATION_ROWS: [(root, row[2] + 90, 0, 87, 235) for row in http],
                    GROUP_ROWS: [(group, row[2] + 40) for row in http],
                    CHECK_ROWS: [(check, 1.0)] * REQUESTS_IN_BATCH,
                }
            )
        )
    return batches


def run(output: QueuedOutput | None, names: int) -> float:
    """Return the microseconds of CPU for each request, the engine's included."""
    tags = TagTable()
    batches, engine = make_batches(tags, names), MetricsEngine(tags)
    if output is not None:
        output.start()
    began = time.process_time()
    for number, batch in enumerate(batches):
        if output is None:
            engine.ingest(batch, number / 20)
            continue
        observer = Observer()
        engine.ingest(batch, number / 20, observer)
        now = time.time()
        output.add(
            observer.describe(tags, at=now, elapsed=number / 20, now_ns=time.perf_counter_ns())
        )
        # The load leaves its core to others only while it waits; here the thread gets its turn.
        while output.status().waiting > 5 * 14 * REQUESTS_IN_BATCH:
            time.sleep(0.001)
    if output is not None:
        output.stop()
        status = output.status()
        assert not status.dropped, status
    return (time.process_time() - began) / BATCHES / REQUESTS_IN_BATCH * 1e6


def make(name: str, target: str) -> QueuedOutput:
    """Return an output as ``--k6-out`` makes it, with everything that it takes to push once a second."""
    seconds = ("PROMETHEUS_RW_PUSH_INTERVAL", "STATSD_PUSH_INTERVAL", "OTEL_EXPORT_INTERVAL")
    output = find_factory(name)(
        OutputContext(
            target=target,
            load_test=LoadTestInfo(name="bench", scenarios=()),
            environment={**os.environ, **{f"K6_{each}": "1s" for each in seconds}},
        )
    )
    assert isinstance(output, QueuedOutput)
    return output


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--names", type=int, default=5, help="different names of requests")
    parser.add_argument("--load", type=float, default=24.0, help="µs that a request costs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server() as port:
        url = f"http://127.0.0.1:{port}"
        targets = {
            "json": f"{folder}/run.json",
            "json, .gz": f"{folder}/run.json.gz",
            "csv": f"{folder}/run.csv",
            "influxdb": f"{url}/k6",
            "prometheus-rw": f"{url}/write",
            "prometheus-rw, native": f"{url}/write",
            "opentelemetry": url,
            "statsd": f"127.0.0.1:{port}",
        }
        print("output                  µs CPU/request more   of the load")
        for shown, target in targets.items():
            name = shown.partition(",")[0]
            os.environ["K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM"] = str("native" in shown)
            more = [
                run(make(name, target), options.names) - run(None, options.names)
                for _ in range(options.rounds)
            ]
            cost = statistics.median(more)
            print(f"{shown:22}  {cost:19.2f}  {cost / options.load:11.1%}")


if __name__ == "__main__":
    main()
