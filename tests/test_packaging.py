"""What the project says in two places, it says alike."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _versions(lines: list[str], operator: str) -> dict[str, str]:
    found = (re.match(rf"([\w-]+){operator}([\w.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_the_lowest_releases_are_tested_that_the_project_allows() -> None:
    lines = (ROOT / "tests/lowest.txt").read_text(encoding="utf-8").splitlines()
    tested = _versions(lines, "==")

    promised = _versions(PROJECT["dependencies"], ">=")

    assert promised.items() <= tested.items()


def test_the_readme_has_one_command_for_the_examples_and_one_for_the_tests() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    commands = [line for line in lines if line.startswith("sh scripts/venv ")]

    assert len(commands) == 2
    assert commands[0].endswith("/pytest examples --k6-vus=50")
    assert commands[1].endswith("/pytest")


def test_the_figures_of_the_readme_are_those_of_the_performance_page() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    page = (ROOT / "docs/explanation/performance.md").read_text(encoding="utf-8")

    times = re.search(
        r"costs (\d+) µs of processor time; in k6 it costs (\d+), in Locust (\d+)", readme
    )
    memory = re.search(r"takes (\d+) KB of memory, one of k6's (\d+) KB", readme)

    small_get = re.search(
        r"^\| \(a\) small GET.*? \| (\d+) \| (\d+) \| (\d+) \|", page, re.MULTILINE
    )
    per_vu = re.search(r"^\| \(e\) memory.*? \| (\d+) KB \| (\d+) KB \|", page, re.MULTILINE)
    assert (times and times.groups()) == (small_get and small_get.groups())
    assert (memory and memory.groups()) == (per_vu and per_vu.groups())
    assert times
    assert memory
