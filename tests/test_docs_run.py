"""What the documentation shows runs: its blocks of Python here, its scripts in k6 and Locust."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
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

PLUGINS = ["-p", "k6api", "-p", "no:cacheprovider"]
LOAD_TEST = re.compile(r"^ *@(pytest\.mark\.)?(scenario|load_test)\b", re.MULTILINE)
TEST = re.compile(r"^(?:(?:async )?def test_|class Test)", re.MULTILINE)


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
    # The shop speaks neither TLS nor, so, HTTP/3.
    load_tests = [
        block for block in blocks if LOAD_TEST.search(block) and 'http_versions="3"' not in block
    ]
    for number, block in enumerate(load_tests):
        (tmp_path / f"test_{number}.py").write_text(f"import pytest\n{block}", encoding="utf-8")
    options = [*PLUGINS, "--k6-smoke", "--k6-address=", f"--k6-base-url={shop}"]

    ended = _run(sys.executable, "-m", "pytest", "--rootdir", tmp_path, *options, tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f" {sum(len(TEST.findall(block)) for block in load_tests)} passed" in ended.stdout


HOOKED = """
import pytest

@pytest.mark.scenario(thresholds={"http_reqs": ["count>1"]})
async def test_visit(vu):
    await vu.http.get("/")
"""


@pytest.mark.sockets
@pytest.mark.slow
def test_the_hooks_in_the_text_are_called(shop: str, tmp_path: Path) -> None:
    blocks = [str(block.values[0]) for block in BLOCKS if str(block.id).startswith("hooks-")]
    hooks = {"telling": "pytest_k6_summary", "keeping": "pytest_k6_load_test_finished"}
    for name, hook in hooks.items():
        (conftest,) = (block for block in blocks if f"def {hook}(" in block)
        (tmp_path / name).mkdir()
        (tmp_path / name / "conftest.py").write_text(conftest, encoding="utf-8")
        (tmp_path / name / "test_hooked.py").write_text(HOOKED, encoding="utf-8")
    options = [*PLUGINS, "--k6-address=", f"--k6-base-url={shop}", "--import-mode=importlib"]

    ended = _run(sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, tmp_path)

    assert ended.stdout.count("at list price: 0.00 EUR for 1 scenarios") == 1
    lines = (tmp_path / "keeping/kept.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in lines]
    assert [line["values"] for line in kept if line.get("metric") == "http_reqs"] == [[1.0]]
    assert [line["crossed"] for line in kept if "crossed" in line] == ["http_reqs: count>1"]
    assert [line["outcome"] for line in kept if "outcome" in line] == ["failed"]


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


# Not importorskip: Locust's import has gevent patch this process, and Trio breaks.
# Not imported: Locust patches threads and sockets of the process that imports it.
@pytest.mark.skipif(find_spec("locust") is None, reason="it is checked where Locust is installed")
@pytest.mark.sockets
@pytest.mark.slow
def test_the_locustfile_passes_in_locust(shop: str) -> None:
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
