"""How long does a command take under full load?

    python benchmarks/commands.py [--workers 2] [--commands 100]

Twenty virtual users that never wait use all of a core, or of one for each worker. A client
pauses, resumes and scales them over one connection to the control API, 30 ms apart, and
takes the time from each request to its answer, which comes when the command is carried
out everywhere.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = """
import pytest

@pytest.mark.scenario(executor="externally-controlled", vus=20, max_vus=40, duration="10m")
async def test_full_load(vu):
    with vu.group("group"):
        vu.check(1, {"is one": lambda value: value == 1})
    await vu.sleep(0)
"""
_RUNNING = 7  # k6's number of the status


class Control:
    """A client of the control API, with one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)

    def status(self) -> dict[str, object]:
        """Return the attributes of the status."""
        return self._ask("GET", None)

    def change(self, **attributes: object) -> float:
        """Change `attributes` of the status; return the milliseconds until the answer."""
        document = {"data": {"type": "status", "id": "default", "attributes": attributes}}
        began = time.perf_counter()
        self._ask("PATCH", json.dumps(document))
        return (time.perf_counter() - began) * 1e3

    def _ask(self, method: str, body: str | None) -> dict[str, object]:
        self._connection.request(method, "/v1/status", body)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} /v1/status: {response.status} {content!r}")
        attributes: dict[str, object] = json.loads(content)["data"]["attributes"]
        return attributes


@contextmanager
def full_load(workers: int) -> Iterator[Control]:
    """Run the suite; the value controls it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_full_load.py").write_text(SUITE)
        pytest = [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider"]
        options = ["--k6-address=127.0.0.1:0", *([f"--k6-workers={workers}"] if workers else [])]
        process = subprocess.Popen(
            [*pytest, *options], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            lines = (re.search(r"API: http://(\S+)", line) for line in process.stdout)
            found = next(filter(None, lines), None)
            if found is None:
                raise SystemExit("pytest did not start the control API")
            control = Control(found[1])
            deadline = time.monotonic() + 60
            while (now := control.status())["status"] != _RUNNING or not now["vus"]:
                if time.monotonic() > deadline:
                    raise SystemExit(f"no load after a minute: {now}")
                time.sleep(0.05)
            time.sleep(1.0)
            yield control
            control.change(stopped=True)
            process.stdout.read()
        finally:
            process.kill()
            process.wait()


def main() -> None:
    """Print the percentiles of each kind of command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=0, help="worker processes; 0 for none")
    parser.add_argument("--commands", type=int, default=100, help="commands of each kind")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"pause": [], "resume": [], "vus": []}
    with full_load(arguments.workers) as control:
        for number in range(arguments.commands):
            times["pause"].append(control.change(paused=True))
            time.sleep(0.03)
            times["resume"].append(control.change(paused=False))
            time.sleep(0.03)
            times["vus"].append(control.change(vus=18 + number % 5))
            time.sleep(0.03)
    print(f"{arguments.workers or 'no'} workers, {os.cpu_count()} cores; in ms:")
    for kind, taken in times.items():
        cuts = statistics.quantiles(taken, n=100, method="inclusive")
        print(f"{kind:>8}  p(50) {cuts[49]:6.1f}  p(95) {cuts[94]:6.1f}  longest {max(taken):6.1f}")


if __name__ == "__main__":
    main()
