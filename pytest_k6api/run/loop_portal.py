"""The loop portal: calls from Trio loops of other threads into a load test's loop.

The only way in which commands reach a running load test: the function runs in the
load test's loop, between two steps of its tasks, and its result comes back as an event
in the caller's loop. Neither thread touches the other's state.
"""

import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Generic, TypeVar

import trio

Answer = TypeVar("Answer")

STEPS_PER_TURN = 0.01
"""Seconds in each turn of the loop for work that is done in steps."""

_RESPONSIVE = 0.5
"""Seconds without a heartbeat that count as none."""


class NotRunningError(Exception):
    """There is no loop: it has not started yet, or has ended."""


class NotStartedError(NotRunningError):
    """The loop has not started yet."""


class UnresponsiveError(Exception):
    """The loop did not take the call in time; it will when it goes on."""


class ThreadsafeEvent:
    """An event that is set in one thread and awaited in Trio loops of others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._waiting: list[tuple[trio.lowlevel.TrioToken, trio.Event]] = []

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it and resume all waiting tasks; from any thread."""
        with self._lock:
            self._is_set = True
            waiting, self._waiting = self._waiting, []
        for token, event in waiting:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(event.set)

    async def wait(self) -> None:
        """Wait until it is set."""
        event = trio.Event()
        entry = (trio.lowlevel.current_trio_token(), event)
        with self._lock:
            if self._is_set:
                event.set()
            else:
                self._waiting.append(entry)
        try:
            await event.wait()
        finally:
            with self._lock:
                if entry in self._waiting:
                    self._waiting.remove(entry)


def advance(work: Generator[None, None, object]) -> None:
    """Run `work` for `STEPS_PER_TURN` seconds.

    Raises:
        StopIteration: It is done.
    """
    until = time.perf_counter() + STEPS_PER_TURN
    while time.perf_counter() < until:
        next(work)


async def finish_in_steps(work: Generator[None, None, Answer]) -> Answer:
    """Return the result of `work`, run for at most `STEPS_PER_TURN` in each turn of the loop."""
    while True:
        try:
            advance(work)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
        await trio.lowlevel.checkpoint()


