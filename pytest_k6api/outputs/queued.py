"""A thread and a bounded queue between the load test and a target that may block.

The load test never waits for a target: a full queue drops the batch and counts its
samples. A target that is away is tried again, with back-off, while the queue has room;
one that has failed gets no more samples. Nothing is lost in silence: `QueuedOutput.status`
tells what was written, what was dropped, and why.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from pytest_k6api.metrics import SampleBatch
from pytest_k6api.outputs.base import OutputError, OutputUnavailable, Writer

CAPACITY = 1_000_000
"""Samples that wait for a target at the most; some 30 MB."""

CLOSE_TIMEOUT = 10.0
"""Seconds that a target has for what is left when the load test has ended."""

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStatus:
    """How an output is doing.

    Attributes:
        written: Samples that the target took.
        dropped: Samples that it will never get.
        waiting: Samples in the queue.
        retries: Attempts that were repeated because the target was away.
        error: Why the target gets no more samples, or does not take them now; empty if it does.
    """

    written: int
    dropped: int
    waiting: int
    retries: int
    error: str


class QueuedOutput:
    """An `Output` that feeds a `Writer` from a thread of its own.

    Args:
        name: Its name, for the thread and for messages.
        writer: The target.
        period: Seconds between two writes; what was added meanwhile is one write.
        capacity: Samples that may wait at the most.
        close_timeout: Seconds that the target has for what is left at the end.
    """

    def __init__(
        self,
        name: str,
        writer: Writer,
        *,
        period: float = 0.2,
        capacity: int = CAPACITY,
        close_timeout: float = CLOSE_TIMEOUT,
    ) -> None:
        self.name = name
        self._writer = writer
        self._period = period
        self._capacity = capacity
        self._close_timeout = close_timeout
        self._thread = threading.Thread(target=self._run, name=f"k6 output {name}", daemon=True)
        # Guards all that follows; notified when the load test has ended.
        self._ended = threading.Condition()
        self._queue: list[SampleBatch] = []
        self._waiting = 0
        self._written = 0
        self._dropped = 0
        self._retries = 0
        self._error = ""
        self._is_closed = False
        # Monotonic time of the last attempt; None while the load test runs.
        self._deadline: float | None = None

    def __repr__(self) -> str:
        return f"<QueuedOutput {self.name}: {self.status()}>"

    def start(self) -> None:
        """Open the target, and begin to feed it.

        Raises:
            OutputError: The target cannot be opened.
            OSError: The same, in the system's words.
        """
        self._writer.open()
        self._thread.start()

    def add(self, batch: SampleBatch) -> None:
        """Put `batch` into the queue, or drop it if there is no room; never blocks."""
        size = sum(len(series.values) for series in batch.series)
        with self._ended:
            if self._is_closed or self._waiting + size > self._capacity:
                self._dropped += size
            else:
                self._queue.append(batch)
                self._waiting += size

    def stop(self) -> None:
        """Let the target take what is left, for `close_timeout` seconds at the most."""
        with self._ended:
            self._deadline = monotonic() + self._close_timeout
            self._ended.notify()
        self._thread.join(self._close_timeout)
        if self._thread.is_alive():
            # A write that blocks cannot be interrupted. The thread is a daemon: it ends
            # with the process.
            self._give_up(f"took longer than {self._close_timeout:g} s for what was left")

    def status(self) -> OutputStatus:
        """Return how it is doing; callable from every thread."""
        with self._ended:
            return OutputStatus(
                written=self._written,
                dropped=self._dropped,
                waiting=self._waiting,
                retries=self._retries,
                error=self._error,
            )

    def _run(self) -> None:
        self._attempt(self._feed)
        self._attempt(self._writer.close)

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (OutputError, OSError) as error:
            self._give_up(str(error))
        # Writers of other packages may raise anything: it must not end in silence.
        except Exception as error:  # noqa: BLE001
            self._give_up(f"{type(error).__name__}: {error}")

    def _feed(self) -> None:
        delay = _FIRST_DELAY
        while batches := self._next():
            try:
                self._writer.write(batches)
            except OutputUnavailable as error:
                self._wait_for_target(delay, error)
                delay = min(delay * 2, _LONGEST_DELAY)
            else:
                delay = _FIRST_DELAY
                self._count_written(batches)

    def _next(self) -> tuple[SampleBatch, ...]:
        """Wait for the next write; empty when the load test has ended and nothing is left."""
        with self._ended:
            while self._deadline is None:
                self._ended.wait(self._period)
                if self._queue:
                    break
            return tuple(self._queue)

    def _wait_for_target(self, delay: float, error: OutputUnavailable) -> None:
        with self._ended:
            self._retries += 1
            self._error = str(error)
            if self._deadline is None or monotonic() + delay < self._deadline:
                self._ended.wait(delay)
            else:
                raise OutputError(self._error) from error

    def _count_written(self, batches: tuple[SampleBatch, ...]) -> None:
        size = sum(len(series.values) for batch in batches for series in batch.series)
        with self._ended:
            if not self._is_closed:
                del self._queue[: len(batches)]
                self._waiting -= size
                self._written += size
                self._error = ""

    def _give_up(self, error: str) -> None:
        """Count all that waits as dropped, and all that will come."""
        with self._ended:
            self._is_closed = True
            self._error = self._error or error
            self._queue.clear()
            self._dropped += self._waiting
            self._waiting = 0
