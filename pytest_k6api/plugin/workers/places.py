"""Places where workers run. Here this machine; `clusters` has others."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from pytest_k6api.distributed import WorkerCarrier, start_process
from pytest_k6api.plugin.workers.identity import LINE_VARIABLE


class Place(Protocol):
    """Machines on which workers run.

    Attributes:
        count: How many workers run there.
        shares_files: Whether files that they write are there for this session.
    """

    count: int
    shares_files: bool

    def start(
        self,
        number: int,
        share: int,
        arguments: Sequence[str],
        identity: Mapping[str, str],
        *,
        keeps_output: bool,
    ) -> WorkerCarrier:
        """Start a worker.

        Args:
            number: Its number.
            share: The number of its share, from 1.
            arguments: Arguments of Python.
            identity: Variables that tell it what it is.
            keeps_output: Whether what it prints is kept instead of shown.

        Raises:
            CarrierError: It cannot be started.
        """

    def close(self) -> None:
        """Let go of the machines; all workers have ended."""


class ThisMachine:
    """Workers in processes of this machine.

    Args:
        config: The session's.
        count: How many.
    """

    shares_files = True

    def __init__(self, config: pytest.Config, count: int) -> None:
        self.count = count
        self._folder = config.invocation_params.dir

    def start(
        self,
        number: int,  # noqa: ARG002  # all are alike here
        share: int,  # noqa: ARG002
        arguments: Sequence[str],
        identity: Mapping[str, str],
        *,
        keeps_output: bool,
    ) -> WorkerCarrier:
        """Start a worker."""
        return start_process(
            [sys.executable, *arguments],
            environment={**os.environ, **identity},
            line_variable=LINE_VARIABLE,
            folder=self._folder,
            keeps_output=keeps_output,
        )

    def close(self) -> None:
        """Do nothing: the machine stays."""
