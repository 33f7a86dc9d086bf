"""What workers are told to set up for one load test."""

import pytest

from pytest_k6api.distributed import Prepare
from pytest_k6api.plugin.workers.fixtures import sort_fixtures
from pytest_k6api.plugin.workers.processes import WorkerProcesses
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode, Workforce


def workforce_for(
    item: pytest.Function,
    plan: LoadTestPlan,
    code: UserCode,
    processes: WorkerProcesses,
    settings: RunSettings,
) -> Workforce:
    """Return the workers for the load test of `item`, and what they are told.

    Raises:
        OptionError: A fixture cannot be used on workers.
    """
    fixtures = sort_fixtures(item, code, plan.options.worker_fixtures)
    order = Prepare(
        item=item.nodeid,
        base_url=settings.client.base_url,
        values=fixtures.values,
        withheld=fixtures.withheld,
        wants_samples=settings.on_samples is not None,
    )
    return Workforce(workers=processes.ready(), fingerprint=processes.fingerprint, order=order)
