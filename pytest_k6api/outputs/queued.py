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
from pytest_k6api.outputs.base import (
    Aggregator,
    BatchRefused,
    OutputError,
    OutputUnavailable,
    Writer,
)

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
        waiting: Samples that it has not got yet.
        retries: Attempts that were repeated because the target was away.
        error: Why the target does not take samples now, or why it did not get those
            that were dropped; empty if all is well.
    """

    written: int
    dropped: int
    waiting: int
    retries: int
    error: str


class QueuedOutput:
    """An `Output` that feeds a target from a thread of its own.

    Args:
        name: Its name, for the thread and for messages.
        target: A `Writer`, or an `Aggregator`, for which nothing but the target's own
            memory limits how long it may be away.
        period: Seconds between two rounds; what was added meanwhile is written together.
        capacity: Samples that may wait in the queue at the most.
        close_timeout: Seconds that the target has for what is left at the end.
    """

    def __init__(
        self,
        name: str,
        target: Writer | Aggregator,
        *,
        period: float = 0.2,
        capacity: int = CAPACITY,
        close_timeout: float = CLOSE_TIMEOUT,
    ) -> None:
        self.name = name
        self._target = target
        self._period = period
        self._capacity = capacity
        self._close_timeout = close_timeout
        self._thread = threading.Thread(target=self._run, name=f"k6 output {name}", daemon=True)
        # Guards all that follows; notified when the load test has ended.
        self._ended = threading.Condition()
        self._queue: list[SampleBatch] = []
        self._queued = 0
        # Samples that an aggregator has added up and not pushed yet.
        self._aggregated = 0
        self._written = 0
        self._dropped = 0
        self._retries = 0
        # Why the last attempt failed, and why samples were dropped first.
        self._error = ""
        self._loss = ""
        self._is_closed = False
        self._is_pushed_finally = not isinstance(target, Aggregator)
        # Monotonic times: of the next push, and until when a target that was away is left alone.
        self._push_at = 0.0
        self._away_until = 0.0
        self._delay = _FIRST_DELAY
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
        self._target.open()
        if isinstance(self._target, Aggregator):
            self._push_at = monotonic() + self._target.push_period
        self._thread.start()

    def add(self, batch: SampleBatch) -> None:
        """Put `batch` into the queue, or drop it if there is no room; never blocks."""
        size = _size(batch)
        with self._ended:
            if self._is_closed or self._queued + size > self._capacity:
                self._dropped += size
                self._loss = self._loss or self._error or "the target takes samples too slowly"
            else:
                self._queue.append(batch)
                self._queued += size

    def end(self) -> None:
        """Say that no more batches come, without waiting for the target as `stop` does.

        Several outputs that are ended before the first is stopped have their
        `close_timeout` at the same time.
        """
        with self._ended:
            if self._deadline is None:
                self._deadline = monotonic() + self._close_timeout
                self._ended.notify()

    def stop(self) -> None:
        """Let the target take what is left, for `close_timeout` seconds at the most."""
        self.end()
        assert self._deadline is not None
        self._thread.join(max(0.0, self._deadline - monotonic()))
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
                waiting=self._queued + self._aggregated,
                retries=self._retries,
                error=self._error or self._loss,
            )

    def _run(self) -> None:
        self._attempt(self._feed)
        self._attempt(self._target.close)

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except OSError as error:
            self._give_up(error.strerror or str(error))
        except OutputError as error:
            self._give_up(str(error))
        # Targets of other packages may raise anything: it must not end in silence.
        except Exception as error:  # noqa: BLE001
            self._give_up(f"{type(error).__name__}: {error}")

    def _feed(self) -> None:
        while (turn := self._wait()) is not None:
            batches, is_last = turn
            if isinstance(self._target, Aggregator):
                for batch in batches:
                    self._target.aggregate(batch)
                self._count_aggregated(batches)
            try:
                if self._is_due(batches, is_last=is_last):
                    self._send(batches, is_last=is_last)
            except OutputUnavailable as error:
                self._leave_alone(error)

    def _wait(self) -> tuple[tuple[SampleBatch, ...], bool] | None:
        """Wait for the next round; return its batches, and whether they are the last.

        None if the load test has ended and nothing is left.
        """
        with self._ended:
            if self._deadline is None:
                self._ended.wait(self._period)
            else:
                self._ended.wait(max(0.0, self._away_until - monotonic()))
            has_ended = self._deadline is not None
            if has_ended and not self._queue and self._is_pushed_finally:
                return None
            return tuple(self._queue), has_ended

    def _is_due(self, batches: tuple[SampleBatch, ...], *, is_last: bool) -> bool:
        now = monotonic()
        if now < self._away_until:
            return False
        if isinstance(self._target, Aggregator):
            return is_last or now >= self._push_at
        return bool(batches)

    def _send(self, batches: tuple[SampleBatch, ...], *, is_last: bool) -> None:
        target, refusal = self._target, ""
        try:
            if isinstance(target, Aggregator):
                self._push_at = monotonic() + target.push_period
                target.push(final=is_last)
            else:
                target.write(batches)
        except BatchRefused as error:
            if isinstance(target, Aggregator):
                # The next push holds what this one held.
                self._note(str(error))
                if is_last:
                    raise
                return
            refusal = str(error)
        self._count_sent(batches, refusal)
        self._is_pushed_finally = self._is_pushed_finally or is_last

    def _count_aggregated(self, batches: tuple[SampleBatch, ...]) -> None:
        size = sum(map(_size, batches))
        with self._ended:
            if not self._is_closed:
                del self._queue[: len(batches)]
                self._queued -= size
                self._aggregated += size

    def _count_sent(self, batches: tuple[SampleBatch, ...], refusal: str) -> None:
        with self._ended:
            if self._is_closed:
                return
            self._error, self._delay = "", _FIRST_DELAY
            if isinstance(self._target, Aggregator):
                size, self._aggregated = self._aggregated, 0
            else:
                size = sum(map(_size, batches))
                del self._queue[: len(batches)]
                self._queued -= size
            if refusal:
                self._dropped += size
                self._loss = self._loss or refusal
            else:
                self._written += size

    def _leave_alone(self, error: OutputUnavailable) -> None:
        """Let the target be for a while, longer each time."""
        with self._ended:
            self._retries += 1
            self._error = str(error)
            self._away_until = monotonic() + self._delay
            self._delay = min(self._delay * 2, _LONGEST_DELAY)
            self._push_at = self._away_until
            if self._deadline is not None and self._away_until >= self._deadline:
                raise OutputError(self._error) from error

    def _note(self, error: str) -> None:
        with self._ended:
            self._error = error

    def _give_up(self, error: str) -> None:
        """Count all that waits as dropped, and all that will come."""
        with self._ended:
            self._is_closed = True
            self._error = self._error or error
            self._queue.clear()
            self._dropped += self._queued + self._aggregated
            self._queued = self._aggregated = 0


def _size(batch: SampleBatch) -> int:
    return sum([len(series.samples) for series in batch.series])
