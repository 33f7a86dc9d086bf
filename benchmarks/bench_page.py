"""What do open live pages cost the load? Processor time of one that runs, with 0, 1 and 10 of them.

    python benchmarks/bench_page.py [--rate 1000] [--names 50] [--rounds 3] [--pages 0,1,10]

One load test at a constant rate (0: as fast as 50 virtual users can) with so many names of
requests, on one core; the service and the pages on another. Pages ask for what
``page/live.js`` asks for: all of the load test when they are opened, then one stream of events.
They are opened and closed in turns, so that each window has its neighbours to be compared with.

Counted is, by the kernel, the time of the API's thread, and, around each call that comes from
there, the time in the load test's own thread: both are next to nothing without a page. What the whole
process takes more, in the last column, has that and the noise of the load and of the machine.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparing.service import Service, running_nginx

SUITE = """
import itertools
import pytest

numbers = itertools.count()

@pytest.mark.scenario({load}, duration="1h")
async def test_visit(vu):
    with vu.group("visit"):
        response = await vu.http.get("/json", name=f"/products/{{next(numbers) % {names}}}")
        vu.check(response, {{"status is 200": lambda r: r.status_code == 200}})
"""
CONFTEST = """
import pathlib
import signal
import threading
import time

import trio

spent = 0.0
main, submit = threading.main_thread(), trio.lowlevel.TrioToken.run_sync_soon

def run_sync_soon(self, fn, *args, **options):
    def timed():
        global spent
        began = time.thread_time()
        try:
            fn(*args)
        finally:
            spent += time.thread_time() - began

    if threading.current_thread() is main:
        submit(self, fn, *args, **options)
    else:
        submit(self, timed, **options)

def tell(*_):
    pathlib.Path("spent.new").write_text(str(spent))
    pathlib.Path("spent.new").rename("spent")

trio.lowlevel.TrioToken.run_sync_soon = run_sync_soon
signal.signal(signal.SIGUSR1, tell)
"""
SETTLE = 1.5  # seconds from opening pages to counting
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds: of the whole process, of the API's thread, of the loop for the API."""

    process: float
    api: float
    loop: float


class RunningTest:
    """A load test in a process of its own.

    Args:
        process: The process.
        folder: Where it runs.
        port: Where its API listens.
    """

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, port: int) -> None:
        self.port = port
        self._process = process
        self._folder = folder

    def usage(self) -> Usage:
        """Return what it has used so far."""
        pid = self._process.pid
        threads = {
            int(path.parent.name): int(path.read_text().split()[0]) / 1e9
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
        }
        all_of_it = sum(threads.values())
        return Usage(all_of_it, all_of_it - threads[pid], self._spent())

    def _spent(self) -> float:
        told = self._folder / "spent"
        told.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE
        while not told.exists():
            if time.monotonic() > deadline:
                raise SystemExit("the load test does not answer")
            time.sleep(0.002)
        return float(told.read_text())


class Page(threading.Thread):
    """A page that is open: what it asks for when it is opened, and what it reads then.

    Args:
        port: Where the API listens.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.parts = 0
        self._port = port
        self._has_left = threading.Event()

    def run(self) -> None:
        """Read until it is closed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        stream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        stream.request("GET", "/v1/events?only=test,status,scenarios,workers,timeline,report")
        events = stream.getresponse()
        (test,) = self._ask(connection, "/v1/tests")["data"]
        for path in (
            "/v1/status",
            "/v1/scenarios",
            f"/v1/tests/{test['id']}/report",
            f"/v1/tests/{test['id']}/workers",
        ):
            self._ask(connection, path)
        self._ask(connection, f"/v1/tests/{test['id']}/timeline?points=3600")
        while not self._has_left.is_set():
            self.parts += events.readline().startswith(b"event: timeline")
        stream.close()
        connection.close()

    def close(self) -> None:
        """Close it."""
        self._has_left.set()
        self.join(PATIENCE)

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> Any:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


@contextlib.contextmanager
def running_test(
    service: Service, folder: Path, core: int, load: str, names: int
) -> Iterator[RunningTest]:
    """Run the load test until the end."""
    (folder / "test_load.py").write_text(SUITE.format(load=load, names=names))
    (folder / "conftest.py").write_text(CONFTEST)
    command = ["taskset", "-c", str(core), sys.executable, "-m", "pytest", "-p", "k6api"]
    command += ["-p", "no:cacheprovider", "--k6-address=127.0.0.1:0"]
    with subprocess.Popen(
        [*command, f"--k6-base-url={service.url}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        found = (re.search(r"k6 control API: http://127\.0\.0\.1:(\d+)", line) for line in lines)
        port = next((int(match[1]) for match in found if match), 0)
        if not port:
            raise SystemExit("the load test did not start")
        threading.Thread(target=process.stdout.read, daemon=True).start()
        time.sleep(3)  # starting is not what is measured
        yield RunningTest(process, folder, port)
        process.kill()


def measure(test: RunningTest, pages: int, seconds: float) -> Usage:
    """Return the shares of a core that are used with so many pages."""
    opened = [Page(test.port) for _ in range(pages)]
    for page in opened:
        page.start()
        time.sleep(0.02)
    time.sleep(SETTLE)
    began, before = time.monotonic(), test.usage()
    time.sleep(seconds)
    after, took = test.usage(), time.monotonic() - began
    for page in opened:
        page.close()
        if not page.parts:
            raise SystemExit("a page was told nothing")
    return Usage(
        (after.process - before.process) / took,
        (after.api - before.api) / took,
        (after.loop - before.loop) / took,
    )


def main() -> None:
    """Measure in turns, and print the shares of a core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second; 0: all it can")
    parser.add_argument("--names", type=int, default=50, help="different names of requests")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each window")
    parser.add_argument("--pages", default="0,1,10")
    parser.add_argument("--cores", default="1,0", help="load's, and that of service and pages")
    options = parser.parse_args()
    core, other = map(int, options.cores.split(","))
    counts = [int(count) for count in options.pages.split(",")]
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {other})
    paced = f'executor="constant-arrival-rate", rate={options.rate}, pre_allocated_vus=50'
    load = paced if options.rate else "vus=50"
    used: dict[int, list[Usage]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as name, running_nginx(Path(name), other) as service:
        suite = Path(name) / "suite"
        suite.mkdir()
        with running_test(service, suite, core, load, options.names) as test:
            for number in range(options.rounds):
                for count in counts if number % 2 else reversed(counts):
                    used[count].append(measure(test, count, options.seconds))
    print("pages   API's thread   load's loop   both   (least to most)   whole process more")
    for count, shares in used.items():
        both = [share.api + share.loop for share in shares]
        more = [
            share.process - base.process
            for share, base in zip(shares, used[counts[0]], strict=True)
        ]
        print(
            f"{count:5}   {statistics.median(share.api for share in shares):12.2%}"
            f"   {statistics.median(share.loop for share in shares):11.2%}"
            f"   {statistics.median(both):.2%} ({min(both):.2%} to {max(both):.2%})"
            f"   {statistics.median(more):+.2%}"
        )


if __name__ == "__main__":
    main()
