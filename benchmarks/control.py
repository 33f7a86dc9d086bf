"""What does control cost? The small GET with and without everything that watches it.

    python benchmarks/control.py [--rounds 5]

Watched means: the status polled ten times a second and all metrics once a second over
the REST API, five thresholds, an output that takes every batch of samples, and the
control API's own start. Pairs of runs, interleaved, on one core; the service and who
polls are on another.
"""

import argparse
import contextlib
import os
import socket
import statistics
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from comparing.generators import Plugin, environment
from comparing.measuring import run_once
from comparing.results import Pair
from comparing.service import Service, running_nginx
from comparing.workloads import FOLDER, Load, Workload

CONFTEST = """
class Taker:
    def start(self): self.taken = 0
    def add(self, batch): self.taken += sum(len(series.values) for series in batch.series)
    def stop(self): assert self.taken

def pytest_k6_add_outputs(load_test):
    return [Taker()]
"""
THRESHOLDS = """
k6_thresholds =
    http_req_duration: p(95)<60000
    http_req_duration: p(99)<60000
    http_req_waiting: med<60000
    http_req_failed: rate<0.5
    checks: rate>0.5
"""


@contextlib.contextmanager
def polling(port: int) -> Iterator[None]:
    """Ask the API ten times a second for the status, once a second for the metrics."""
    ended = threading.Event()

    def poll() -> None:
        turn = 0
        while not ended.wait(0.1):
            turn += 1
            for path in ("status", "metrics") if turn % 10 == 0 else ("status",):
                with contextlib.suppress(OSError):
                    url = f"http://127.0.0.1:{port}/v1/{path}"
                    urllib.request.urlopen(url, timeout=2).read()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(service: Service, folder: Path, core: int, *, watched: bool) -> float:
    """Return the CPU seconds of a request."""
    suite = folder / ("watched" if watched else "alone")
    suite.mkdir(exist_ok=True)
    scenario = (FOLDER / "small_get" / "test_load.py").read_text()
    (suite / "test_load.py").write_text(scenario)
    (suite / "conftest.py").write_text(CONFTEST if watched else "")
    (suite / "pytest.ini").write_text(f"[pytest]\n{THRESHOLDS if watched else ''}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    runs = []
    for load in (Load(50, 1), Load(50, 6)):
        workload = Workload(key="", about="", folder="small_get", load=load, base=load)
        command = Plugin().command(workload, load, service)
        command[command.index(str(workload.file("test_load.py")))] = str(suite)
        command[command.index("--k6-address=127.0.0.1:0")] = f"--k6-address=127.0.0.1:{port}"
        told = environment(workload, load, service)
        with polling(port) if watched else contextlib.nullcontext():
            runs.append(run_once(command, told, service, core=core, log=folder / "log"))
    return Pair(*runs).cpu_per_request


def main() -> None:
    """Measure pairs, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", default="1,0", help="generator's and service's")
    options = parser.parse_args()
    core, service_core = map(int, options.cores.split(","))
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {service_core})
    more = []
    with (
        tempfile.TemporaryDirectory() as name,
        running_nginx(Path(name), service_core) as service,
    ):
        for number in range(options.rounds):
            pair = {
                watched: measure(service, Path(name), core, watched=watched)
                for watched in ((False, True) if number % 2 else (True, False))
            }
            more.append(pair[True] / pair[False] - 1)
            print(f"alone {pair[False] * 1e6:.1f} µs, watched {pair[True] * 1e6:.1f} µs a request")
    print(
        f"watching adds {statistics.median(more):.1%} ({min(more):.1%} to {max(more):.1%})"
        " to what the load takes"
    )


if __name__ == "__main__":
    main()
