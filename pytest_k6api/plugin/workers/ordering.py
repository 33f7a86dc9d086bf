"""What workers are told to set up for one load test."""

from dataclasses import replace
from functools import partial

import pytest
import trio

from pytest_k6api.distributed import Prepare, Worker
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.fixtures import sort_fixtures
from pytest_k6api.plugin.workers.processes import WorkerProcesses
from pytest_k6api.plugin.workers.user_output import write_output
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode, Workforce


def on_workers(
    settings: RunSettings,
    item: pytest.Function,
    plan: LoadTestPlan,
    code: UserCode,
    processes: WorkerProcesses,
) -> RunSettings:
    """Return `settings` of the load test of `item` for a run on workers.

    Raises:
        OptionError: A fixture cannot be used on workers.
    """
    fixtures = sort_fixtures(item, code, plan.options.worker_fixtures)
    workers = processes.ready()
    replans = Settings.of(item.config).text("worker_loss") == "replan"
    order = Prepare(
        item=item.nodeid,
        shares=len(workers),
        base_url=settings.client.base_url,
        values=fixtures.values,
        withheld=fixtures.withheld,
        wants_samples=settings.on_samples is not None,
        wants_state=replans,
    )

    async def start_successor(lost: Worker) -> Worker:
        # On a cluster it blocks.
        return await trio.to_thread.run_sync(processes.start_successor, lost)

    workforce = Workforce(
        workers=workers,
        fingerprint=processes.fingerprint,
        order=order,
        start_successor=start_successor if replans else None,
    )
    return replace(settings, workforce=workforce, on_output=partial(write_output, item))
