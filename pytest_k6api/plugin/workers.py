"""The process that starts the workers of pytest-xdist: it numbers them, and prints for them."""

import pytest

from pytest_k6api.plugin.spreading import ADDRESS, DIST, NUMBER
from pytest_k6api.plugin.stashes import WORKERS
from pytest_k6api.plugin.terminal import tell


def number_worker(node: object) -> None:
    """Give the worker behind `node` a number, from 0, and tell it how tests are distributed."""
    config: pytest.Config = vars(node)["config"]
    if WORKERS not in config.stash:
        config.pluginmanager.register(AddressTeller(config))
    number = config.stash[WORKERS] = config.stash.get(WORKERS, -1) + 1
    vars(node)["workerinput"].update({NUMBER: number, DIST: config.getoption("dist", "no")})


class AddressTeller:
    """Prints where the control APIs of workers listen, in the process that started them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the address of a worker when its first load test starts."""
        text = getattr(report, ADDRESS, None)
        if text is None or text in self._told:
            return
        if not self._told:
            tell(
                self._config,
                "k6: each load test runs once, in one worker; to use more cores for one load test,"
                " share it with --k6-execution-segment",
            )
        self._told.add(text)
        tell(self._config, text)
