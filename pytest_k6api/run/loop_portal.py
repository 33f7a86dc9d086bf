"""Asking a load test's loop from the Trio loop of another thread.

The only way in which commands reach a running load test: the question is run
in its loop, between two steps of its tasks, and the answer comes back as an
event in the asker's loop. Neither side ever touches the other's state.
"""

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Generic, TypeVar

import trio

Answer = TypeVar("Answer")


_LOOK_EVERY = 0.01

STEPS_PER_TURN = 0.01
"""Seconds of each turn of the loop that a long answer may take."""


class NotRunningError(Exception):
    """The loop is not there: it has not started yet, or has ended."""


class NotStartedError(NotRunningError):
    """The loop has not started yet."""


class UnresponsiveError(Exception):
    """The loop did not take the question in time; it will when it moves again."""


def advance(work: Generator[None, None, object]) -> bool:
    """Run `work` for `STEPS_PER_TURN` seconds, and return True: there is more to do.

    Raises:
        StopIteration: It is done.
    """
    until = time.perf_counter() + STEPS_PER_TURN
    while time.perf_counter() < until:
        next(work)
    return True


class _Slip(Generic[Answer]):
    """One question under way: where its answer goes, in the asker's loop."""

    def __init__(self) -> None:
        self._asker = trio.lowlevel.current_trio_token()
        self.taken = trio.Event()
        self.answered = trio.Event()
        self.value: Answer | None = None
        self.error: BaseException | None = None
        self.is_given_up = False

    def tell(self, fn: Callable[[], None]) -> None:
        """Run `fn` in the asker's loop, if that still is there."""
        with suppress(trio.RunFinishedError):
            self._asker.run_sync_soon(fn)

    def answer(self, value: Answer | None, error: BaseException | None) -> None:
        def deliver() -> None:
            self.value, self.error = value, error
            self.taken.set()
            self.answered.set()

        self.tell(deliver)

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # set together with `answered`


class Bridge:
    """The load test's end of the border; opened by its loop, used by other threads."""

    def __init__(self) -> None:
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._was_opened = False

    @property
    def is_open(self) -> bool:
        """Whether there is a loop to ask."""
        return self._token is not None

    @property
    def was_opened(self) -> bool:
        """Whether there is a loop, or was one."""
        return self._was_opened

    async def wait_until_opened(self, patience: float) -> None:
        """Wait until there is a loop, or was one.

        Raises:
            NotStartedError: There was none for `patience` seconds.
        """
        with trio.move_on_after(patience):
            # The other thread cannot ring here: it does not know who waits.
            while not self.was_opened:  # noqa: ASYNC110
                await trio.sleep(_LOOK_EVERY)
        if not self.was_opened:
            raise NotStartedError

    def open(self, nursery: trio.Nursery) -> None:
        """Let questions in; those that wait run as tasks of `nursery`."""
        self._token = trio.lowlevel.current_trio_token()
        self._nursery = nursery
        self._was_opened = True  # last, because it is what tells others that this is done

    def close(self) -> None:
        """Let no more questions in."""
        self._token = self._nursery = None

    def tell(self, fn: Callable[[], None]) -> None:
        """Have `fn` called in the loop, soon; do nothing where there is none. From any thread."""
        with suppress(NotRunningError):
            self._hand_in(fn)

    async def ask(self, fn: Callable[..., Answer], *args: object, patience: float) -> Answer:
        """Return what ``fn(*args)`` returns in the load test's loop.

        Raises:
            NotRunningError: There is no loop to ask.
            UnresponsiveError: The loop did not move for `patience` seconds. `fn` is
                run all the same when it does.
        """
        slip: _Slip[Answer] = _Slip()

        def run_there() -> None:
            try:
                value = fn(*args)
            except Exception as error:  # noqa: BLE001 - raised anew in the asker's loop
                slip.answer(None, error)
            else:
                slip.answer(value, None)

        self._hand_in(run_there)
        with trio.move_on_after(patience):
            await slip.answered.wait()
            return slip.result()
        raise UnresponsiveError

    async def ask_in_steps(
        self, steps: Callable[[], Generator[None, None, Answer]], *, patience: float
    ) -> Answer:
        """Return what ``steps()`` returns, run in the load test's loop.

        It yields whenever it can be interrupted, and is for 10 ms in each turn of the
        loop. A turn with 20,000 virtual users takes a good part of a second.

        Raises:
            NotRunningError: There is no loop to ask, or it ended before the answer.
            UnresponsiveError: There was no answer within `patience` seconds.
        """
        slip: _Slip[Answer] = _Slip()
        work = steps()

        def run_there() -> None:
            try:
                if not slip.is_given_up and advance(work):
                    self._hand_in(run_there)
            except StopIteration as done:
                slip.answer(done.value, None)
            except Exception as error:  # noqa: BLE001 - raised anew in the asker's loop
                slip.answer(None, error)

        self._hand_in(run_there)
        try:
            with trio.move_on_after(patience):
                await slip.answered.wait()
                return slip.result()
        finally:
            slip.is_given_up = True
        raise UnresponsiveError

    async def ask_and_wait(
        self, fn: Callable[..., Awaitable[Answer]], *args: object, patience: float
    ) -> Answer:
        """Return what ``await fn(*args)`` returns in the load test's loop, however long it takes.

        If nobody waits for it any more, because the asker was cancelled, `fn` is too.

        Raises:
            NotRunningError: There is no loop to ask, or it ended before it had the answer.
            UnresponsiveError: The loop did not take the question within `patience` seconds.
        """
        slip: _Slip[Answer] = _Slip()
        scope = trio.CancelScope()

        async def run_there() -> None:
            slip.tell(slip.taken.set)
            with scope:
                try:
                    value = await fn(*args)
                except Exception as error:  # noqa: BLE001 - raised anew in the asker's loop
                    slip.answer(None, error)
                except BaseException:
                    slip.answer(None, NotRunningError())
                    raise
                else:
                    slip.answer(value, None)

        self._start(run_there, slip)
        try:
            with trio.move_on_after(patience):
                await slip.taken.wait()
            if not slip.taken.is_set():
                raise UnresponsiveError
            await slip.answered.wait()
        except trio.Cancelled:
            with suppress(NotRunningError):
                self._hand_in(scope.cancel)
            raise
        return slip.result()

    def _start(self, run_there: Callable[[], Awaitable[None]], slip: _Slip[Answer]) -> None:
        nursery = self._nursery
        if nursery is None:
            raise NotRunningError

        def start_there() -> None:
            try:
                nursery.start_soon(run_there)
            except RuntimeError:
                # Closed between the question and now. An error that left this
                # callback would take the whole loop down.
                slip.answer(None, NotRunningError())

        self._hand_in(start_there)

    def _hand_in(self, fn: Callable[[], None]) -> None:
        if self._token is None:
            raise NotRunningError
        try:
            self._token.run_sync_soon(fn)
        except trio.RunFinishedError:
            raise NotRunningError from None
