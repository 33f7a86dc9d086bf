"""A worker's own pytest session: it collects, says hello, and runs the load tests that it is told to.

Each is run as the item that it is, so fixtures, marks and plugins do what they do
anywhere. Only its call is another: instead of a whole load test it runs the share of
this worker.
"""

import os
import socket
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from pytest_k6api.distributed import PROTOCOL, Accepted, Hello, Leave, Prepare, Refused, WorkerLink
from pytest_k6api.plugin.hooks.stash_keys import BROKEN, PLAN
from pytest_k6api.plugin.runtime.client_settings import client_of
from pytest_k6api.plugin.runtime.output_limits import bounded_logs, bounded_warnings
from pytest_k6api.plugin.runtime.session import run_settings
from pytest_k6api.plugin.runtime.user_code import bound_code
from pytest_k6api.plugin.runtime.vu_output import prefixed_output
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.fingerprints import fingerprint_of
from pytest_k6api.plugin.workers.fixtures import TravelledFixtures
from pytest_k6api.plugin.workers.identity import take_identity
from pytest_k6api.plugin.workers.user_output import GatheredOutput
from pytest_k6api.protocols.http import raised_descriptor_limit
from pytest_k6api.run import RunSettings, WorkerRun, one_error, tuned_gc
from pytest_k6api.scheduling import equal_segment
from pytest_k6api.vu import ForgottenAwaits


class WorkerSession:
    """The plugin that makes a pytest session a worker.

    Args:
        config: The session's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._fixtures = TravelledFixtures()
        self._order: Prepare | None = None
        line = socket.socket(fileno=take_identity(config))
        line.set_inheritable(False)
        self._link = WorkerLink(line)
        self._link.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Leave the terminal to the controller."""
        _silence(session.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what the controller asks for, instead of all items."""
        if session.testsfailed:
            self._link.send(Refused(text="errors during collection, as the controller has none"))
        self._link.send(
            Hello(protocol=PROTOCOL, process=os.getpid(), fingerprint=fingerprint_of(session.items))
        )
        items = {
            item.nodeid: item
            for item in session.items
            if PLAN in item.stash or BROKEN in item.stash
        }
        while True:
            message = self._link.wait_for_message()
            if message is None or isinstance(message, Leave):
                return True
            if isinstance(message, Prepare):
                self._run(session, items, message)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Give fixtures the values that came from the controller."""
        with self._fixtures.in_place_of(fixturedef):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run this worker's share where another session runs a load test."""
        if PLAN not in pyfuncitem.stash or self._order is None:
            return None
        run_share(pyfuncitem, self._order, self._link)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell the controller why a load test cannot run here."""
        if self._order is None or report.when == "teardown":
            return
        if report.failed or report.skipped:
            self._link.send(_refusal(report))

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell the controller why this session ends, before it does."""
        error = excinfo.exconly().partition("\n")[0]
        self._link.send(Refused(text=f"its pytest session failed: {error}"))
        self._link.flush()

    def _run(self, session: pytest.Session, items: dict[str, pytest.Item], order: Prepare) -> None:
        self._link.send(Accepted(number=order.number))
        item = items.get(order.item)
        if item is None:
            self._link.send(Refused(text=f"it has not collected {order.item}"))
            return
        order_of = list(items.values())
        following = order_of[order_of.index(item) + 1 :]
        self._order = order
        self._fixtures.take(order)
        try:
            # What the controller left out, such as a skipped load test, may be set up still.
            session._setupstate.teardown_exact(item)
            item.config.hook.pytest_runtest_protocol(
                item=item, nextitem=following[0] if following else None
            )
        finally:
            self._order = None


def _refusal(report: pytest.TestReport) -> Refused:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:  # a skip, or an error without a place
        text = report.longreprtext.strip() or str(report.longrepr)
        return Refused(text=f"{report.when} failed: {' '.join(text.split())}")
    message = crash.message.partition("\n")[0]
    return Refused(
        text=f"{report.when} failed: {message}",
        location=f"{os.path.relpath(crash.path)}:{crash.lineno}",
        traceback=report.longreprtext,
    )


def run_share(item: pytest.Function, order: Prepare, link: WorkerLink) -> None:
    """Run the share of this worker of the load test of `item`."""
    plan, forgotten = item.stash[PLAN], ForgottenAwaits()
    # Both run in the controller.
    plan = replace(plan, options=replace(plan.options, setup=None, teardown=None))
    settings, output = _settings(item, order), GatheredOutput(item)
    with (
        tuned_gc(),
        bounded_logs(item.config),
        output.gathering(),
        bounded_warnings(),
        prefixed_output(item),
        forgotten.noticed(),
    ):
        run = WorkerRun(
            plan,
            bound_code(item, plan),
            settings,
            link,
            trouble=forgotten.sentences,
            output=output.take,
            wants_samples=order.wants_samples,
            wants_state=order.wants_state,
        )
        with raised_descriptor_limit(), one_error():
            trio.run(run.run)


def _settings(item: pytest.Function, order: Prepare) -> RunSettings:
    settings = run_settings(Settings.of(item.config))
    return replace(
        settings,
        client=client_of(item, settings.client, order.base_url),
        paused=False,
        segment=equal_segment(order.share - 1, order.shares),
    )


def _silence(config: pytest.Config) -> None:
    """Keep pytest's own lines out of the output: the terminal belongs to the controller."""
    writer = getattr(config.pluginmanager.get_plugin("terminalreporter"), "_tw", None)
    if writer is not None:
        # Open as long as the process lives.
        writer._file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
