"""The load tests of a pytest session: settings, control API, end.

The control API starts before the first test, if there is a load test, and stops
when all has been reported, so that it answers between tests too, and with
``--k6-linger`` until Ctrl-C.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from pytest_k6api.api import DEFAULT_ADDRESS, ApiSettings, parse_address
from pytest_k6api.model import K6ApiError, OptionError
from pytest_k6api.plugin.hooks.stash_keys import API_HAS_ENDED, SESSION
from pytest_k6api.plugin.reporting.failure_text import render
from pytest_k6api.plugin.reporting.summaries import print_missed_summaries
from pytest_k6api.plugin.reporting.terminal import tell
from pytest_k6api.plugin.runtime.client_settings import client_options
from pytest_k6api.plugin.runtime.xdist import address_for, refuse
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.starting import start_workers
from pytest_k6api.plugin.workers.wanted import PROCESSES
from pytest_k6api.report import describe_environment
from pytest_k6api.run import LoadTest, LoadTestSession, RunSettings, signals_end_session
from pytest_k6api.scheduling import WHOLE, ExecutionSegment, read_segment
from pytest_k6api.vu import ExceptionRules

_REPORT_SUFFIXES = (".html", ".json", ".md")
_WAS_ENDED = "the control API ended the session"


def load_tests_of(config: pytest.Config) -> Sequence[LoadTest]:
    """Return the load tests that have ended in this session, in the order of their ends."""
    session = config.stash.get(SESSION, None)
    return session.finished if session else ()


def address_of(config: pytest.Config) -> str:
    """Return the address of the control API; empty if it is off."""
    session = config.stash.get(SESSION, None)
    return session.address if session else ""


def how_to_resume(config: pytest.Config) -> str:
    """Return the command that resumes a paused load test, without secrets: ``to start it: ...``."""
    address = address_of(config)
    if not Settings.of(config).text("token"):
        return f"to start it: k6 resume -a {address.removeprefix('http://')}"
    # The k6 command has no way to send a token.
    return (
        "to start it, with the token in $K6_TOKEN:"
        f' curl -X PATCH -H "Authorization: Bearer $K6_TOKEN" {address}/v1/status'
        """ -d '{"data":{"attributes":{"paused":false}}}'"""
    )


def problems_of(settings: Settings) -> list[str]:
    """Return the mistakes in settings that only a run needs, one text each."""
    problems = []
    for read in (run_settings, _api_settings, report_files):
        try:
            read(settings)
        except K6ApiError as error:
            problems.append(str(error))
    return problems


def report_files(settings: Settings) -> tuple[str, ...]:
    """Return the files of ``--k6-report``.

    Raises:
        OptionError: A file has another suffix.
    """
    files = settings.entries("report")
    for file in files:
        if not file.lower().endswith(_REPORT_SUFFIXES):
            raise OptionError(
                f"{settings.place('report')}: takes a file that ends in"
                f" {', '.join(_REPORT_SUFFIXES[:-1])} or {_REPORT_SUFFIXES[-1]}, got {file!r}"
            )
    return files


def open_session(session: pytest.Session) -> None:
    """Start the control API and print its address.

    Raises:
        pytest.UsageError: The address cannot be used.
    """
    config = session.config
    settings = Settings.of(config)
    has_ended = config.stash[API_HAS_ENDED] = threading.Event()

    def end() -> None:
        # In the API's thread: two assignments, each seen as a whole or not at all.
        session.shouldstop = _WAS_ENDED
        has_ended.set()

    api = _api_settings(settings)
    load_tests = LoadTestSession(
        replace(run_settings(settings), environment=describe_environment(config.rootpath)),
        replace(api, address=address_for(config, api.address)),
        warn=_warner(config),
        end=end,
    )
    try:
        start_workers(session)  # first, because they take longest
        load_tests.open()
    except K6ApiError as error:
        refuse(config, session.items, [str(error)])
        return
    config.stash[SESSION] = load_tests
    signals = ExitStack()
    signals.enter_context(signals_end_session())
    config.add_cleanup(signals.close)
    if load_tests.address:
        tell(config, f"k6 control API: {load_tests.address}")


def close_session(session: pytest.Session, exit_status: int) -> None:
    """Print missed summaries, linger if ``--k6-linger`` asks for it, and stop the control API."""
    config = session.config
    load_tests = config.stash[SESSION]
    if PROCESSES in config.stash:
        config.stash[PROCESSES].close()
    print_missed_summaries(config)
    try:
        if Settings.of(config).switch("linger") and exit_status in _HAS_RUN_THROUGH:
            _linger(config, load_tests.address)
    finally:
        try:
            load_tests.close()
        except K6ApiError as error:
            # The outcomes of tests do not depend on the API.
            _warner(config)(str(error))


_HAS_RUN_THROUGH = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}


def _linger(config: pytest.Config, address: str) -> None:
    if hasattr(config, "workerinput"):  # xdist: its workers get no Ctrl-C
        return
    try:
        tell(
            config,
            f"k6: lingering; the control API stays up at {address} until Ctrl-C, and the exit code"
            " stays what it is",
            even_quiet=True,
        )
        # A REST stop is about a load test; only a stop of the session ends this.
        config.stash[API_HAS_ENDED].wait()
    except KeyboardInterrupt:
        tell(config, "k6: no longer lingering")


def run_settings(settings: Settings) -> RunSettings:
    """Return the settings of runs that are the same for all load tests.

    Raises:
        OptionError: One cannot be used.
    """
    return RunSettings(
        client=client_options(settings),
        seed=settings.number("seed"),
        paused=settings.switch("paused"),
        run_setup=not settings.switch("no_setup"),
        run_teardown=not settings.switch("no_teardown"),
        segment=_segment(settings),
        trend_memory=settings.number("trend_memory"),
        metadata=settings.switch("metadata"),
        exceptions=ExceptionRules(
            skips=(pytest.skip.Exception, pytest.xfail.Exception),
            failures=(pytest.fail.Exception,),
            exits=(pytest.exit.Exception, KeyboardInterrupt),
        ),
        render=partial(render, shows_locals=settings.shows_locals),
    )


def _segment(settings: Settings) -> ExecutionSegment:
    segment = settings.text("execution_segment")
    sequence = settings.text("execution_segment_sequence")
    if segment:
        with settings.blamed("execution_segment"):
            return read_segment(segment, sequence)
    if sequence:
        raise OptionError(
            f"--k6-execution-segment-sequence {sequence!r} needs --k6-execution-segment, which says"
            " which of the shares this instance runs"
        )
    return WHOLE


def _api_settings(settings: Settings) -> ApiSettings:
    given = settings.was_given("address")
    address = settings.text("address") if given else DEFAULT_ADDRESS
    if address:
        parse_address(address)
    for switch in ("paused", "linger"):
        if settings.switch(switch) and not address:
            raise OptionError(
                f"--k6-{switch} needs the control API, and an empty --k6-address switches it off"
            )
    return ApiSettings(address=address, explicit=given, token=settings.text("token") or None)


def _warner(config: pytest.Config) -> Callable[[str], None]:
    return lambda message: tell(config, f"k6: {message}", yellow=True)
