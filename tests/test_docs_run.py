"""What the documentation shows runs: its blocks of Python here, its scripts in k6 and Locust."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_k6api.metrics import parse_thresholds
from pytest_k6api.model import BUILT_IN

ROOT = Path(__file__).parents[1]
WORKLOADS = ROOT / "examples/workloads"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(
            r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
    )
]


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_python_is_python(block: str) -> None:
    compile(block, "block", "exec")


@pytest.mark.sockets
@pytest.mark.slow
def test_the_scenarios_in_the_text_pass(shop: str, tmp_path: Path) -> None:
    blocks = [str(block.values[0]) for block in BLOCKS]
    scenarios = [block for block in blocks if "@pytest.mark.scenario" in block]
    for number, block in enumerate(scenarios):
        (tmp_path / f"test_{number}.py").write_text(f"import pytest\n{block}", encoding="utf-8")
    options = ["-p", "no:cacheprovider", "--k6-smoke", "--k6-address=", f"--k6-base-url={shop}"]

    ended = _run(sys.executable, "-m", "pytest", "--rootdir", tmp_path, *options, tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{len(scenarios)} passed" in ended.stdout


def test_the_thresholds_in_the_text_can_be_read() -> None:
    (block,) = (block.values[0] for block in BLOCKS if str(block.id).startswith("thresholds"))
    names: dict[str, dict[str, list[str]]] = {}

    exec(str(block), names)

    known = {metric.name: metric for metric in BUILT_IN}
    assert len(parse_thresholds(names["thresholds"], known)) == 4


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
    # Not imported: Locust patches threads and sockets of the process that imports it.
    if importlib.util.find_spec("locust") is None:
        pytest.skip("it is checked where Locust is installed")

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
