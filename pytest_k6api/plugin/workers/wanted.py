"""The workers that a session asks for, and where it keeps them."""

import os
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.detection import is_worker
from pytest_k6api.plugin.settings.sources import Settings

if TYPE_CHECKING:
    from pytest_k6api.plugin.workers.processes import WorkerProcesses

PROCESSES: "pytest.StashKey[WorkerProcesses]" = pytest.StashKey()
"""The worker processes of the session, if it has some."""

_MOST = 1_000
_NUMBER = re.compile("[0-9]{1,9}")


class WantedWorkers(NamedTuple):
    """What ``--k6-workers`` asks for; false if load tests run in this process.

    Attributes:
        processes: How many processes of this machine share each load test.
        scheduler: The address of the scheduler of a Dask cluster that has them instead, or the
            path of its file.
    """

    processes: int = 0
    scheduler: str = ""

    def __bool__(self) -> bool:
        return bool(self.processes or self.scheduler)


def wanted_workers(config: pytest.Config) -> WantedWorkers:
    """Return the workers that the session asks for.

    One worker would run what this process runs as well, so it is none.

    Raises:
        OptionError: The setting cannot be read, or does not go with another one.
    """
    if is_worker(config):
        return WantedWorkers()
    settings = Settings.of(config)
    text = settings.text("workers").strip()
    is_cluster = "://" in text or text.endswith(".json")
    if settings.switch("ship") and not is_cluster:
        raise OptionError(
            "--k6-ship sends the suite to the machines of a cluster, which --k6-workers names, such"
            " as --k6-workers=tcp://scheduler:8786"
        )
    if not text:
        return WantedWorkers()
    wanted = WantedWorkers(scheduler=text) if is_cluster else WantedWorkers(_read(text))
    _refuse_conflicts(config, settings)
    return wanted if wanted.processes != 1 else WantedWorkers()


def _read(text: str) -> int:
    if text == "auto":
        return max(1, _cores() - 1)
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _MOST:
        raise OptionError(
            f"--k6-workers takes a number of processes from 1 to {_MOST:,}, auto, or the"
            f" scheduler of a Dask cluster, such as tcp://scheduler:8786; got {text!r}"
        )
    return int(text)


def _cores() -> int:
    # Not everywhere can a process be kept from some of them.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse_conflicts(config: pytest.Config, settings: Settings) -> None:
    for option, flag in (("usepdb", "--pdb"), ("trace", "--trace")):
        if config.getoption(option, False):
            raise OptionError(
                f"--k6-workers runs virtual users in other processes, where {flag} has no terminal;"
                " leave one of them out"
            )
    # pytest-xdist collects in its workers.
    if hasattr(config, "workerinput"):
        raise OptionError(
            "--k6-workers and pytest-xdist (-n, --dist) both start workers; leave one of them out:"
            " --k6-workers shares each load test among processes, -n shares out the tests"
        )
    if settings.text("execution_segment"):
        raise OptionError(
            "--k6-workers cuts the load by itself, and --k6-execution-segment cuts it for instances"
            " that know nothing of each other; leave one of them out"
        )
