"""Are reported latencies the server's, or the generator's own delay? Compares both sides.

    python benchmarks/fairness.py [--seconds 5] [--out FILE]

Two servers on one core: nginx, whose log has each ``$request_time`` (in
milliseconds), and one that draws a delay for each request from a known
distribution and notes how long it really took (in microseconds). The generator, on
another core, is `pytest` with this plugin at a constant arrival rate of 10 %, 50 %
and 90 % of what it can make at all. The difference between what is reported and what
the server says is the way through the kernel, and whatever the generator adds.
"""

import argparse
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from comparing.service import running_nginx

HERE = Path(__file__).parent / "fairness"
RANKS = ("50", "90", "99", "99.9")
SHARES = (0.1, 0.5, 0.9)
MANY = 100_000  # per second: more than one core can make
VUS = {"/timed": 100, "/": 1_000}


@dataclass(frozen=True, slots=True)
class Report:
    """What a load test reported.

    Attributes:
        requests: How many there were.
        seconds: How long they took altogether.
        took: Percentiles of ``http_req_duration`` in milliseconds, by rank.
    """

    requests: float
    seconds: float
    took: dict[str, float]


def run(url: str, ask: str, rate: int, seconds: float, core: int) -> Report:
    """Make load and return what is reported of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        told = {"RATE": str(rate), "DURATION": f"{seconds:g}s", "VUS": str(VUS[ask])}
        told |= {"ASK": ask, "REPORT": str(report), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = ["taskset", "-c", str(core), sys.executable, "-m", "pytest", "-q"]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "pytest_k6api.plugin",
            str(HERE / "test_load.py"),
        ]
        command += [f"--rootdir={HERE}", f"--k6-base-url={url}", "--k6-address=127.0.0.1:0"]
        done = subprocess.run(
            command, env={**os.environ, **told}, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise SystemExit(f"the load test failed:\n{done.stdout}{done.stderr}")
        return Report(**json.loads(report.read_text()))


@contextmanager
def running_delays(folder: Path, core: int) -> Iterator[tuple[str, Callable[[], Sequence[float]]]]:
    """Run the server with the known delays; give its URL, and what stops it and tells its times."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = folder / "took.json"
    command = ["taskset", "-c", str(core), sys.executable, str(HERE / "delaying.py")]
    with subprocess.Popen([*command, str(port), str(file)]) as process:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)

        def stop() -> Sequence[float]:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            return [took / 1000 for took in json.loads(file.read_text())]

        try:
            yield f"http://127.0.0.1:{port}", stop
        finally:
            process.kill()


def at_rank(values: Sequence[float], rank: str) -> float:
    """Return a percentile of sorted `values`, as k6 interpolates it."""
    position = float(rank) / 100 * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (position - below)


def row(server: str, share: float, report: Report, truth: Sequence[float]) -> str:
    """Return a row of the table; times in milliseconds."""
    cells = [server, f"{share:.0%}", f"{report.requests / report.seconds:,.0f}"]
    for rank in RANKS:
        told, real = report.took[rank], at_rank(truth, rank)
        cells.append(f"{told:.3f} / {real:.3f} ({told - real:+.3f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--cores", default="1,0", help="generator's and servers'")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    core, service_core = map(int, options.cores.split(","))
    heads = ["server", "of saturation", "requests/s", *(f"p({rank}) ms" for rank in RANKS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_nginx(folder, service_core) as nginx:
            limit = run(nginx.url, "/timed", MANY, 2, core)
            nginx.take_times()
            most = limit.requests / limit.seconds
            print(f"{platform.machine()}: one core makes {most:,.0f} requests/s", flush=True)
            for share in SHARES:
                report = run(nginx.url, "/timed", round(most * share), options.seconds, core)
                truth = [took * 1000 for took in nginx.take_times()]
                lines.append(row("nginx", share, report, truth))
        for share in SHARES:
            with running_delays(folder, service_core) as (url, stop):
                report = run(url, "/", round(most * share), options.seconds, core)
                lines.append(row("known delays", share, report, stop()))
    table = "reported / the server's own (difference)\n\n" + "\n".join(lines)
    print(table)
    if options.out:
        options.out.write_text(table + "\n")


if __name__ == "__main__":
    main()
