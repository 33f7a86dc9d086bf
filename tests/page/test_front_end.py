"""The scripts of the pages: their unit tests by Node.js, their types by TypeScript, their bundles."""

import os
import re
import shutil
import subprocess
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from pytest_k6api.page import bundle, make_page

HERE = Path(__file__).parent
SCRIPTS = Path(str(files("pytest_k6api.page")))
MODULES = Path(os.environ.get("K6API_NODE_MODULES", HERE / "node_modules"))


@pytest.mark.node
def test_the_unit_tests_of_the_scripts_pass() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")

    ran = subprocess.run(
        [node, "--test", *map(str, sorted(HERE.glob("*.test.mjs")))],
        env={**os.environ, "K6API_PAGE": f"{SCRIPTS.as_uri()}/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout


@pytest.mark.node
@pytest.mark.slow
def test_the_types_of_the_scripts_hold() -> None:
    compiler = MODULES / ".bin/tsc"
    if not compiler.exists():
        pytest.skip("needs TypeScript: npm install --prefix tests/page")

    ran = subprocess.run(
        [compiler, "-p", SCRIPTS], capture_output=True, text=True, timeout=120, check=False
    )

    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("entry", ["live.js", "report.js"])
def test_a_bundle_has_each_name_once_and_no_import_left(entry: str) -> None:
    script = bundle(entry)

    names = Counter(
        re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script, re.MULTILINE)
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert re.findall(r"^(?:import|export) .*", script, re.MULTILINE) == []


def test_no_script_makes_elements_of_markup() -> None:
    markup = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|eval\(")

    found = [path.name for path in SCRIPTS.glob("*.js") if markup.search(path.read_text("utf-8"))]

    assert found == []


def test_a_title_is_text() -> None:
    page = make_page("report.js", title="</title><script>", heading="<b>", body="")

    assert "<title>&lt;/title&gt;&lt;script&gt;</title>" in page.html
    assert "<h1>&lt;b&gt;</h1>" in page.html
