"""What makes a pytest session that of a worker.

A worker is an ordinary pytest session, started with the arguments of its controller. Two
private variables of the environment tell it what it is; it takes them out, so that
processes which the suite starts are no workers. Other plugins see a worker as those of
pytest-xdist look: ``config.workerinput`` keeps them from writing the files that the
controller writes.
"""

import os
import sys

import pytest

from pytest_k6api.plugin.collection.detection import WORKER_NUMBER

LINE_VARIABLE = "PYTEST_K6API_WORKER_LINE"
"""The number of the descriptor that leads to the controller."""


def take_identity(config: pytest.Config) -> int:
    """Make the session that of a worker; return the number of the descriptor that leads to the controller."""
    number, _, count = os.environ.pop(WORKER_NUMBER).partition("/")
    vars(config)["workerinput"] = {
        "workerid": f"k6w{number}",
        "workercount": int(count),
        "testrunuid": f"k6-{os.getppid()}",
        "mainargv": sys.argv,
        # Of pytest-randomly, which looks here for the seed of its controller.
        "randomly_seed": config.getoption("randomly_seed", None),
    }
    return int(os.environ.pop(LINE_VARIABLE))
