"""What makes a pytest session that of a worker.

A worker is an ordinary pytest session, started with the arguments of its controller. Two
private variables of the environment tell it what it is; it takes them out, so that
processes which the suite starts are no workers. Other plugins see a worker as those of
pytest-xdist look: ``config.workerinput`` keeps them from writing the files that the
controller writes.
"""

import os
import sys
from dataclasses import dataclass

import pytest

from pytest_k6api.plugin.collection.detection import WORKER_SHARE

LINE_VARIABLE = "PYTEST_K6API_WORKER_LINE"
"""The number of the descriptor that leads to the controller."""


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """A worker's place among the workers.

    Attributes:
        number: Its number, from 1.
        count: How many there are.
        line: The number of the descriptor that leads to the controller.
    """

    number: int
    count: int
    line: int


def take_identity(config: pytest.Config) -> WorkerIdentity:
    """Return which worker this session is, and take that out of the environment."""
    number, _, count = os.environ.pop(WORKER_SHARE).partition("/")
    vars(config)["workerinput"] = {
        "workerid": f"k6w{number}",
        "workercount": int(count),
        "testrunuid": f"k6-{os.getppid()}",
        "mainargv": sys.argv,
        # Of pytest-randomly, which looks here for the seed of its controller.
        "randomly_seed": config.getoption("randomly_seed", None),
    }
    return WorkerIdentity(int(number), int(count), int(os.environ.pop(LINE_VARIABLE)))
