"""What pytest reports of a load test that has ended: its summary, properties and subtests."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest

from pytest_k6api.model import PROTOCOLS, printable
from pytest_k6api.plugin.hooks.stash_keys import KEPT_SUMMARY, KeptSummary
from pytest_k6api.plugin.reporting.junit import LOSSES, NUMBERS, PROPERTIES
from pytest_k6api.plugin.reporting.terminal import Terminal
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

_LISTED_REQUESTS = 10


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
        *(
            line
            for protocol in PROTOCOLS
            for line in _failed_lines(load_test, FailureKind(protocol.noun))
        ),
        *summary_lines(snapshot, results.requests_by_name(), load_test.target),
    ]
    if load_test.comparison is not None:
        line += f"; {comparison_line(load_test.comparison)}"
        lines += ["", *comparison_lines(load_test.comparison)]
    if added:
        lines += ["", *added]
    item.stash[KEPT_SUMMARY] = KeptSummary(line=line, lines=lines)
    # A rerun replaces the numbers of the run before.
    item.user_properties[:] = [kept for kept in item.user_properties if kept[0] not in PROPERTIES]
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
    # By its option: it may be loaded by its entry point or by its module, under either's name.
    has_retries = hasattr(item.config.option, "retries")
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


def _properties(load_test: LoadTest) -> Iterator[tuple[str, object]]:
    for name, (metric, stat, digits) in NUMBERS.items():
        found = load_test.results.query(metric, (stat,))
        if found is not None:
            yield name, round({**found.sample, **found.extra}[stat], digits)
    lost = [each for each in load_test.results.workers if each.lost]
    if lost:
        yield LOSSES, "; ".join(f"worker {each.number}: {printable(each.lost)}" for each in lost)
