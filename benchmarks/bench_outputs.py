"""What an output costs beside the load: processor time for each request, of both in the same run.

Load comes by pytest as users start it, on one core: as much as it makes, or at a constant rate, at
which a request takes more. The service, and a server that takes whatever outputs send, are on
another core. What the thread of an output takes is counted by the thread's own clock
(``comparing/output_share.py``), so that other programs on the machine make both longer alike;
printed are medians of the rounds. ``--k6`` measures what a request takes in k6 with its outputs of
these names, and that much with ours.

    python benchmarks/bench_outputs.py [--only json,statsd] [--rounds 3] [--rate 4000] [--k6]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparing.generators import GENERATORS, environment
from comparing.measuring import Run, run_once
from comparing.results import Pair
from comparing.service import Service, running_nginx
from comparing.workloads import Load, Workload

SERVER = """
import http.server, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
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
NATIVE = "prometheus-rw, native"


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured of one output in one run; microseconds of processor time for a request.

    Attributes:
        output: What the output took.
        load: What all the rest took.
        dropped: The share of the samples that were dropped.
        k6: What all took in k6; 0 if that was not measured.
    """

    output: float
    load: float
    dropped: float
    k6: float


@contextlib.contextmanager
def running_server() -> Iterator[int]:
    """Give the port of a server in another process that takes every POST."""
    command = [sys.executable, "-c", SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def targets(folder: Path, port: int) -> dict[str, str]:
    """Return the target of each output that is measured."""
    url = f"http://127.0.0.1:{port}"
    return {
        "json": f"{folder}/run.json",
        "json, .gz": f"{folder}/run.json.gz",
        "csv": f"{folder}/run.csv",
        "influxdb": f"{url}/k6",
        "prometheus-rw": f"{url}/write",
        NATIVE: f"{url}/write",
        "opentelemetry": url,
        "statsd": f"127.0.0.1:{port}",
    }


def measure(shown: str, target: str, bench: "Bench") -> Found:
    """Run a load test with the output `shown`; return what was measured."""
    name, share = shown.partition(",")[0], bench.service.folder / "share"
    environ = {"PYTHONPATH": str(Path(__file__).parent), "OUTPUT_SHARE": str(share)}
    environ["K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM"] = str(shown == NATIVE).lower()
    options = (f"--k6-out={name}={target}", "-pcomparing.output_share")
    bench.run("plugin", bench.seconds, options, environ)
    found = json.loads(share.read_text())
    return Found(**found, k6=measure_k6(name, target, environ, bench))


def measure_k6(name: str, target: str, environ: dict[str, str], bench: "Bench") -> float:
    """Return the microseconds that k6 with its output `name` takes for a request; 0 if not asked."""
    if not bench.with_k6 or name == "statsd":  # which it had in other versions
        return 0.0
    environ = environ | {
        "K6_PROMETHEUS_RW_SERVER_URL": target,
        "K6_OTEL_EXPORTER_PROTOCOL": "http/protobuf",
        "K6_OTEL_HTTP_EXPORTER_INSECURE": "true",
        "K6_OTEL_HTTP_EXPORTER_ENDPOINT": target.partition("//")[2],
    }
    experimental = ("prometheus-rw", "opentelemetry")
    pushing = {each: f"experimental-{each}" for each in experimental}
    option = ("-o", pushing.get(name, f"{name}={target}"))
    short, long = (bench.run("k6", each, option, environ) for each in (1, 1 + bench.seconds))
    return Pair(short, long).cpu_per_request * 1e6


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how long load is made; see the options of the command line."""

    service: Service
    core: int
    seconds: float
    rate: int
    with_k6: bool

    @property
    def log(self) -> Path:
        """What the last generator said."""
        return self.service.folder / "log"

    def run(
        self, generator: str, seconds: float, options: Sequence[str], environ: dict[str, str]
    ) -> Run:
        """Run `generator` with more `options` to its end."""
        load = Load(50, seconds)
        workload = Workload(
            key="",
            about="",
            folder="arrival_rate" if self.rate else "small_get",
            load=load,
            base=load,
            shows="arrivals" if self.rate else "cpu",
            environment={"RATE": str(self.rate), **environ},
        )
        command = [*GENERATORS[generator]().command(workload, load, self.service), *options]
        told = environment(workload, load, self.service)
        return run_once(command, told, self.service, core=self.core, log=self.log)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=0, help="requests a second; 0 for as many")
    parser.add_argument("--seconds", type=float, default=5, help="of load")
    parser.add_argument("--only", default="", help="outputs, with commas between")
    parser.add_argument("--k6", action="store_true", help="measure k6, too")
    parser.add_argument("--cores", default="1,0", help="the generator's and the service's")
    options = parser.parse_args()
    core, service_core = map(int, options.cores.split(","))
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {service_core})
    asked = options.only.split(",") if options.only else []
    with (
        tempfile.TemporaryDirectory() as name,
        running_server() as port,
        running_nginx(Path(name), service_core) as service,
    ):
        bench = Bench(service, core, options.seconds, options.rate, options.k6)
        print("output                  µs/request  of the load  dropped  k6, µs/request with it")
        for shown, target in targets(Path(name), port).items():
            if not asked or shown.partition(",")[0] in asked:
                rounds = [measure(shown, target, bench) for _ in range(options.rounds)]
                print(row(shown, rounds), flush=True)


def row(shown: str, rounds: Sequence[Found]) -> str:
    """Return the row of an output: medians."""
    cost = statistics.median(each.output for each in rounds)
    share = statistics.median(each.output / each.load for each in rounds)
    dropped = max(each.dropped for each in rounds)
    k6 = statistics.median(each.k6 for each in rounds)
    ratio = statistics.median(each.k6 / (each.output + each.load) for each in rounds)
    beside = f"{k6:15.1f}, {ratio:.1f} times ours" if k6 else ""
    return f"{shown:22}  {cost:10.2f}  {share:11.1%}  {dropped:7.1%}{beside}"


if __name__ == "__main__":
    main()