class PendingCall(Generic[Answer]):
    """A call on its way: delivers its result to the caller's loop."""

    def __init__(self) -> None:
        self._caller = trio.lowlevel.current_trio_token()
        self.taken = trio.Event()
        self.answered = trio.Event()
        self.value: Answer | None = None
        self.error: BaseException | None = None
        self.is_abandoned = False

    def run_in_caller(self, fn: Callable[[], None]) -> None:
        """Run `fn` in the caller's loop, unless that has ended."""
        with suppress(trio.RunFinishedError):
            self._caller.run_sync_soon(fn)

    def answer(self, value: Answer | None, error: BaseException | None) -> None:
        """Deliver a value or an error."""

        def deliver() -> None:
            self.value, self.error = value, error
            self.taken.set()
            self.answered.set()

        self.run_in_caller(deliver)

    def result(self) -> Answer:
        """Return the delivered value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # set together with `answered`


class LoopPortal:
    """A load test's loop as other threads reach it; opened and closed by that loop.

    Attributes:
        opened: Set from the moment at which the loop takes calls, also after its end.
    """

    def __init__(self) -> None:
        self.opened = ThreadsafeEvent()
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._last_heartbeat = 0.0

    @property
    def is_open(self) -> bool:
        """True while there is a loop to call into."""
        return self._token is not None

    @property
    def unresponsive(self) -> float:
        """Seconds since the loop's last heartbeat; below 0.5, or without a loop, reads as 0."""
        if not self.is_open:
            return 0.0
        silent = time.monotonic() - self._last_heartbeat
        return silent if silent >= _RESPONSIVE else 0.0

    async def wait_until_opened(self, patience: float) -> None:
        """Wait until there is a loop, or was one.

        Raises:
            NotStartedError: There was none for `patience` seconds.
        """
        with trio.move_on_after(patience):
            await self.opened.wait()
        if not self.opened.is_set():
            raise NotStartedError

    def open(self, nursery: trio.Nursery) -> None:
        """Take calls from now on; coroutines run as tasks of `nursery`."""
        self.beat()
        self._nursery = nursery
        self._token = trio.lowlevel.current_trio_token()
        self.opened.set()

    def beat(self) -> None:
        """Note that the loop runs; it calls this several times a second."""
        self._last_heartbeat = time.monotonic()

    def close(self) -> None:
        """Take no more calls."""
        self._token = self._nursery = None

    def call_soon(self, fn: Callable[[], None]) -> None:
        """Have `fn` called in the loop; do nothing where there is none. From any thread."""
        with suppress(NotRunningError):
            self._submit(fn)

    async def call(self, fn: Callable[..., Answer], *args: object, patience: float) -> Answer:
        """Return the result of ``fn(*args)``, called in the load test's loop.

        Raises:
            NotRunningError: There is no loop.
            UnresponsiveError: The loop was blocked for `patience` seconds. It calls `fn`
                all the same when it goes on.
        """
        pending: PendingCall[Answer] = PendingCall()

        def run_there() -> None:
            try:
                value = fn(*args)
            except Exception as error:  # noqa: BLE001 - raised anew in the caller's loop
                pending.answer(None, error)
            else:
                pending.answer(value, None)

        self._submit(run_there)
        with trio.move_on_after(patience):
            await pending.answered.wait()
            return pending.result()
        raise UnresponsiveError

    async def call_in_steps(
        self, steps: Callable[[], Generator[None, None, Answer]], *, patience: float
    ) -> Answer:
        """Return the result of ``steps()``, run in the load test's loop.

        It yields wherever it can be interrupted, and runs for 10 ms in each turn of the
        loop. A turn with 20,000 virtual users takes a good part of a second.

        Raises:
            NotRunningError: There is no loop, or it ended before the result.
            UnresponsiveError: There was no result within `patience` seconds.
        """
        pending: PendingCall[Answer] = PendingCall()
        work = steps()

        def run_there() -> None:
            if pending.is_abandoned:
                return
            try:
                advance(work)
                self._submit(run_there)
            except StopIteration as done:
                pending.answer(done.value, None)
            except Exception as error:  # noqa: BLE001 - raised anew in the caller's loop
                pending.answer(None, error)

        self._submit(run_there)
        try:
            with trio.move_on_after(patience):
                await pending.answered.wait()
                return pending.result()
        finally:
            pending.is_abandoned = True
        raise UnresponsiveError

    async def await_there(
        self, fn: Callable[..., Awaitable[Answer]], *args: object, patience: float
    ) -> Answer:
        """Return the result of ``await fn(*args)`` in the load test's loop, however long it takes.

        Cancelling the caller cancels `fn` too.

        Raises:
            NotRunningError: There is no loop, or it ended before the result.
            UnresponsiveError: The loop was blocked for `patience` seconds. It runs `fn` all
                the same when it goes on.
        """
        pending: PendingCall[Answer] = PendingCall()
        scope = trio.CancelScope()

        async def run_there() -> None:
            pending.run_in_caller(pending.taken.set)
            with scope:
                try:
                    value = await fn(*args)
                except Exception as error:  # noqa: BLE001 - raised anew in the caller's loop
                    pending.answer(None, error)
                except BaseException:
                    pending.answer(None, NotRunningError())
                    raise
                else:
                    pending.answer(value, None)

        self._start(run_there, pending)
        try:
            with trio.move_on_after(patience):
                await pending.taken.wait()
            if not pending.taken.is_set():
                raise UnresponsiveError
            await pending.answered.wait()
        except trio.Cancelled:
            self.call_soon(scope.cancel)
            raise
        return pending.result()

    def _start(self, run_there: Callable[[], Awaitable[None]], call: PendingCall[Answer]) -> None:
        nursery = self._nursery
        if nursery is None:
            raise NotRunningError

        def start_there() -> None:
            try:
                nursery.start_soon(run_there)
            except RuntimeError:
                # The nursery closed in the meantime. An error that left this callback
                # would end the whole loop.
                call.answer(None, NotRunningError())

        self._submit(start_there)

    def _submit(self, fn: Callable[[], None]) -> None:
        token = self._token
        if token is None:
            raise NotRunningError
        try:
            token.run_sync_soon(fn)
        except trio.RunFinishedError:
            raise NotRunningError from None
