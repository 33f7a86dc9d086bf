"""Runs the load test of an item, and turns its verdict into a pytest outcome."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial

import pytest

from pytest_k6api.model import K6ApiError, LoadTestInfo, OptionError, read_base_url
from pytest_k6api.plugin.collection.validation import refuse_standing_clock
from pytest_k6api.plugin.hooks.hook_calls import HOOKS, HookCalls
from pytest_k6api.plugin.hooks.stash_keys import PLAN, RUNNING, SESSION
from pytest_k6api.plugin.reporting.failure_text import failure_text, first_error
from pytest_k6api.plugin.reporting.progress import shown_progress
from pytest_k6api.plugin.reporting.pytest_reports import (
    forget_results,
    keep_results,
    list_summary,
    report_parts,
)
from pytest_k6api.plugin.reporting.result_files import export_summary, write_step_summary
from pytest_k6api.plugin.reporting.session_report import add_to_report
from pytest_k6api.plugin.reporting.terminal import Terminal, tell
from pytest_k6api.plugin.runtime.baselines import BASELINES
from pytest_k6api.plugin.runtime.output_limits import bounded_logs
from pytest_k6api.plugin.runtime.requested_outputs import make_outputs, takes_stdout
from pytest_k6api.plugin.runtime.results import LoadTestResults
from pytest_k6api.plugin.runtime.session import how_to_resume
from pytest_k6api.plugin.runtime.user_code import bound_code
from pytest_k6api.plugin.runtime.vu_output import prefixed_output, print_exchange
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.counting import PROCESSES
from pytest_k6api.report import ProgressView, in_encoding
from pytest_k6api.run import LoadTest, RunSettings, tuned_gc
from pytest_k6api.vu import ForgottenAwaits


def run_load_test(item: pytest.Function) -> None:
    """Run the load test of `item`; fail the test if it did not pass."""
    with tuned_gc():
        _run_load_test(item)


def _run_load_test(item: pytest.Function) -> None:
    if item.session.shouldstop:
        # The session was stopped while the fixtures of this test were set up.
        pytest.skip(str(item.session.shouldstop))
    load_test = item.stash[RUNNING] = _prepare(item)
    hooks = item.stash[HOOKS]
    try:
        with _surroundings(item) as view:
            load_test.run(view)
    except pytest.skip.Exception:
        _keep(item, load_test)
        hooks.leave()
        hooks.refuse_skip()
        raise
    except BaseException:
        _keep(item, load_test)
        list_summary(item)
        raise
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


@contextmanager
def _surroundings(item: pytest.Function) -> Iterator[ProgressView | None]:
    """Enter output limits, prefixes and outputs; yield the view of progress, or None."""
    outputs, forgotten = item.stash[HOOKS].outputs, ForgottenAwaits()
    load_test = item.stash[RUNNING]
    with (
        bounded_logs(item.config),
        # Outside of the prefixes: lines of the view belong to no VU.
        _progress(item, load_test) as view,
        prefixed_output(item),
        outputs.running(),
    ):
        try:
            with forgotten.noticed():
                yield view
                if not item.config.getoption("usepdb", False):
                    _let_go_of_coroutines(load_test)
        finally:
            load_test.add_trouble(forgotten.sentences())


def _progress(
    item: pytest.Item, load_test: LoadTest
) -> AbstractContextManager[ProgressView | None]:
    if takes_stdout(item.config):
        return nullcontext()
    return shown_progress(item.config, load_test.target)


def _let_go_of_coroutines(load_test: LoadTest) -> None:
    # The traceback of a call without await holds the coroutine until it becomes text.
    for failure in load_test.results.failures:
        if "coroutine" in failure.message:
            str(failure.first_traceback)


def _prepare(item: pytest.Function) -> LoadTest:
    forget_results(item)
    session = item.config.stash[SESSION]
    plan = item.stash[PLAN]
    try:
        base_url = plan.options.base_url or _base_url_of(item)
        info = LoadTestInfo(
            name=plan.name,
            scenarios=tuple(plan.scenarios),
            base_url=base_url,
            address=session.address,
        )
        hooks = item.stash[HOOKS] = HookCalls(item, info)
        for requested, output in make_outputs(item, info, len(session.finished) + 1):
            hooks.outputs.request(requested, output)
        hooks.leave()
        refuse_standing_clock()
        code = bound_code(item, plan)
        settings = _settings(item, session.settings, base_url, hooks)
        if PROCESSES in item.config.stash:
            from pytest_k6api.plugin.workers.ordering import workforce_for

            processes = item.config.stash[PROCESSES]
            settings = replace(
                settings, workforce=workforce_for(item, plan, code, processes, settings)
            )
        return session.prepare(plan, code, settings)
    except K6ApiError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _settings(
    item: pytest.Function, session: RunSettings, base_url: str, hooks: HookCalls
) -> RunSettings:
    show = partial(print_exchange, item.config)
    paused = f"k6: {item.name} is paused before its start; {how_to_resume(item.config)}"
    return replace(
        session,
        client=replace(
            session.client,
            base_url=base_url,
            http_versions=item.stash[PLAN].options.http_versions,
            show_exchange=show,
        ),
        tell=lambda text: tell(item.config, f"k6: {text}"),
        on_paused=partial(tell, item.config, paused, even_quiet=True),
        on_samples=hooks.on_samples,
        on_crossed=hooks.on_crossed,
        baseline=item.config.stash[BASELINES].baseline_of(item.stash[PLAN].name),
    )


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
    baselines = item.config.stash[BASELINES]
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


def _base_url_of(item: pytest.Function) -> str:
    try:
        return read_base_url(item.funcargs["k6_base_url"])
    except OptionError as error:
        raise OptionError(f"the fixture k6_base_url {error}") from None
