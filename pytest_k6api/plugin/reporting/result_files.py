"""Files that a load test leaves: k6's summary as JSON, and the step summary of GitHub."""

import json
import os
from collections.abc import Callable
from math import isfinite
from pathlib import Path

from pytest_k6api.report import (
    file_of_its_own,
    markdown_summary,
    request_tables,
    summary_export,
    write_whole,
)
from pytest_k6api.run import LoadTest

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub names the file that the page of a CI run shows."""


def _finite(text: str) -> float | str:
    # 1e400 is valid JSON, and infinity, which Python reads, is not.
    return number if isfinite(number := float(text)) else text


def export_summary(load_test: LoadTest, folder: Path, pattern: str, load_tests: int) -> list[str]:
    """Write k6's summary of `load_test` as JSON; return the errors, one text each.

    Args:
        load_test: A load test that has ended.
        folder: The base of relative paths.
        pattern: The file, in whose path ``{name}`` stands for the load test.
        load_tests: How many load tests have ended in this session; the second and
            later ones have files of their own.
    """
    path = file_of_its_own(folder / pattern, load_test.name, load_tests)
    data = load_test.setup_teardown.data
    setup_data = json.loads(data, parse_float=_finite) if data is not None else None
    document = summary_export(load_test.results.snapshot, setup_data)
    try:
        write_whole(path, json.dumps(document, indent=4, ensure_ascii=False))
    except OSError as error:
        return [f"cannot write its summary: {error}"]
    return []


def write_step_summary(load_test: LoadTest, warn: Callable[[str], None]) -> None:
    """Append the results to GitHub's step summary, if the environment names one.

    Args:
        load_test: A load test that has ended.
        warn: Receives a sentence if that fails; the load test does not fail with it.
    """
    path = os.environ.get(STEP_SUMMARY)
    if not path or load_test.verdict is None:
        return
    text = markdown_summary(
        load_test.name,
        load_test.verdict.outcome,
        load_test.results.snapshot,
        load_test.verdict.reasons,
        load_test.comparison,
        requests=list(request_tables(load_test.results.requests_by_name(), load_test.target)),
    )
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        warn(f"k6: cannot write the results to ${STEP_SUMMARY}: {error}")
