"""What the documentation shows of k6 and Locust runs there, on the service of its twins."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKLOADS = ROOT / "examples/workloads"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.sockets
@pytest.mark.slow
@pytest.mark.k6_binary
def test_the_script_for_k6_passes_in_k6(shop: str) -> None:
    k6 = Path(sys.executable).with_name("k6")

    ended = _run(k6, "run", "-q", "--address=", "-e", f"BASE_URL={shop}", "from_k6.js")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "100.00%" in ended.stdout


@pytest.mark.sockets
@pytest.mark.slow
def test_the_locustfile_passes_in_locust(shop: str) -> None:
    pytest.importorskip("locust", reason="it is checked where Locust is installed")

    ended = _run(
        sys.executable, "-m", "locust", "-f", "locustfile.py", "--host", shop, "--headless"
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=WORKLOADS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
