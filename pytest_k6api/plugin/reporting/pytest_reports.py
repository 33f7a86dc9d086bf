"""The reports that pytest makes of a load test: its failure, properties and subtests.

Imported when a load test runs; what prints at the end of a session is in ``summaries``.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.model import printable
from pytest_k6api.plugin.hooks.stash_keys import SUMMARIES, SUMMARY, KeptSummary
from pytest_k6api.plugin.reporting.failure_text import PACKAGE
from pytest_k6api.plugin.reporting.junit import NUMBERS
from pytest_k6api.plugin.reporting.reporters import SECTION
from pytest_k6api.plugin.reporting.terminal import Terminal
from pytest_k6api.plugin.runtime.output_limits import shorten_sections
from pytest_k6api.plugin.runtime.session import address_of
from pytest_k6api.plugin.runtime.xdist import attach_lines
from pytest_k6api.report import (
    comparison_line,
    comparison_lines,
    in_encoding,
    observed_text,
    summary_line,
    summary_lines,
)
from pytest_k6api.run import LoadTest
from pytest_k6api.vu import FailureKind

_SUMMARY = pytest.StashKey[KeptSummary]()
_LISTED_REQUESTS = 10


def complete_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the lines of a worker or the summary to `report`, and shorten captured output."""
    shorten_sections(report)
    if report.when == "setup":
        attach_lines(item.config, report, address_of(item.config))
    elif report.when == "call":
        attach_summary(item, report)


def keep_results(item: pytest.Item, load_test: LoadTest, added: Sequence[str] = ()) -> None:
    """Keep the summary for the report, and the main numbers as its properties.

    Args:
        item: The item of the load test, which keeps both.
        load_test: A load test that has ended.
        added: The lines of plugins for the summary.
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
        *_failed_lines(load_test, FailureKind.REQUEST),
        *_failed_lines(load_test, FailureKind.SESSION),
        *summary_lines(snapshot, results.requests_by_name(), load_test.target),
    ]
    if load_test.comparison is not None:
        line += f"; {comparison_line(load_test.comparison)}"
        lines += ["", *comparison_lines(load_test.comparison)]
    if added:
        lines += ["", *added]
    item.stash[_SUMMARY] = KeptSummary(line=line, lines=lines)
    # A rerun replaces the numbers of the run before.
    item.user_properties[:] = [kept for kept in item.user_properties if kept[0] not in NUMBERS]
    item.user_properties += _properties(load_test)


def _failed_lines(load_test: LoadTest, kind: FailureKind) -> list[str]:
    """Return what failed over a protocol for the summary, allowed or not."""
    failures = [each for each in load_test.results.failures if each.kind is kind]
    if not failures:
        return []
    lines = [
        f"  {failure.count:,}x {printable(failure.message)}"
        for failure in failures[:_LISTED_REQUESTS]
    ]
    if left := failures[_LISTED_REQUESTS:]:
        count = sum(failure.count for failure in left)
        lines.append(f"  {count:,}x {len(left)} more kind{'s' if len(left) > 1 else ''}")
    return [f"FAILED {kind.name}S", *lines, ""]


def report_parts(item: pytest.Function, load_test: LoadTest) -> None:
    """Report every threshold, and every scenario of several, as a subtest of its own.

    Does nothing where there are no subtests (before pytest 9, or switched off), under
    ``--stepwise-skip``, where pytest-retry may run it again, and where a failure is
    expected: an xfail covers its test but not the test's subtests.
    """
    request = item.funcargs["request"]
    assert isinstance(request, pytest.FixtureRequest)
    has_subtests = hasattr(pytest, "Subtests") and item.config.pluginmanager.hasplugin("subtests")
    # --stepwise-skip passes over one failed report: it must be that of the test.
    passes_over = item.config.getoption("stepwise_skip", False)
    # pytest-retry runs the test again for each failed subtest, and again for those of that.
    has_retries = item.config.pluginmanager.hasplugin("pytest-retry")
    is_retried = has_retries and item.get_closest_marker("flaky") is not None
    if not has_subtests or passes_over or is_retried or item.get_closest_marker("xfail"):
        return
    subtests = request.getfixturevalue("subtests")
    encoding = Terminal(item.config).encoding
    # With -x the first failure is raised here; that of the load test has all details.
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
        # In CI pytest's short summary quotes the whole message, which is the report.
        crash.message = crash.message.partition("\n")[0]
        if Path(crash.path).is_relative_to(PACKAGE):
            # The line of the load test, not that of `pytest.fail` in this package.
            path, line, _ = item.reportinfo()
            crash.path, crash.lineno = str(path), (line or 0) + 1
    summary = item.stash.get(_SUMMARY, None)
    was_skipped = report.skipped and not hasattr(report, "wasxfail")
    if summary is not None and not was_skipped:
        setattr(report, SUMMARY, summary)
        report.sections.append((SECTION, _text_of(summary)))
        if item.config.pluginmanager.hasplugin("allure_listener"):
            # Allure shows attachments, and of reports captured output only.
            allure: Any = import_module("allure")
            allure.attach(
                _text_of(summary), name=SECTION, attachment_type=allure.attachment_type.TEXT
            )


def _text_of(summary: KeptSummary) -> str:
    return "\n".join(map(printable, summary["lines"]))


def metadata_of(item: pytest.Item) -> dict[str, str] | None:
    """Return the metadata of `item` for pytest-json-report; None before its end."""
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


def _properties(load_test: LoadTest) -> Iterator[tuple[str, object]]:
    for name, (metric, stat, digits) in NUMBERS.items():
        found = load_test.results.query(metric, (stat,))
        if found is not None:
            yield name, round({**found.sample, **found.extra}[stat], digits)
