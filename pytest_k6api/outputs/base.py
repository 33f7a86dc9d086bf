"""The contracts of outputs: what a load test calls, and what a target has to implement."""

from collections.abc import Sequence
from typing import Protocol

from pytest_k6api.metrics import SampleBatch


class OutputError(Exception):
    """The target cannot take samples, now or later: the disk is full, a login was refused.

    Its text is shown to users once, behind the output's name.
    """


class OutputUnavailable(OutputError):
    """The target is away and may come back: the batch is worth another attempt."""


class Output(Protocol):
    """Where samples of one load test go; any object with these three methods.

    Source: k6 v1.1.0, ``output/types.go``, ``Output``.
    """

    def start(self) -> None:
        """Get ready: open the file, connect. Called before any load is made."""

    def add(self, batch: SampleBatch) -> None:
        """Take the samples since the last call, in the metric's unit; never empty.

        Called about 20 times a second, less often if nothing was measured or the
        loop is busy. It runs in the load test's loop: an output that may block
        is a `Writer` behind a `QueuedOutput`.
        """

    def stop(self) -> None:
        """Write what is left, and release what `start` acquired.

        Called once, after the last batch, however the load test ended.
        """


class Writer(Protocol):
    """A target of samples, used by one thread at a time; each method may block.

    Each raises `OutputError` if the target cannot take samples, and `OutputUnavailable`
    if it may take them later. An `OSError` counts as an `OutputError`.
    """

    def open(self) -> None:
        """Acquire the target. Called in the load test's thread, before any load is made."""

    def write(self, batches: Sequence[SampleBatch]) -> None:
        """Write `batches`, oldest first and at least one: all of them, or none.

        Called in the output's thread. After `OutputUnavailable` it is called again with
        the same batches, and perhaps with later ones.
        """

    def close(self) -> None:
        """Release the target. Called once if `open` returned."""
