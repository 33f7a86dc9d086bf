"""Load tests under pytest-xdist.

The controller numbers its workers, and prints their lines; a worker runs each load
test once, with a control API at an address of its own.
"""

from collections.abc import Iterable, Sequence

import pytest

from pytest_k6api.plugin.hooks.stash_keys import BROKEN, PLAN, REMARKS, WORKERS
from pytest_k6api.plugin.reporting.terminal import tell

LINES = "k6_lines"
"""The attribute of a setup report with the lines of a worker, which has no terminal."""

NUMBER = "k6_worker"
DIST = "k6_dist"
"""The keys of the input of a worker: its number, and pytest-xdist's ``--dist``."""


def worker_number(config: pytest.Config) -> int | None:
    """Return the number of this worker, from 0; None if this process is not a worker."""
    found = getattr(config, "workerinput", None)
    return found.get(NUMBER, 0) if found is not None else None


def leave_to_first_worker(item: pytest.Item) -> None:
    """Skip the load test `item` if ``--dist each`` gives it to another worker as well."""
    found = getattr(item.config, "workerinput", {})
    if found.get(DIST) == "each" and found.get(NUMBER):
        pytest.skip("with --dist each a load test runs in the first worker alone")


def refuse(config: pytest.Config, items: Iterable[pytest.Item], problems: Sequence[str]) -> None:
    """End the session with `problems`; in a worker, fail its load tests with them.

    pytest-xdist takes a worker that ends for a crash, and hides its message.

    Raises:
        pytest.UsageError: This process is not a worker.
    """
    if worker_number(config) is None:
        raise pytest.UsageError(*problems)
    for item in items:
        if item.stash.get(PLAN, None) is not None:
            del item.stash[PLAN]
            item.stash[BROKEN] = "\n".join(problems)


def address_for(config: pytest.Config, address: str) -> str:
    """Return `address` with a port of its own for this worker: 6565, 6566 and so on.

    Port 0 stays, because it is a port of its own already.
    """
    number = worker_number(config)
    host, colon, port = address.rpartition(":")
    if not number or not colon or not port.isdigit() or port == "0":
        return address
    return f"{host}:{min(int(port) + number, 65535)}"


def attach_lines(config: pytest.Config, report: pytest.TestReport, address: str) -> None:
    """Attach the lines of this worker to `report`: remarks, and the address of its control API."""
    found = getattr(config, "workerinput", None)
    if found is None:
        return
    lines = remark_lines(config)
    if address:
        lines.append(f"k6 control API of {found['workerid']}: {address}")
    setattr(report, LINES, lines)


def remark_lines(config: pytest.Config) -> list[str]:
    """Return the remarks for the terminal before the first test; none for a list of ids."""
    # Programs read the ids of `--collect-only -q`, one a line.
    if config.option.collectonly and config.option.verbose < 0:
        return []
    return [f"k6: {remark}" for remark in config.stash.get(REMARKS, ())]


def number_worker(node: object) -> None:
    """Send the worker of `node` its number, from 0, and how tests are distributed."""
    config: pytest.Config = vars(node)["config"]
    if WORKERS not in config.stash:
        config.pluginmanager.register(LineTeller(config))
    number = config.stash[WORKERS] = config.stash.get(WORKERS, -1) + 1
    vars(node)["workerinput"].update({NUMBER: number, DIST: config.getoption("dist", "no")})


class LineTeller:
    """Prints the lines of workers, each line once, in the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: set[str] = set()
        self._is_begun = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the lines that a worker sends when its first load test starts."""
        lines = getattr(report, LINES, None)
        if lines is None:
            return
        if not self._is_begun:
            self._is_begun = True
            tell(
                self._config,
                "k6: each load test runs once, in one worker; to use more cores for one load test,"
                " leave -n out and use --k6-workers",
            )
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                tell(self._config, line)
