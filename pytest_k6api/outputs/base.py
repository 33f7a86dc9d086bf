"""The contracts of outputs: what a load test calls, and what a target has to implement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable

from pytest_k6api.metrics import SampleBatch, Threshold
from pytest_k6api.model import LoadTestInfo


class OutputError(Exception):
    """The target cannot take samples, now or later: the disk is full, a login was refused.

    Its text is shown to users once, behind the output's name.
    """


class OutputUnavailable(OutputError):
    """The target is away and may come back: the batch is worth another attempt."""


class BatchRefused(OutputError):
    """The target refused what was sent and would refuse it again; it may take what comes next."""


class Output(Protocol):
    """Where samples of one load test go; any object with these three methods.

    Source: k6 v1.1.0, ``output/types.go``, ``Output``.
    """

    def start(self) -> None:
        """Get ready: open the file, connect. Called before any load is made."""

    def add(self, batch: SampleBatch) -> None:
        """Take the samples since the last call, or thresholds that were just evaluated.

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

    Each raises `OutputError` if the target cannot take samples, `OutputUnavailable`
    if it may take them later, and `BatchRefused` if it may take others. An `OSError`
    counts as an `OutputError`.
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


@runtime_checkable
class Aggregator(Protocol):
    """A target of sums: samples are added up, and what they add up to is pushed now and then.

    While the target is away samples go on adding up, so nothing is lost. Errors are those
    of `Writer`, and only the target's: adding up fails for nothing.

    Attributes:
        push_period: Seconds between two pushes.
    """

    push_period: float

    def open(self) -> None:
        """Acquire the target. Called in the load test's thread, before any load is made."""

    def aggregate(self, batch: SampleBatch) -> None:
        """Add `batch` up. Called in the output's thread."""

    def push(self, *, final: bool) -> None:
        """Send what was added up; after an error it is called again later.

        Args:
            final: Whether the load test has ended, and this is the last push.
        """

    def close(self) -> None:
        """Release the target. Called once if `open` returned."""


def open_nothing() -> BinaryIO:
    """Refuse to open the standard output, where there is none."""
    raise OutputError("there is no standard output here; name a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContext:
    """What the factory of an output is told.

    Attributes:
        target: What stands behind the output's name and ``=``; empty for nothing. Of a file
            it is a path of its own for each load test.
        load_test: The load test.
        thresholds: Its thresholds.
        environment: The environment variables.
        open_stdout: Opens the standard output, which pytest captures otherwise.
    """

    target: str
    load_test: LoadTestInfo
    thresholds: tuple[Threshold, ...] = ()
    environment: Mapping[str, str]
    open_stdout: Callable[[], BinaryIO] = open_nothing


OutputFactory = Callable[[OutputContext], Output]
"""What an entry point of the group ``pytest_k6api.outputs`` names.

Called for each load test when collection has ended, so that a target that cannot be used
is told before any load, and once more for each run of it. It raises `OutputError` for such
a target, and acquires nothing: that is for `Output.start`.
"""
