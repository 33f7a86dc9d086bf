"""What a load test leaves in pytest's reports: the failure, the summary, the properties."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

import outcome
import pytest
import trio
from _pytest._code import ExceptionInfo, Traceback

from pytest_k6api.model import printable
from pytest_k6api.plugin.hooks.stash_keys import SUMMARIES, SUMMARY, KeptSummary
from pytest_k6api.plugin.reporting.summaries import SECTION
from pytest_k6api.plugin.reporting.terminal import Terminal
from pytest_k6api.report import (
    comparison_line,
    comparison_lines,
    file_stem,
    format_share,
    in_encoding,
    observed_text,
    summary_export,
    summary_line,
    summary_lines,
    write_whole,
)
from pytest_k6api.run import LoadTest
from pytest_k6api.vu import Failure, FailureKind

_SUMMARY = pytest.StashKey[KeptSummary]()
_SHOWN_FAILURES = 4
_SHOWN_REQUESTS = 2
_LISTED_REQUESTS = 10
_BODY_LINES = 3
_OURS = (
    Path(__file__).parents[2],
    *(Path(str(module.__file__)).parent for module in (outcome, trio)),
)


def render(error: BaseException, *, shows_locals: bool = False) -> str:
    """Return the traceback of `error` as pytest shows it, with introspected assertions.

    Empty for an error without one.

    Args:
        error: From user code.
        shows_locals: Show local variables, too, as with ``--showlocals``.
    """
    if error.__traceback__ is None:
        # It was never raised, as when setup returned what cannot be used; its message says it.
        return ""
    info = ExceptionInfo.from_exception(error)
    shown = info.getrepr(
        style="long" if shows_locals else "short",  # the short one has no room for them
        showlocals=shows_locals,
        tbfilter=_without_ours,
        truncate_locals=True,
    )
    return str(shown)


def _without_ours(info: ExceptionInfo[BaseException]) -> Traceback:
    """Return the traceback of `info` as far as users wrote it: without our frames and Trio's."""
    theirs = info.traceback.filter(
        lambda entry: not any(ours in Path(entry.path).parents for ours in _OURS)
    )
    return theirs or info.traceback


def keep_results(item: pytest.Item, load_test: LoadTest, added: Sequence[str] = ()) -> None:
    """Keep the summary for the report, and the main numbers as its properties.

    Args:
        item: Where both are kept.
        load_test: What has ended.
        added: What plugins add to the summary.
    """
    verdict = load_test.verdict
    assert verdict is not None
    results = load_test.results
    snapshot = results.snapshot
    heading = f"{load_test.name}: {verdict.outcome}, {snapshot.elapsed:.1f} s"
    if load_test.target:
        heading += f" on {load_test.target}"
    if interrupted := sum(each.interrupted for each in results.scenarios):
        heading += f", {interrupted:,} iterations interrupted"
    if (reason := load_test.ending.ended_itself) is not None:
        heading += f", ended by vu.stop(){': ' if reason else ''}{reason}"
    line = "; ".join(filter(None, (heading, summary_line(snapshot))))
    lines = [
        heading,
        *_failed_request_lines(load_test),
        *summary_lines(snapshot, results.requests_by_name(), load_test.target),
    ]
    if load_test.comparison is not None:
        line += f"; {comparison_line(load_test.comparison)}"
        lines += ["", *comparison_lines(load_test.comparison)]
    if added:
        lines += ["", *added]
    item.stash[_SUMMARY] = KeptSummary(line=line, lines=lines)
    # A rerun of the test has replaced what it left before.
    properties = _properties(load_test)
    names = {name for name, _ in properties}
    item.user_properties[:] = [kept for kept in item.user_properties if kept[0] not in names]
    item.user_properties += properties


def _failed_request_lines(load_test: LoadTest) -> list[str]:
    """Return the kinds of failed requests for the summary, allowed or not."""
    failures = [each for each in load_test.results.failures if each.kind is FailureKind.REQUEST]
    if not failures:
        return []
    lines = [
        f"  {failure.count:,}x {printable(failure.message)}"
        for failure in failures[:_LISTED_REQUESTS]
    ]
    if left := failures[_LISTED_REQUESTS:]:
        count = sum(failure.count for failure in left)
        lines.append(f"  {count:,}x {len(left)} more kind{'s' if len(left) > 1 else ''}")
    return ["FAILED REQUESTS", *lines, ""]


