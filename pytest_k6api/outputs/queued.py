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
from typing import NamedTuple

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

# Samples in one round: what is written together takes memory, and is counted together.
_MOST_AT_ONCE = 50_000
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
        # Batches, each with the number of its samples.
        self._queue: list[tuple[SampleBatch, int]] = []
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
        size = sum([len(series.samples) for series in batch.series])
        with self._ended:
            if self._is_closed or self._queued + size > self._capacity:
                self._dropped += size
                self._loss = self._loss or self._error or "the target takes samples too slowly"
            else:
                self._queue.append((batch, size))
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
            if isinstance(self._target, Aggregator):
                for batch in turn.batches:
                    self._target.aggregate(batch)
                self._count_aggregated(turn)
            try:
                if self._is_due(turn):
                    self._send(turn)
            except OutputUnavailable as error:
                self._leave_alone(error)

    def _wait(self) -> "_Turn | None":
        """Wait for the next round and return it; None if the load test has ended and nothing is left."""
        with self._ended:
            self._ended.wait(self._pause())
            has_ended = self._deadline is not None
            if has_ended and not self._queue and self._is_pushed_finally:
                return None
            batches, samples = [], 0
            for batch, size in self._queue:
                if samples and samples + size > _MOST_AT_ONCE:
                    break
                batches.append(batch)
                samples += size
            is_last = has_ended and len(batches) == len(self._queue)
            return _Turn(tuple(batches), samples, is_last)

    def _pause(self) -> float:
        """Return for how many seconds to wait for samples, or for a target that is away."""
        away = max(0.0, self._away_until - monotonic())
        if self._deadline is not None:
            return away
        # More waits than one round takes: go on at once.
        return 0.0 if self._queued > _MOST_AT_ONCE and not away else self._period

    def _is_due(self, turn: "_Turn") -> bool:
        now = monotonic()
        if now < self._away_until:
            return False
        if isinstance(self._target, Aggregator):
            return turn.is_last or now >= self._push_at
        return bool(turn.batches)

    def _send(self, turn: "_Turn") -> None:
        target, refusal = self._target, ""
        try:
            if isinstance(target, Aggregator):
                self._push_at = monotonic() + target.push_period
                target.push(final=turn.is_last)
            else:
                target.write(turn.batches)
        except BatchRefused as error:
            if isinstance(target, Aggregator):
                # The next push holds what this one held.
                self._note(str(error))
                if turn.is_last:
                    raise
                return
            refusal = str(error)
        self._count_sent(turn, refusal)
        self._is_pushed_finally = self._is_pushed_finally or turn.is_last

    def _count_aggregated(self, turn: "_Turn") -> None:
        with self._ended:
            if not self._is_closed:
                self._take_out(turn)
                self._aggregated += turn.samples

    def _count_sent(self, turn: "_Turn", refusal: str) -> None:
        with self._ended:
            if self._is_closed:
                return
            self._error, self._delay = "", _FIRST_DELAY
            if isinstance(self._target, Aggregator):
                samples, self._aggregated = self._aggregated, 0
            else:
                samples = turn.samples
                self._take_out(turn)
            if refusal:
                self._dropped += samples
                self._loss = self._loss or refusal
            else:
                self._written += samples

    def _take_out(self, turn: "_Turn") -> None:
        del self._queue[: len(turn.batches)]
        self._queued -= turn.samples

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


class _Turn(NamedTuple):
    """What waits at the beginning of a round: the oldest batches, and how many samples they have."""

    batches: tuple[SampleBatch, ...]
    samples: int
    is_last: bool
