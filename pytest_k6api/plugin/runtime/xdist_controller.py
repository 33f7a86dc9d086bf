"""The process that starts the workers of pytest-xdist: it numbers them, and prints for them."""

import pytest

from pytest_k6api.plugin.hooks.stash_keys import WORKERS
from pytest_k6api.plugin.reporting.terminal import tell
from pytest_k6api.plugin.runtime.xdist_worker import DIST, LINES, NUMBER


def number_worker(node: object) -> None:
    """Give the worker behind `node` a number, from 0, and tell it how tests are distributed."""
    config: pytest.Config = vars(node)["config"]
    if WORKERS not in config.stash:
        config.pluginmanager.register(LineTeller(config))
    number = config.stash[WORKERS] = config.stash.get(WORKERS, -1) + 1
    vars(node)["workerinput"].update({NUMBER: number, DIST: config.getoption("dist", "no")})


class LineTeller:
    """Prints what workers tell, each line once, in the process that started them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: set[str] = set()
        self._is_begun = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print what a worker tells when its first load test starts."""
        lines = getattr(report, LINES, None)
        if lines is None:
            return
        if not self._is_begun:
            self._is_begun = True
            tell(
                self._config,
                "k6: each load test runs once, in one worker; to use more cores for one load test,"
                " share it with --k6-execution-segment",
            )
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                tell(self._config, line)
