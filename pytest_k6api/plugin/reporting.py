"""What a load test leaves in pytest's reports: the failure, the summary, the properties."""

import json
from pathlib import Path

import pytest
from _pytest._code import ExceptionInfo

from pytest_k6api.load import Failure
from pytest_k6api.model import K6ApiError
from pytest_k6api.plugin.terminal import SUMMARY
from pytest_k6api.report import summary_export, summary_lines
from pytest_k6api.run import LoadTest

_SUMMARY_LINES = pytest.StashKey[list[str]]()
_SHOWN_FAILURES = 5


def render(error: BaseException) -> str:
    """Return the traceback of `error` as pytest shows it, with introspected assertions."""
    info = ExceptionInfo.from_exception(error)
    return str(info.getrepr(style="short", tbfilter=True, truncate_locals=True))


def keep_results(item: pytest.Item, load_test: LoadTest) -> None:
    """Keep the summary for the report, and the main numbers as its properties."""
    verdict = load_test.verdict
    assert verdict is not None
    snapshot = load_test.results
    heading = f"{load_test.name}: {verdict.outcome}, {snapshot.elapsed:.1f} s"
    item.stash[_SUMMARY_LINES] = [heading, *summary_lines(snapshot)]
    item.user_properties += _properties(load_test)


def attach_summary(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the summary to `report`; it travels with it to another process."""
    lines = item.stash.get(_SUMMARY_LINES, None)
    if lines is not None:
        setattr(report, SUMMARY, lines)


def _properties(load_test: LoadTest) -> list[tuple[str, object]]:
    properties: list[tuple[str, object]] = []
    duration = load_test.query("http_req_duration", ("p(50)", "p(95)", "p(99)"))
    if duration is not None:
        numbers = {**duration.sample, **duration.extra}
        properties += [
            (f"http_req_duration_p{rank}_ms", round(numbers[f"p({rank})"], 3))
            for rank in (50, 95, 99)
        ]
    requests = load_test.query("http_reqs")
    if requests is not None:
        properties.append(("http_reqs_per_second", round(requests.sample["rate"], 3)))
    failed = load_test.query("http_req_failed")
    if failed is not None:
        properties.append(("http_req_failed_rate", round(failed.sample["rate"], 6)))
    return properties


def failure_text(load_test: LoadTest) -> str:
    """Return why `load_test` failed: the reasons first, then what failed inside VUs."""
    verdict = load_test.verdict
    assert verdict is not None
    lines = [f"the load test {verdict.outcome}:", *(f"  ✗ {reason}" for reason in verdict.reasons)]
    failures = load_test.failures()
    for failure in failures[:_SHOWN_FAILURES]:
        lines += ["", *_failure_lines(failure)]
    if len(failures) > _SHOWN_FAILURES:
        more = len(failures) - _SHOWN_FAILURES
        lines += ["", f"… and {more} more kinds of failures; GET /v1/failures tells all"]
    return "\n".join(lines)


def _failure_lines(failure: Failure) -> list[str]:
    share = f" ({failure.share:.2%} of iterations)" if failure.share is not None else ""
    when = f"first at {failure.first_at:.1f} s, last at {failure.last_at:.1f} s"
    where = f"{failure.scenario}, {failure.place}" if failure.scenario else failure.place
    return [
        f"{failure.count:,}x {failure.kind.value}{share}: {failure.message}",
        f"    in {where}; {when}",
        *(f"    {line}" for line in failure.details.splitlines()),
    ]


def export_summary(load_test: LoadTest, pattern: str, load_tests: int) -> None:
    """Write k6's summary JSON of `load_test` to the file that `pattern` names.

    Args:
        load_test: What has ended.
        pattern: A path, in which ``{name}`` stands for the load test's name; empty for none.
        load_tests: How many load tests have ended in this session.
    """
    if not pattern:
        return
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in load_test.name)
    path = Path(pattern.replace("{name}", safe))
    if load_tests > 1 and "{name}" not in pattern:
        path = path.with_name(f"{path.stem}-{load_tests}{path.suffix}")
    data = load_test.life.data
    document = summary_export(load_test.results, json.loads(data) if data is not None else None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=4, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise K6ApiError(f"cannot write the summary of {load_test.name}: {error}") from error
