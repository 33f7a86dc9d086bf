"""The outputs that the documentation shows are those of a real run, but for the numbers.

Blocks of `console` with pytest commands and what they print are run as they stand, on the
shop of the examples, only for a shorter time. A line of three dots stands for any lines.
To mend a page, take the lines that the failure shows.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.sockets]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ANY = "..."


@dataclass(frozen=True, slots=True)
class Shown:
    """A block of a page: the commands, and the lines that the page says they print."""

    page: Path
    commands: list[str]
    lines: list[str]


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shown() -> Iterator[Shown]:
    for page in PAGES:
        for block in blocks(page, "console"):
            lines = block.splitlines()
            commands = [line[2:] for line in lines if line.startswith("$ pytest")]
            printed = [line for line in lines if not line.startswith("$ ")]
            if commands and printed:
                yield Shown(page, commands, printed)


SHOWN = list(shown())


def masked(line: str) -> str:
    """Return `line` without what differs from run to run: numbers, units, widths, blanks."""
    line = re.sub(r"https?://[\w.:]+", "URL", line)
    unit = r"(?: ?(?:ns|µs|ms|[kMG]?B|s|m|h)(?![a-z]))?"
    line = re.sub(rf"(?:\d[\d,.]*{unit})+(?:/s)?", "#", line)
    line = re.sub(r"([=_-])\1{2,}", r"\1\1\1", line)
    line = re.sub(r"\.{3,}:", "...:", line)
    line = re.sub(r"\s(?:[+-]#%|=)(?=\s|$)", " CHANGE", line)
    line = re.sub(r"(?:more than|may be) noise \(p.#\)", "NOISE", line)
    return " ".join(line.split())


def has(printed: list[str], expected: list[str]) -> bool:
    """Tell whether `printed` has the lines of `expected`, one after the other but for `ANY`."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANY else re.escape(f"{line}\n") for line in told(expected)
    )
    return bool(re.search(f"^{pattern}", "\n".join(told(printed)) + "\n", re.MULTILINE))


def told(lines: list[str]) -> list[str]:
    return [line for line in map(masked, lines) if line]


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


def prepared(page: Path, folder: Path, shop: str) -> tuple[Path, list[str]]:
    """Write what the page has its readers write; return where to run, and with what more."""
    if page.name == "README.md":
        # What is asked of the times is too much for a busy machine.
        source, url = blocks(page, "python")[0].replace("p(95)<200", "p(95)<20000"), shop
    elif page.name == "first-load-test.md":
        # The shop was stopped.
        source, url = f"import pytest\n{blocks(page, 'python')[2]}", "http://127.0.0.1:9"
    elif page.name == "compare-with-a-baseline.md":
        source, url = (ROOT / "examples/test_19_baselines.py").read_text(encoding="utf-8"), shop
        # As in a clone.
        (folder / ".git").mkdir()
        (folder / ".git/HEAD").write_text("0123456789" * 4, encoding="utf-8")
    else:
        return ROOT, []
    place = folder / ("load" if page.stem.startswith("compare") else ".")
    place.mkdir(exist_ok=True)
    (place / "test_shop.py").write_text(source, encoding="utf-8")
    return folder, ["--rootdir=.", f"--k6-base-url={url}", "--k6-duration=1s"]


def test_pages_show_outputs() -> None:
    assert {"README.md", "first-load-test.md"} <= {each.page.name for each in SHOWN}


@pytest.mark.parametrize("each", SHOWN, ids=lambda each: each.page.stem)
def test_a_page_shows_what_is_printed(each: Shown, shop: str, tmp_path: Path) -> None:
    folder, more = prepared(each.page, tmp_path, shop)
    plugins = ["-p", "k6api", "-p", "no:cacheprovider", "--k6-address=127.0.0.1:0"]

    printed = ""
    for command in each.commands:
        program, *arguments = shlex.split(command)
        assert program == "pytest"
        printed += subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *arguments, *more],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        ).stdout

    assert has(printed.splitlines(), each.lines), f"printed was:\n{printed}"
