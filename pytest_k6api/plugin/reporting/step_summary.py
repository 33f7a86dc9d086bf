"""What GitHub shows on the page of a CI run: each load test, appended as it ends."""

import os
from collections.abc import Callable
from pathlib import Path

from pytest_k6api.report import markdown_summary, request_rows
from pytest_k6api.run import LoadTest

VARIABLE = "GITHUB_STEP_SUMMARY"


def write_step_summary(load_test: LoadTest, warn: Callable[[str], None]) -> None:
    """Append the results to the file that GitHub names in the environment, if it does.

    Args:
        load_test: What has ended.
        warn: Called with a sentence if that fails, which is no fault of the load test.
    """
    path = os.environ.get(VARIABLE)
    if not path or load_test.verdict is None:
        return
    text = markdown_summary(
        load_test.name,
        load_test.verdict.outcome,
        load_test.results.snapshot,
        load_test.verdict.reasons,
        load_test.comparison,
        requests=list(request_rows(load_test.results.requests_by_name(), load_test.target)),
    )
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        warn(f"k6: cannot write the results to ${VARIABLE}: {error}")
