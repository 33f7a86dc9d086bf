"""The pytest side: hooks of a few lines that delegate.

pytest imports this package in every session, so modules that only a load test needs are
imported inside the hooks.
"""

import os
from collections.abc import Generator

import pytest

from pytest_k6api.late_imports import importing
from pytest_k6api.plugin.collection.detection import (
    WORKER_NUMBER,
    WORKER_PLUGIN,
    concerns_us,
    is_worker,
    may_be_load_test,
    will_run_load_tests,
)
from pytest_k6api.plugin.hooks.stash_keys import BROKEN, PLAN, REMARKS, SESSION
from pytest_k6api.plugin.reporting.reporters import has_summaries, prepare_reporters
from pytest_k6api.plugin.runtime.fixtures import k6, k6_base_url, setup_data, vu
from pytest_k6api.plugin.settings.table import add_options

__all__ = ["k6", "k6_base_url", "setup_data", "vu"]

_MARKERS = (
    "scenario(**options): run the function as a load scenario; without options one VU runs it once",
    "load_test(**options): run the scenarios of the class together, as one load test",
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks that other plugins can implement."""
    from pytest_k6api.plugin.hooks import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group «load tests»."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and what makes a session that of a worker; before other plugins look."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if WORKER_NUMBER in os.environ:
        with importing():
            from pytest_k6api.plugin.workers.serving import WorkerSession

        config.pluginmanager.register(WorkerSession(config), WORKER_PLUGIN)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Prepare reporters for the summaries and the numbers of load tests."""
    prepare_reporters(session.config)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Collect scenarios and load test classes; first, before plugins that run async tests."""
    if not may_be_load_test(collector, obj):
        return None
    with importing():
        from pytest_k6api.plugin.workers.starting import start_early

        start_early(collector.config)
        from pytest_k6api.plugin.collection.collecting import make_items

    return make_items(collector, name, obj)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Plan every load test that was selected, and report all mistakes at once."""
    if any(map(concerns_us, items)):
        with importing():
            from pytest_k6api.plugin.collection.planning import plan_load_tests

            plan_load_tests(config, items)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Report options that load tests cannot take, and load tests that cannot run."""
    if REMARKS not in config.stash:
        return []
    from pytest_k6api.plugin.runtime.xdist import remark_lines

    return remark_lines(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Start the control API before the first test, if load tests are about to run."""
    if will_run_load_tests(session) and not is_worker(session.config):
        with importing():
            from pytest_k6api.plugin.runtime.session import open_session

        open_session(session)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(
    session: pytest.Session, exitstatus: int
) -> Generator[None, object, object]:
    """Stop the control API when all has been reported, after ``--k6-linger``."""
    has_raised = True
    try:
        result = yield
        has_raised = False
    finally:
        if SESSION in session.config.stash:
            from pytest_k6api.plugin.runtime.session import close_session

            close_session(session, pytest.ExitCode.INTERNAL_ERROR if has_raised else exitstatus)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a load test that cannot run, or skip one of another worker, before fixtures are set up."""
    if BROKEN in item.stash:
        pytest.fail(item.stash[BROKEN], pytrace=False)
    if PLAN in item.stash:
        from pytest_k6api.plugin.runtime.xdist import leave_to_first_worker

        leave_to_first_worker(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a load test; first, before plugins that run async tests."""
    if PLAN not in pyfuncitem.stash:
        return None
    with importing():
        from pytest_k6api.plugin.runtime.running import run_load_test

    run_load_test(pyfuncitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the summary of a load test, so that it reaches the terminal from any process."""
    report = yield
    if PLAN in item.stash:
        from pytest_k6api.plugin.reporting.pytest_reports import complete_report

        complete_report(item, report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> dict[str, str] | None:
    """Give pytest-json-report the summary of a load test."""
    if PLAN not in item.stash or call.when != "call":
        return None
    from pytest_k6api.plugin.reporting.pytest_reports import metadata_of

    return metadata_of(item)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Number the workers of pytest-xdist."""
    from pytest_k6api.plugin.runtime.xdist import number_worker

    number_worker(node)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> bool | None:
    """Let pytest-timeout stop a load test in order."""
    if PLAN not in item.stash:
        return None
    from pytest_k6api.plugin.runtime.timeouts import set_timer

    return set_timer(item, settings)


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    """Print the summaries of the load tests."""
    if has_summaries(config, terminalreporter):
        from pytest_k6api.plugin.reporting.summaries import print_summaries

        print_summaries(config, terminalreporter)
