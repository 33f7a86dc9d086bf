"""The thread of one virtual user whose scenario is an ordinary function.

One thread for the whole life of the VU, because what a synchronous scenario
keeps (an sqlite connection, a driver's handle) often belongs to the thread that
made it. While the function runs, the VU's task waits here and carries out what
the function asks of Trio: to sleep, to send a request. So both happen in the
VU's own task, and end with it.

A thread cannot be interrupted from outside. When its VU is, whatever it asks
for next raises `IterationInterrupted`; if it asks for nothing within
`PATIENCE`, it is left alone: a daemon, which does not keep the session alive.
"""

import math
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import outcome
import trio

PATIENCE = 5.0
"""Seconds that an interrupted function gets to come back to its VU."""

T = TypeVar("T")


class IterationInterrupted(BaseException):
    """Raised in a synchronous scenario whose iteration was interrupted.

    Not an Exception, so that ``except Exception`` lets it pass.
    """


@dataclass(frozen=True, slots=True)
class _Request:
    function: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]


_Outcome = outcome.Value[Any] | outcome.Error


class VUThread:
    """Runs functions in one thread, one at a time; made inside of a Trio run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._token = trio.lowlevel.current_trio_token()
        self._thread: Thread | None = None
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._answers: SimpleQueue[_Outcome] = SimpleQueue()
        # What the thread sends: a request to Trio, or what became of its job.
        self._post, self._inbox = trio.open_memory_channel[_Request | _Outcome](math.inf)
        self._is_interrupted = False
        self._is_abandoned = False

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `function` in the thread; return or raise what it does.

        Raises:
            trio.Cancelled: The VU was interrupted; the function has ended, or is left alone.
            RuntimeError: The thread was left alone before.
        """
        if self._is_abandoned:
            raise RuntimeError(f"{self._name} still runs a function that did not come back")
        if self._thread is None:
            # The context holds the VU, so that custom metrics find it.
            self._thread = Thread(
                target=partial(copy_context().run, self._work), name=self._name, daemon=True
            )
            self._thread.start()
        self._is_interrupted = False
        self._jobs.put(partial(function, *args, **kwargs))
        try:
            result: T = (await self._serve()).unwrap()
        except trio.Cancelled:
            await self._interrupt()
            raise
        return result

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any) -> T:
        """Let the VU's task await ``function(*args)``; called in the thread.

        Raises:
            IterationInterrupted: The VU was interrupted.
        """
        if self._is_interrupted:
            raise IterationInterrupted
        self._send(_Request(function, args))
        result: T = self._answers.get().unwrap()
        return result

    def call_soon(self, function: Callable[..., object], /, *args: Any) -> None:
        """Let Trio's thread call ``function(*args)`` without waiting for it."""
        self._token.run_sync_soon(function, *args)

    def close(self) -> None:
        """Let the thread end, once it has nothing to do."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result = outcome.capture(job)
            del job
            try:
                self._send(result)
            except IterationInterrupted:
                return
            # Not kept until the next job: it may hold a traceback with all its frames.
            del result

    def _send(self, message: _Request | _Outcome) -> None:
        try:
            self._token.run_sync_soon(self._post.send_nowait, message)
        except trio.RunFinishedError:
            raise IterationInterrupted from None

    async def _serve(self) -> _Outcome:
        while True:
            message = await self._inbox.receive()
            if not isinstance(message, _Request):
                return message
            try:
                answer: _Outcome = outcome.Value(await message.function(*message.args))
            except trio.Cancelled:
                self._answers.put(outcome.Error(IterationInterrupted()))
                raise
            except BaseException as error:  # noqa: BLE001  # the function that asked gets it
                answer = outcome.Error(error)
            self._answers.put(answer)

    async def _interrupt(self) -> None:
        self._is_interrupted = True
        with trio.move_on_after(PATIENCE, shield=True):
            while isinstance(await self._inbox.receive(), _Request):
                self._answers.put(outcome.Error(IterationInterrupted()))
            return
        self._is_abandoned = True
        self._answers.put(outcome.Error(IterationInterrupted()))  # it may just have asked
