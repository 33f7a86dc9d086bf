"""From a planned item to a load test that runs, and back to a pytest outcome."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import pytest

from pytest_k6api.api import DEFAULT_ADDRESS, ApiSettings
from pytest_k6api.http import ClientOptions
from pytest_k6api.load import WHOLE, ExceptionRules, ExecutionSegment, UserFunction, read_segment
from pytest_k6api.model import K6ApiError, OptionError
from pytest_k6api.plugin.collecting import PLAN, LoadTestPlan, ScenarioPlan, fixture_names
from pytest_k6api.plugin.options import Settings
from pytest_k6api.plugin.reporting import (
    export_summary,
    failure_text,
    keep_results,
    render,
    report_parts,
)
from pytest_k6api.run import LoadTest, LoadTestSession, LoadTestSpec, RunSettings, Show

SESSION = pytest.StashKey[LoadTestSession]()


def load_tests_of(config: pytest.Config) -> Sequence[LoadTest]:
    """Return the load tests that have ended in this session, in the order of their ends."""
    session = config.stash.get(SESSION, None)
    return session.finished if session else ()


@contextmanager
def load_test_session(session: pytest.Session) -> Iterator[None]:
    """Keep the control API up; tell where it listens.

    Raises:
        pytest.UsageError: A setting makes no sense, or the address cannot be had.
    """
    config = session.config
    try:
        settings = Settings(config)
        load_tests = LoadTestSession(
            _run_settings(settings), _api_settings(settings), _warner(config)
        )
        load_tests.open()
    except K6ApiError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SESSION] = load_tests
    if load_tests.address:
        _tell(config, f"k6 control API: {load_tests.address}")
    try:
        yield
    finally:
        load_tests.close()


def run_load_test(item: pytest.Function) -> None:
    """Run the load test of `item`; fail the test if it did not pass."""
    session = item.config.stash[SESSION]
    plan = item.stash[PLAN]
    settings = replace(
        session.settings,
        client=replace(session.settings.client, base_url=_base_url(item, plan)),
    )
    load_test = session.prepare(_spec(item, plan), settings)
    try:
        with _display(item.config) as show:
            load_test.run(show)
    finally:
        session.finished.append(load_test)
        report_parts(item, load_test)
        keep_results(item, load_test)
        path = Settings(item.config).text("summary_export")
        export_summary(load_test, path, len(session.finished))
    if session.wants_to_end:
        item.session.shouldstop = "the control API ended the session"
    elif load_test.was_interrupted:
        item.session.shouldstop = "a load test was interrupted by Ctrl-C"
    if load_test.verdict is not None and load_test.verdict.reasons:
        pytest.fail(failure_text(load_test), pytrace=False)


def _spec(item: pytest.Function, plan: LoadTestPlan) -> LoadTestSpec:
    instance = plan.captured.cls() if plan.captured.cls is not None else item.instance
    return LoadTestSpec(
        name=plan.name,
        scenarios=[
            (scenario.options, _scenario_function(item, scenario, instance))
            for scenario in plan.scenarios
        ],
        thresholds=plan.thresholds,
        listed=plan.listed,
        options=plan.options,
        setup=_life_function(item, plan.options.setup),
        teardown=_life_function(item, plan.options.teardown),
    )


def _scenario_function(
    item: pytest.Function, scenario: ScenarioPlan, instance: object
) -> UserFunction:
    found = scenario.captured.function
    function = found.__get__(instance) if instance is not None else found
    names = fixture_names(function, is_method=False)
    return UserFunction(function=function, values={name: item.funcargs[name] for name in names})


def _life_function(
    item: pytest.Function, function: Callable[..., Any] | None
) -> UserFunction | None:
    if function is None:
        return None
    names = fixture_names(function, is_method=False)
    # The load test's own fixtures are set up already; others are from here on, and
    # torn down with the test like any other.
    values = {name: item._request.getfixturevalue(name) for name in names}
    return UserFunction(function=function, values=values)


def _base_url(item: pytest.Function, plan: LoadTestPlan) -> str:
    return plan.options.base_url or str(item.funcargs["k6_base_url"])


def _run_settings(settings: Settings) -> RunSettings:
    return RunSettings(
        client=ClientOptions(
            verify=settings.text("ca_file") or not settings.switch("insecure_skip_tls_verify"),
            http_debug=_http_debug(settings),
        ),
        seed=settings.number("seed"),
        paused=settings.switch("paused"),
        run_setup=not settings.switch("no_setup"),
        run_teardown=not settings.switch("no_teardown"),
        checks_fail=settings.text("checks") == "fail",
        segment=_segment(settings),
        exceptions=ExceptionRules(
            skips=(pytest.skip.Exception,),
            failures=(pytest.fail.Exception,),
            exits=(pytest.exit.Exception, KeyboardInterrupt),
        ),
        render=render,
    )


def _http_debug(settings: Settings) -> Literal["", "failed", "all"]:
    # `text` has held it against the setting's choices; this tells the type checker.
    match settings.text("http_debug"):
        case "failed":
            return "failed"
        case "all":
            return "all"
    return ""


def _segment(settings: Settings) -> ExecutionSegment:
    segment = settings.text("execution_segment")
    sequence = settings.text("execution_segment_sequence")
    if segment:
        return read_segment(segment, sequence)
    if sequence:
        raise OptionError(
            f"--k6-execution-segment-sequence {sequence!r} needs --k6-execution-segment, which says"
            " which of the shares this instance runs"
        )
    return WHOLE


def _api_settings(settings: Settings) -> ApiSettings:
    given = settings.was_given("address")
    return ApiSettings(
        address=settings.text("address") if given else DEFAULT_ADDRESS,
        explicit=given,
        token=settings.text("token") or None,
    )


def _warner(config: pytest.Config) -> Callable[[str], None]:
    return lambda message: _tell(config, f"k6: {message}", yellow=True)


def _tell(config: pytest.Config, line: str, **markup: bool) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.verbosity >= 0:
        reporter.write_line(line, **markup)


@contextmanager
def _display(config: pytest.Config) -> Iterator[Show | None]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or reporter.verbosity < 0 or not reporter.isatty:
        yield None
        return
    from pytest_k6api.report import ProgressDisplay

    uncaptured = capture.global_and_fixture_disabled if capture is not None else nullcontext
    display = ProgressDisplay(reporter.config.get_terminal_writer()._file, uncaptured)
    try:
        yield display.show
    finally:
        display.close()
