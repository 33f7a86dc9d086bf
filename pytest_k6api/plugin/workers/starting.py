"""The start of a session's workers, and its imports, which other sessions do without.

Those of this machine are started when the first load test is found: they import and
collect while the controller does. A session that runs no load test after all lets them go.
A cluster is asked when load tests are about to run, because that holds the session up.
"""

from contextlib import suppress

import pytest

from pytest_k6api.model import K6ApiError
from pytest_k6api.plugin.workers.counting import PROCESSES, cluster_address, worker_count


def start_early(config: pytest.Config) -> None:
    """Start the workers of this machine, if the session wants some and has none yet.

    What keeps them from starting is told when load tests are about to run.
    """
    if PROCESSES in config.stash or config.option.collectonly:
        return
    with suppress(K6ApiError):
        if not cluster_address(config):
            _start(config)


def start_workers(session: pytest.Session) -> None:
    """Start the workers that the session wants and does not have yet; its items are collected.

    Raises:
        K6ApiError: They cannot be started.
    """
    if PROCESSES not in session.config.stash:
        _start(session.config)
    if PROCESSES in session.config.stash:
        session.config.stash[PROCESSES].note_items(session.items)


def _start(config: pytest.Config) -> None:
    address, count = cluster_address(config), worker_count(config)
    if not address and not count:
        return
    from pytest_k6api.plugin.workers.places import Place, ThisMachine
    from pytest_k6api.plugin.workers.processes import WorkerProcesses

    place: Place = ThisMachine(config, count)
    if address:
        from pytest_k6api.plugin.workers.clusters import open_cluster

        place = open_cluster(config, address)
    processes = config.stash[PROCESSES] = WorkerProcesses(config, place)
    config.pluginmanager.register(processes)
    config.add_cleanup(processes.close)
