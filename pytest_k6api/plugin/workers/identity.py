"""What makes a pytest session that of a worker.

A worker is an ordinary pytest session, started with the arguments of its controller. Two
private variables of the environment tell it what it is; it takes them out, so that
processes which the suite starts are no workers. Other plugins see a worker as those of
pytest-xdist look: ``config.workerinput`` keeps them from writing the files that the
controller writes.
"""

import os
import socket
import sys

import pytest

from pytest_k6api.plugin.collection.detection import WORKER_NUMBER

LINE_VARIABLE = "PYTEST_K6API_WORKER_LINE"
"""The number of the descriptor that leads to the controller."""


class _WorkerInput(dict[str, object]):
    """What a worker of pytest-xdist has, as far as other plugins ask for it.

    Attributes:
        listeners: Sockets that were opened for such a plugin.
    """

    def __init__(self, **items: object) -> None:
        super().__init__(items)
        self.listeners: list[socket.socket] = []

    def __missing__(self, name: str) -> object:
        if name != "server_port":
            raise KeyError(name)
        # pytest-retry connects to its controller there, to tell of attempts; here it makes none.
        listener = socket.create_server(("127.0.0.1", 0))
        self.listeners.append(listener)
        return listener.getsockname()[1]

    def close(self) -> None:
        """Close them."""
        for listener in self.listeners:
            listener.close()


def take_identity(config: pytest.Config) -> int:
    """Make the session that of a worker; return the number of the descriptor that leads to the controller."""
    number, _, count = os.environ.pop(WORKER_NUMBER).partition("/")
    vars(config)["workerinput"] = given = _WorkerInput(
        workerid=f"k6w{number}",
        workercount=int(count),
        testrunuid=f"k6-{os.getppid()}",
        mainargv=sys.argv,
        # Of pytest-randomly, which looks here for the seed of its controller.
        randomly_seed=config.getoption("randomly_seed", None),
    )
    config.add_cleanup(given.close)
    return int(os.environ.pop(LINE_VARIABLE))
