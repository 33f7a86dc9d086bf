"""The end of a load test: its results kept for tests, reports and files, its outcome that of the item.

Imported when the first load test has ended.
"""

from functools import partial

import pytest

from pytest_k6api.plugin.hooks.hook_calls import HOOKS
from pytest_k6api.plugin.hooks.stash_keys import PLAN, SESSION
from pytest_k6api.plugin.reporting.failure_text import failure_text, first_error, in_user_code
from pytest_k6api.plugin.reporting.load_test_report import keep_results, report_parts
from pytest_k6api.plugin.reporting.pytest_reports import list_summary
from pytest_k6api.plugin.reporting.result_files import export_summary, write_step_summary
from pytest_k6api.plugin.reporting.session_report import add_to_report
from pytest_k6api.plugin.reporting.terminal import Terminal, tell
from pytest_k6api.plugin.runtime.baselines import baselines_of
from pytest_k6api.plugin.runtime.results import LoadTestResults
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.report import in_encoding
from pytest_k6api.run import LoadTest


def end_load_test(item: pytest.Function, load_test: LoadTest, error: BaseException | None) -> None:
    """Keep the results of `load_test`, and fail the item if it did not pass.

    Args:
        item: The item.
        load_test: Its load test, which has ended.
        error: The exception that ended it, such as a skip or Ctrl-C; raised again.
    """
    hooks = item.stash[HOOKS]
    if isinstance(error, pytest.skip.Exception):
        _keep(item, load_test)
        hooks.leave()
        hooks.refuse_skip()
        raise error
    if error is not None:
        _keep(item, load_test)
        list_summary(item)
        raise in_user_code(error)
    report_parts(item, load_test)
    _keep(item, load_test)
    list_summary(item)
    if hooks.exit is not None:
        raise hooks.exit
    if load_test.ending.interrupted_by and not item.session.shouldstop:
        item.session.shouldstop = (
            f"a load test was interrupted by {load_test.ending.interrupted_by}"
        )
    if item.config.getoption("usepdb", False) and (error := first_error(load_test)) is not None:
        raise error
    text = failure_text(load_test)
    if text:
        pytest.fail(in_encoding(text, Terminal(item.config).encoding), pytrace=False)


def _keep(item: pytest.Function, load_test: LoadTest) -> None:
    """Keep the results for tests, reports and files; an error here fails the load test."""
    if load_test.verdict is None:
        return  # Ctrl-C, or an exception, came before its start
    finished = item.config.stash[SESSION].finished
    finished.append(load_test)
    hooks = item.stash[HOOKS]
    load_test.add_trouble(hooks.take_problems())
    results = LoadTestResults(load_test)
    added = [*hooks.outputs.lines(), *hooks.summary_lines(results)]
    load_test.add_trouble(hooks.take_problems())
    baselines = baselines_of(item.config)
    problems = baselines.keep(load_test, item.stash[PLAN])
    load_test.add_trouble(problems)
    if (saved := baselines.saved(load_test)) and not problems:
        added = [saved, *added]
    pattern = Settings.of(item.config).text("summary_export")
    if pattern:
        folder = item.config.invocation_params.dir
        load_test.add_trouble(export_summary(load_test, folder, pattern, len(finished)))
    hooks.finished(results)
    load_test.add_trouble(hooks.take_problems())
    load_test.add_trouble(add_to_report(item, load_test, item.stash[PLAN]))
    # Last, because the outcome is final only now.
    keep_results(item, load_test, added)
    write_step_summary(load_test, partial(tell, item.config, yellow=True))