def report_parts(item: pytest.Function, load_test: LoadTest) -> None:
    """Report every threshold, and every scenario of several, as a subtest of its own.

    Does nothing where there are none (before pytest 9, or switched off), under
    ``--stepwise-skip``, where pytest-retry may run it again, and where a failure is expected: an xfail covers its test but
    not the test's subtests.
    """
    request = item.funcargs["request"]
    assert isinstance(request, pytest.FixtureRequest)
    has_subtests = hasattr(pytest, "Subtests") and item.config.pluginmanager.hasplugin("subtests")
    # --stepwise-skip passes over one failed report, which is to be that of the test.
    passes_over = item.config.getoption("stepwise_skip", False)
    # pytest-retry runs the test again for each failed subtest, and again for those of that.
    has_retries = item.config.pluginmanager.hasplugin("pytest-retry")
    is_retried = has_retries and item.get_closest_marker("flaky") is not None
    if not has_subtests or passes_over or is_retried or item.get_closest_marker("xfail"):
        return
    subtests = request.getfixturevalue("subtests")
    encoding = Terminal(item.config).encoding
    # With -x the first failure is raised here; the load test's own says more.
    with suppress(pytest.fail.Exception):
        for name, problem in _parts(load_test):
            with subtests.test(name):
                if problem:
                    shown = in_encoding(printable(problem, lines=True), encoding)
                    pytest.fail(shown, pytrace=False)


def _parts(load_test: LoadTest) -> Iterator[tuple[str, str]]:
    for metric in load_test.results.snapshot.metrics.values():
        for threshold in metric.thresholds:
            if threshold.ok is None:
                continue
            observed = observed_text(threshold, metric)
            problem = f"crossed: {observed}" if threshold.ok is False else ""
            yield f"{metric.id}: {threshold.text}", problem
    scenarios = load_test.results.scenarios
    for scenario in scenarios if len(scenarios) > 1 else ():
        problems = [
            f"{failure.count:,}x {failure.kind.value}: {failure.message}"
            for failure in load_test.results.failures_that_count(scenario.name)
        ]
        yield f"scenario {scenario.name}", "\n".join(problems)


