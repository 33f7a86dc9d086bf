"""What the plugin costs a suite that has no load test, and how soon a load test sends its first request.

Rounds are interleaved, with and without the plugin, so that a busy machine
disturbs both alike; byte code is written by the rounds that are thrown away.

    python benchmarks/startup.py [--rounds 15] [--core 0]

* *cost*: ``pytest`` on one ordinary test, with ours and with an empty plugin;
  the median of the differences of the pairs. Asked for: at most 10 ms.
* *first request*: from the start of ``pytest`` until a listening socket reads the
  first byte that a scenario sends, beside an ordinary test that connects by
  itself. Asked for: at most 360 ms.
* *with two workers*: the same until one of them sends its first byte. Asked for: at
  most 1.5 s.

Other plugins of the environment are switched off: they cost both sides the same
and would only add noise. Without ours a session loads an empty plugin by ``-p`` as well, because
pytest then reads the entry points of every installed distribution, as it does for all
users. ``--imports`` prints what the plugin imports instead.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SECONDS_TO_CONNECT = 20
PLUGIN = ["-p", "pytest_k6api.plugin"]
EMPTY_PLUGIN = ["-p", "an_empty_plugin"]
ORDINARY = "def test_nothing():\n    pass\n"
SCENARIO = """
import pytest

@pytest.mark.scenario
async def test_first_request(vu):
    await vu.http.get("/")
"""
SOCKET = """
import os, socket

def test_first_request():
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as connection:
        connection.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        connection.recv(1000)
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def pytest_command(file: Path, *arguments: str, core: int | None) -> list[str]:
    """Return the command that runs one file alone, with no plugin but ours if it is asked for."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent)]
    return [*pinned, sys.executable, "-m", "pytest", str(file), *options, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a run: byte code is kept, other plugins stay away."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | more


def seconds_of(command: list[str]) -> float:
    """Run a command to its end and return how long that took."""
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def seconds_to_first_byte(make_command: Callable[[int], list[str]]) -> float:
    """Run a command that sends a request to the port it is told; return when it arrived."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS_TO_CONNECT)
        port = listener.getsockname()[1]
        began = time.perf_counter()
        with subprocess.Popen(
            make_command(port), env=environment(PORT=str(port)), stdout=subprocess.DEVNULL
        ) as process:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1)
                    arrived = time.perf_counter()
                    connection.sendall(ANSWER)
            finally:
                process.wait(SECONDS_TO_CONNECT)
    return arrived - began


def write(folder: Path, name: str, text: str) -> Path:
    """Write a test file and return where it is."""
    file = folder / name
    file.write_text(text)
    return file


def compare(
    rounds: int,
    one: Callable[[], float],
    other: Callable[[], float],
    names: tuple[str, str] = ("with the plugin", "without"),
) -> None:
    """Print the medians of two measurements taken in turn, and of their difference, in ms."""
    one(), other()
    pairs = []
    for number in range(rounds):
        first = one() if number % 2 else None
        second = other()
        pairs.append((one() if first is None else first, second))
    ours, theirs = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    differences = sorted((one - other) * 1e3 for one, other in pairs)
    quarter = len(differences) // 4
    print(
        f"  {names[0]} {ours:6.1f} ms   {names[1]} {theirs:6.1f} ms   "
        f"difference {statistics.median(differences):6.1f} ms "
        f"(middle half {differences[quarter]:.1f} to {differences[-1 - quarter]:.1f})"
    )


def print_imports() -> None:
    """Print the modules that importing the plugin adds to pytest's own, the slowest first."""
    command = [sys.executable, "-X", "importtime", "-c"]
    code = "import pytest, sys; print('-----', file=sys.stderr, flush=True); "
    code += "import pytest_k6api.plugin"
    done = subprocess.run([*command, code], check=True, capture_output=True, text=True)
    lines = done.stderr.split("-----\n")[1].splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines]
    for own, total, name in sorted(rows, key=lambda row: -int(row[0])):
        print(f"{int(own) / 1e3:8.2f} ms  {int(total) / 1e3:8.2f} ms with its own  {name.strip()}")


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", type=int, help="pin the measured processes to this core")
    parser.add_argument("--imports", action="store_true", help="print import times instead")
    options = parser.parse_args()
    if options.imports:
        print_imports()
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ordinary = write(folder, "test_ordinary.py", ORDINARY)
        scenario = write(folder, "test_scenario.py", SCENARIO)
        bare = write(folder, "test_socket.py", SOCKET)
        write(folder, f"{EMPTY_PLUGIN[1]}.py", "")
        os.environ["PYTHONPATH"] = os.pathsep.join([name, os.environ.get("PYTHONPATH", "")])
        core = options.core

        def load(port: int, *more: str) -> list[str]:
            arguments = [
                f"--k6-base-url=http://127.0.0.1:{port}",
                "--k6-address=127.0.0.1:0",
                *more,
            ]
            return pytest_command(scenario, *PLUGIN, *arguments, core=core)

        print("a suite without load tests, to its end:")
        compare(
            options.rounds,
            lambda: seconds_of(pytest_command(ordinary, *PLUGIN, core=core)),
            lambda: seconds_of(pytest_command(ordinary, *EMPTY_PLUGIN, core=core)),
        )
        print("to the first request of one scenario, beside an ordinary test with a socket:")
        compare(
            options.rounds,
            lambda: seconds_to_first_byte(load),
            lambda: seconds_to_first_byte(
                lambda _port: pytest_command(bare, *EMPTY_PLUGIN, core=core)
            ),
        )
        print("to the first request with two workers, beside one process:")
        compare(
            options.rounds,
            lambda: seconds_to_first_byte(lambda port: load(port, "--k6-workers=2")),
            lambda: seconds_to_first_byte(load),
            ("two workers", "one process"),
        )


if __name__ == "__main__":
    main()
