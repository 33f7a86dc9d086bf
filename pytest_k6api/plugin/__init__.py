"""The pytest side: hooks of a few lines that delegate, and nothing heavy imported by them.

pytest imports this package in every session, so what only a load test needs is
imported inside the functions that need it.
"""

from collections.abc import Generator

import pytest

from pytest_k6api.plugin.collection.detection import concerns_us, may_be_load_test
from pytest_k6api.plugin.hooks.stash_keys import BROKEN, PLAN, REMARKS, SESSION
from pytest_k6api.plugin.runtime.fixtures import k6, k6_base_url, setup_data, vu
from pytest_k6api.plugin.runtime.xdist_worker import leave_to_first_worker, refuse, remark_lines
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


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Give the numbers and the summaries of load tests their place in what others report."""
    from pytest_k6api.plugin.reporting.summaries import hide_sections

    hide_sections(session.config.pluginmanager.get_plugin("terminalreporter"))
    if session.config.getoption("xmlpath", None):
        from pytest_k6api.plugin.reporting.junit import place_numbers

        place_numbers(session.config)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Collect scenarios and load test classes; first, before plugins that run async tests."""
    if not may_be_load_test(collector, obj):
        return None
    from pytest_k6api.plugin.collection.collecting import make_items

    return make_items(collector, name, obj)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check every load test that was selected, and tell all mistakes at once."""
    if not any(map(concerns_us, items)):
        return
    from pytest_k6api.plugin.collection.planning import known_metrics, make_plans
    from pytest_k6api.plugin.runtime.timeouts import warn_of_timeouts
    from pytest_k6api.plugin.settings.sources import Settings

    settings = Settings(config)
    planned = make_plans(items, settings)
    # A load test that cannot run is an error of that test; it is told before others run.
    config.stash[REMARKS] = [*(f"cannot run {text}" for text in planned.broken), *planned.remarks]
    problems = [*planned.problems, *warn_of_timeouts(items)]
    if not config.option.collectonly:
        from pytest_k6api.plugin.runtime.baselines import open_baselines
        from pytest_k6api.plugin.runtime.session import problems_of

        names = [item.nodeid for item in items if PLAN in item.stash]
        problems += [
            *problems_of(settings),
            *open_baselines(config, settings, names, known_metrics()),
        ]
    if problems:
        refuse(config, items, [*problems, *planned.broken])


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Tell what load tests do without, and which cannot run, before the first test."""
    # Programs read the ids of `--collect-only -q`, one a line.
    is_list = config.option.collectonly and config.option.verbose < 0
    return [] if is_list else remark_lines(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Bring the control API up before the first test, if load tests are about to run."""
    option = session.config.option
    will_run = not session.testsfailed or option.continue_on_collection_errors
    has_load_tests = any(PLAN in item.stash for item in session.items)
    if has_load_tests and will_run and not option.collectonly:
        from pytest_k6api.plugin.runtime.session import open_session

        try:
            open_session(session)
        except pytest.UsageError as error:
            refuse(session.config, session.items, error.args)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(
    session: pytest.Session, exitstatus: int
) -> Generator[None, object, object]:
    """Take the control API down when all has been reported: people may linger until then."""
    result = yield
    if SESSION in session.config.stash:
        from pytest_k6api.plugin.reporting.summaries import print_missed_summaries
        from pytest_k6api.plugin.runtime.session import close_session

        print_missed_summaries(session.config)
        close_session(session, exitstatus)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """End what is no load test, or one that another worker runs, before its fixtures are set up."""
    if BROKEN in item.stash:
        pytest.fail(item.stash[BROKEN], pytrace=False)
    if PLAN in item.stash:
        leave_to_first_worker(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a load test; first, before plugins that run async tests."""
    if PLAN not in pyfuncitem.stash:
        return None
    from pytest_k6api.plugin.runtime.running import run_load_test

    run_load_test(pyfuncitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what is told of a load test, so that it reaches the terminal from any process."""
    report = yield
    if PLAN in item.stash:
        from pytest_k6api.plugin.reporting.completing import complete_report

        complete_report(item, report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> dict[str, str] | None:
    """Let pytest-json-report tell of a load test what the terminal does."""
    if PLAN not in item.stash or call.when != "call":
        return None
    from pytest_k6api.plugin.reporting.failure_report import metadata_of

    return metadata_of(item)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist which one it is."""
    from pytest_k6api.plugin.runtime.xdist_controller import number_worker

    number_worker(node)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> bool | None:
    """Let pytest-timeout end a load test in order."""
    if PLAN not in item.stash:
        return None
    from pytest_k6api.plugin.runtime.timeouts import set_timer

    return set_timer(item, settings)


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    """Print the summaries of the load tests."""
    from pytest_k6api.plugin.reporting.summaries import print_summaries

    print_summaries(config, terminalreporter)
