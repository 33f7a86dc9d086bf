"""The number of workers that a session asks for."""

import os
import re
from typing import TYPE_CHECKING

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


def worker_count(config: pytest.Config) -> int:
    """Return how many workers share each load test; 0 if it runs in this process.

    One worker would run what this process runs as well, so it is none.

    Raises:
        OptionError: The setting cannot be read, or does not go with another one.
    """
    if is_worker(config):
        return 0
    settings = Settings.of(config)
    text = settings.text("workers").strip()
    if not text or is_cluster(text):
        return 0
    count = _read(text)
    _refuse_conflicts(config, settings)
    return count if count > 1 else 0


def cluster_address(config: pytest.Config) -> str:
    """Return the scheduler of the Dask cluster that runs the workers; empty for none.

    Raises:
        OptionError: The setting does not go with another one.
    """
    if is_worker(config):
        return ""
    settings = Settings.of(config)
    text = settings.text("workers").strip()
    if not is_cluster(text):
        if settings.switch("ship"):
            raise OptionError(
                "--k6-ship sends the suite to the machines of a cluster, which --k6-workers names, such"
                " as --k6-workers=tcp://scheduler:8786"
            )
        return ""
    _refuse_conflicts(config, settings)
    return text


def is_cluster(text: str) -> bool:
    """Return whether `text` is the address of a scheduler, or the path of its file."""
    return "://" in text or text.endswith(".json")


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
