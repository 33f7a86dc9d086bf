"""The start of a session's workers, and its imports, which other sessions do without.

Those of this machine are started when the first load test is found: they import and
collect while the controller does. A session that runs no load test after all lets them go.
A cluster is asked when load tests are about to run, because that holds the session up.
"""

from contextlib import suppress

import pytest

from pytest_k6api.model import K6ApiError
from pytest_k6api.plugin.workers.wanted import PROCESSES, WantedWorkers, wanted_workers


def start_early(config: pytest.Config) -> None:
    """Start the workers of this machine, if the session wants some and has none yet.

    What keeps them from starting is told when load tests are about to run.
    """
    if PROCESSES in config.stash or config.option.collectonly:
        return
    with suppress(K6ApiError):
        wanted = wanted_workers(config)
        if not wanted.scheduler:
            _start(config, wanted)


def start_workers(session: pytest.Session) -> None:
    """Start the workers that the session wants and does not have yet; its items are collected.

    Raises:
        K6ApiError: They cannot be started.
    """
    if PROCESSES not in session.config.stash:
        _start(session.config, wanted_workers(session.config))
    if PROCESSES in session.config.stash:
        session.config.stash[PROCESSES].note_items(session.items)


def _start(config: pytest.Config, wanted: WantedWorkers) -> None:
    if not wanted:
        return
    from pytest_k6api.plugin.workers.places import Place, ThisMachine
    from pytest_k6api.plugin.workers.processes import WorkerProcesses

    place: Place = ThisMachine(config, wanted.processes)
    if wanted.scheduler:
        from pytest_k6api.plugin.workers.clusters import open_cluster

        place = open_cluster(config, wanted.scheduler)
    processes = config.stash[PROCESSES] = WorkerProcesses(config, place)
    config.pluginmanager.register(processes)
    config.add_cleanup(processes.close)
