"""The machines of a Dask cluster as places for workers."""

import os
from collections.abc import Mapping, Sequence

import pytest

from pytest_k6api.distributed import (
    AgentGoneError,
    CarrierError,
    DaskCluster,
    WorkerCarrier,
    pack_suite,
)
from pytest_k6api.model import OptionError
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.plugin.workers.identity import LINE_VARIABLE

# Variables that say how the load tests are run; others belong to a machine.
_SHARED = ("K6_", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")


class ClusterMachines:
    """Workers on the machines of a Dask cluster, one for each of its workers.

    Args:
        config: The session's.
        address: The scheduler's address, or the path of its file.

    Raises:
        CarrierError: It cannot be reached.
        OptionError: It cannot be used, or the suite cannot be shipped.
    """

    shares_files = False

    def __init__(self, config: pytest.Config, address: str) -> None:
        self._root = config.rootpath
        self._folder = config.invocation_params.dir
        archive = pack_suite(self._root) if Settings.of(config).switch("ship") else None
        self._cluster = DaskCluster(address)
        self.count = self._cluster.count
        self._roots: list[str] | None = None
        if archive is not None:
            try:
                self._roots = self._cluster.ship(archive)
            except BaseException:
                self._cluster.close()
                raise

    def start(
        self,
        number: int,
        share: int,
        arguments: Sequence[str],
        identity: Mapping[str, str],
        *,
        keeps_output: bool,  # noqa: ARG002  # nobody sees what is shown there
    ) -> WorkerCarrier:
        """Start a worker on the machine of its share, or on the next one that is there."""
        told = {name: text for name, text in os.environ.items() if name.startswith(_SHARED)}
        for machine in self._cluster.machines(first=share - 1):
            try:
                return self._cluster.start(
                    machine,
                    number,
                    [*(self._there(each, machine) for each in arguments), "--capture=fd"],
                    environment={**told, **identity},
                    line_variable=LINE_VARIABLE,
                    folder=self._there(str(self._folder), machine),
                    keeps_output=True,
                )
            except AgentGoneError as error:
                last = error
        raise last

    def close(self) -> None:
        """Let go of the cluster."""
        self._cluster.close()

    def _there(self, text: str, machine: int) -> str:
        """Return `text` with the place that the shipped suite has on the machine of a worker."""
        root = str(self._root)
        if self._roots is None or not (text == root or text.startswith(f"{root}{os.sep}")):
            return text
        return self._roots[machine] + text.removeprefix(root)


def open_cluster(config: pytest.Config, address: str) -> ClusterMachines:
    """Return the machines of the cluster whose scheduler is at `address`.

    Raises:
        OptionError: It cannot be reached, or the suite cannot be shipped.
    """
    try:
        return ClusterMachines(config, address)
    except CarrierError as error:
        raise OptionError(f"--k6-workers={address}: {error}") from None