def attach_summary(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the summary to `report`, and give it a headline of one line.

    Both travel with the report to another process.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        # In CI pytest's short summary quotes all of it, which would be the whole
        # report a second time.
        crash.message = crash.message.partition("\n")[0]
        if Path(crash.path).is_relative_to(_OURS[0]):
            # Where the load test stands, not where we said that it failed.
            path, line, _ = item.reportinfo()
            crash.path, crash.lineno = str(path), (line or 0) + 1
    summary = item.stash.get(_SUMMARY, None)
    was_skipped = report.skipped and not hasattr(report, "wasxfail")
    if summary is not None and not was_skipped:
        setattr(report, SUMMARY, summary)
        report.sections.append((SECTION, _text_of(summary)))
        if item.config.pluginmanager.hasplugin("allure_listener"):
            # Allure takes captured output from reports, and what is attached.
            allure: Any = import_module("allure")
            allure.attach(
                _text_of(summary), name=SECTION, attachment_type=allure.attachment_type.TEXT
            )


def _text_of(summary: KeptSummary) -> str:
    return "\n".join(map(printable, summary["lines"]))


def metadata_of(item: pytest.Item) -> dict[str, str] | None:
    """Return what pytest-json-report is to tell of the load test `item`; None before its end."""
    summary = item.stash.get(_SUMMARY, None)
    return {SECTION: _text_of(summary)} if summary is not None else None


def list_summary(item: pytest.Item) -> None:
    """List the summary for the end of the session, whatever becomes of the test's report.

    pytest makes none when the session ends at once, and pytest-retry one for all attempts.
    """
    if summary := item.stash.get(_SUMMARY, None):
        item.config.stash.setdefault(SUMMARIES, []).append(summary)


def forget_results(item: pytest.Item) -> None:
    """Drop the summary of an earlier attempt, so that no report of this one has it."""
    if _SUMMARY in item.stash:
        del item.stash[_SUMMARY]


def _properties(load_test: LoadTest) -> list[tuple[str, object]]:
    properties: list[tuple[str, object]] = []
    duration = load_test.results.query("http_req_duration", ("p(50)", "p(95)", "p(99)"))
    if duration is not None:
        numbers = {**duration.sample, **duration.extra}
        properties += [
            (f"http_req_duration_p{rank}_ms", round(numbers[f"p({rank})"], 3))
            for rank in (50, 95, 99)
        ]
    requests = load_test.results.query("http_reqs")
    if requests is not None:
        properties.append(("http_reqs_per_second", round(requests.sample["rate"], 3)))
    failed = load_test.results.query("http_req_failed")
    if failed is not None:
        properties.append(("http_req_failed_rate", round(failed.sample["rate"], 6)))
    return properties


def failure_text(load_test: LoadTest) -> str:
    """Return why `load_test` failed: the reasons first, then what failed inside VUs.

    Args:
        load_test: What has ended.

    Returns:
        The text; empty if it passed.
    """
    verdict = load_test.verdict
    assert verdict is not None
    if not verdict.reasons:
        return ""
    first, *others = map(printable, verdict.reasons)
    # pytest's short summary shows the first line alone.
    more = f" (and {len(others)} more)" if others else ""
    lines = [f"load test {verdict.outcome}: {first}{more}", *(f"  ✗ {text}" for text in others)]
    failures = load_test.results.failures
    shown = _shown(failures)
    for failure in shown:
        lines += ["", *_failure_lines(failure)]
    if len(failures) > len(shown):
        lines += ["", f"… and {len(failures) - len(shown)} more kinds of failures"]
    if failures:
        lines += ["", f"to see one alone: pytest --k6-smoke '{load_test.name}'"]
    return "\n".join(printable(line, lines=True) for line in lines)


def first_error(load_test: LoadTest) -> BaseException | None:
    """Return what was raised first inside a VU, for a debugger to look at; None if nothing was.

    To be asked before the failures are shown: that lets go of their frames.
    """
    for failure in sorted(load_test.results.failures, key=lambda failure: failure.first_at):
        if failure.first_traceback is not None and failure.first_traceback.error is not None:
            return failure.first_traceback.error
    return None


def _shown(failures: Sequence[Failure]) -> list[Failure]:
    """Return the failures to show: what has a traceback explains the requests behind it."""
    requests = [failure for failure in failures if failure.kind is FailureKind.REQUEST]
    others = [failure for failure in failures if failure.kind is not FailureKind.REQUEST]
    return [*others[:_SHOWN_FAILURES], *requests[:_SHOWN_REQUESTS]]


def _failure_lines(failure: Failure) -> Iterator[str]:
    of = "requests of that name" if failure.kind is FailureKind.REQUEST else "iterations"
    share = f" ({format_share(failure.share)} of {of})" if failure.share is not None else ""
    when = f"first at {failure.first_at:.1f} s, last at {failure.last_at:.1f} s"
    where = ", ".join(filter(None, (failure.scenario, failure.location)))
    yield f"{failure.count:,}x {failure.kind.value} failed{share}: {printable(failure.message)}"
    yield f"    {'; '.join(filter(None, (where, when)))}"
    if failure.hint:
        yield f"    {failure.hint}"
    for line in failure.traceback.splitlines():
        yield f"    {line}"
    for example in failure.examples[:1]:
        # Setup and teardown run for VU 0, which is nobody.
        if example.vu:
            yield f"    VU {example.vu}, iteration {example.iteration}, at {example.at:.3f} s"
        for line in _brief(example.exchange, _BODY_LINES):
            yield f"      {line}"


def _brief(exchange: str, body_lines: int) -> list[str]:
    """Return the request line, the status line and the start of the body of `exchange`."""
    lines = exchange.splitlines()
    sent = [line for line in lines if line.startswith("> ")]
    received = [line for line in lines if line.startswith("< ")]
    body = lines[len(sent) + len(received) :]
    return [*sent[:1], *received[:1], *(f"  {line}" for line in body[:body_lines])]


def _finite(text: str) -> float | str:
    # 1e400 is JSON, and what Python makes of it is not.
    return number if isfinite(number := float(text)) else text


def export_summary(load_test: LoadTest, folder: Path, pattern: str, load_tests: int) -> list[str]:
    """Write k6's summary JSON of `load_test`; return what went wrong with that.

    Args:
        load_test: What has ended.
        folder: Where relative paths begin.
        pattern: The file, in whose path ``{name}`` stands for the load test.
        load_tests: How many load tests have ended in this session; the second and
            later ones have files of their own.
    """
    path = folder / pattern.replace("{name}", file_stem(load_test.name))
    if "{name}" not in pattern and load_tests > 1:
        path = path.with_name(f"{path.stem}-{load_tests}{path.suffix}")
    data = load_test.setup_teardown.data
    setup_data = json.loads(data, parse_float=_finite) if data is not None else None
    document = summary_export(load_test.results.snapshot, setup_data)
    try:
        write_whole(path, json.dumps(document, indent=4, ensure_ascii=False))
    except OSError as error:
        return [f"cannot write its summary: {error}"]
    return []
