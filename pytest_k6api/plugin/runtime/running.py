"""Runs the load test of an item."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.model import K6ApiError, LoadTestInfo, OptionError, read_base_url
from pytest_k6api.plugin.collection.validation import refuse_standing_clock
from pytest_k6api.plugin.hooks.hook_calls import HOOKS, HookCalls
from pytest_k6api.plugin.hooks.stash_keys import KEPT_SUMMARY, PLAN, RUNNING, SESSION
from pytest_k6api.plugin.reporting.progress import shown_progress
from pytest_k6api.plugin.reporting.terminal import tell
from pytest_k6api.plugin.runtime.client_settings import client_of
from pytest_k6api.plugin.runtime.output_limits import bounded_logs, bounded_warnings
from pytest_k6api.plugin.runtime.requested_outputs import make_outputs, takes_stdout
from pytest_k6api.plugin.runtime.session import how_to_resume
from pytest_k6api.plugin.runtime.user_code import bound_code
from pytest_k6api.plugin.runtime.vu_output import prefixed_output
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.wanted import PROCESSES
from pytest_k6api.report import ProgressView
from pytest_k6api.run import LoadTest, RunSettings, tuned_gc
from pytest_k6api.vu import ForgottenAwaits

if TYPE_CHECKING:
    from pytest_k6api.report import Baseline


def run_load_test(item: pytest.Function) -> None:
    """Run the load test of `item`; fail the test if it did not pass."""
    with tuned_gc():
        _run_load_test(item)


def _run_load_test(item: pytest.Function) -> None:
    if item.session.shouldstop:
        # The session was stopped while the fixtures of this test were set up.
        pytest.skip(str(item.session.shouldstop))
    load_test = item.stash[RUNNING] = _prepare(item)
    error: BaseException | None = None
    try:
        with _surroundings(item) as view:
            load_test.run(view)
    except BaseException as raised:  # noqa: BLE001 - raised anew when the results are kept
        error = raised
    # Reports and files are imported when there is something to report.
    from pytest_k6api.plugin.runtime.ending import end_load_test

    end_load_test(item, load_test, error)


@contextmanager
def _surroundings(item: pytest.Function) -> Iterator[ProgressView | None]:
    """Enter output limits, prefixes and outputs; yield the view of progress, or None."""
    outputs, forgotten = item.stash[HOOKS].outputs, ForgottenAwaits()
    load_test = item.stash[RUNNING]
    with (
        bounded_logs(item.config),
        bounded_warnings(),
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
    if KEPT_SUMMARY in item.stash:
        del item.stash[KEPT_SUMMARY]  # that of an earlier attempt
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
            from pytest_k6api.plugin.workers.ordering import on_workers

            settings = on_workers(settings, item, plan, code, item.config.stash[PROCESSES])
        return session.prepare(plan, code, settings)
    except K6ApiError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _settings(
    item: pytest.Function, session: RunSettings, base_url: str, hooks: HookCalls
) -> RunSettings:
    paused = f"k6: {item.name} is paused before its start; {how_to_resume(item.config)}"
    return replace(
        session,
        client=client_of(item, session.client, base_url),
        tell=lambda text: tell(item.config, f"k6: {text}"),
        on_paused=partial(tell, item.config, paused, even_quiet=True),
        on_samples=hooks.on_samples,
        on_crossed=hooks.on_crossed,
        baseline=_baseline_of(item),
    )


def _baseline_of(item: pytest.Function) -> "Baseline | None":
    if not Settings.of(item.config).was_given("compare"):
        return None
    from pytest_k6api.plugin.runtime.baselines import baselines_of

    return baselines_of(item.config).baseline_of(item.stash[PLAN].name)


def _base_url_of(item: pytest.Function) -> str:
    try:
        return read_base_url(item.funcargs["k6_base_url"])
    except OptionError as error:
        raise OptionError(f"the fixture k6_base_url {error}") from None
