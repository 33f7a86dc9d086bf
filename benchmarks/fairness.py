"""Are reported latencies the server's, or the generator's own delay? Compares both sides.

    python benchmarks/fairness.py [--seconds 5] [--out FILE]

Two servers on one core: nginx, whose log has each ``$request_time`` (in
milliseconds), and one that draws a delay for each request from a known
distribution and notes how long it really took (in microseconds). The generator, on
another core, is `pytest` with this plugin, or k6, at a constant arrival rate of
10 %, 50 % and 90 % of what each can make at all. The difference between what is
reported and what the server says is the way through the kernel, and whatever the
generator adds.
"""

import argparse
import json
import os
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
# By the path, which only tells the two servers apart: nginx's and the one with delays.
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


def plugin_command(url: str) -> list[str]:
    """Return how `pytest` is called with this plugin."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "pytest_k6api.plugin", str(HERE / "test_load.py"), f"--rootdir={HERE}"]
    return [*command, f"--k6-base-url={url}", "--k6-address=127.0.0.1:0"]


def k6_command(_: str) -> list[str]:
    """Return how k6 is called."""
    beside = Path(sys.executable).with_name("k6")
    program = str(beside) if beside.exists() else "k6"
    return [program, "run", "-q", "-a", "127.0.0.1:0", str(HERE / "k6.js")]


COMMANDS = {"plugin": plugin_command, "k6": k6_command}


def run(generator: str, url: str, ask: str, *, rate: int, seconds: float, core: int) -> Report:
    """Make load and return what is reported of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        told = {"RATE": str(rate), "DURATION": f"{seconds:g}s", "VUS": str(VUS[ask])}
        told |= {"ASK": ask, "REPORT": str(report), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        told |= {"BASE_URL": url}
        done = subprocess.run(
            ["taskset", "-c", str(core), *COMMANDS[generator](url)],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
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


def row(generator: str, share: float, report: Report, truth: Sequence[float]) -> str:
    """Return a row of the table; times in milliseconds."""
    cells = [generator, f"{share:.0%}", f"{report.requests / report.seconds:,.0f}"]
    for rank in RANKS:
        told, real = report.took[rank], at_rank(truth, rank)
        cells.append(f"{told:.3f} / {real:.3f} ({told - real:+.3f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--cores", default="1,0", help="generator's and servers'")
    parser.add_argument("--generators", default="plugin,k6", help="names, with commas")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    seconds = options.seconds
    core, service_core = map(int, options.cores.split(","))
    tables = {"nginx, which counts milliseconds": [], "a server with known delays": []}
    for generator in options.generators.split(","):
        with tempfile.TemporaryDirectory() as folder:
            against_nginx, against_delays = tables.values()
            with running_nginx(Path(folder), service_core) as nginx:
                limit = run(generator, nginx.logging[0], "/timed", rate=MANY, seconds=2, core=core)
                nginx.take_times()
                most = limit.requests / limit.seconds
                print(f"{generator}: one core makes {most:,.0f} requests/s", flush=True)
                for share in SHARES:
                    rate = round(most * share)
                    report = run(
                        generator, nginx.logging[0], "/timed", rate=rate, seconds=seconds, core=core
                    )
                    truth = [took * 1000 for took in nginx.take_times()]
                    against_nginx.append(row(generator, share, report, truth))
            for share in SHARES:
                with running_delays(Path(folder), service_core) as (url, stop):
                    report = run(
                        generator, url, "/", rate=round(most * share), seconds=seconds, core=core
                    )
                    against_delays.append(row(generator, share, report, stop()))
    text = "".join(as_table(server, rows) for server, rows in tables.items())
    print(f"\nreported / the server's own (difference)\n\n{text}")
    if options.out:
        options.out.write_text(text)


def as_table(server: str, rows: list[str]) -> str:
    """Return `rows` as a table of Markdown."""
    heads = ["generator", "of saturation", "requests/s", *(f"p({rank}) ms" for rank in RANKS)]
    head = f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|"
    return "\n".join([f"### {server}", "", head, *rows, "", ""])


if __name__ == "__main__":
    main()
