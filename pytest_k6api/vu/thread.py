"""Thread of one virtual user whose scenario is an ordinary function.

A VU keeps one thread, because objects of a synchronous scenario (an sqlite
connection, a driver's handle) often belong to the thread that made them. While the
function runs, the VU's task waits and executes what the function requests of Trio: a
sleep, an HTTP request. So these run in the VU's own task, and end with it.

When the VU is interrupted, the next request of the function raises
`IterationInterrupted`; if there is none within `PATIENCE`, it is raised at the current
line of Python code. A function that does not end even then (a call that blocks, a
bare ``except: pass``) is abandoned: its thread is a daemon, which does not keep the
session alive and blocks for ever at its next request.
"""

import ctypes
import math
import sys
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, NoReturn, TypeVar

import outcome
import trio

from pytest_k6api.vu.failures.tracebacks import format_location, is_users

PATIENCE = 5.0
"""Seconds that an interrupted function has to return or to make a request."""

_ATTEMPTS = 10
_ATTEMPT = 0.05

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
    """Runs functions in one thread, one at a time; made inside of a Trio run.

    Args:
        name: Its name.
        on_abandoned: Called when it is abandoned, with its current line of the user's
            code, ``file:line``; empty if there is none.
    """

    def __init__(self, name: str, on_abandoned: Callable[[str], None] = lambda _line: None) -> None:
        self._name = name
        self._on_abandoned = on_abandoned
        self._token = trio.lowlevel.current_trio_token()
        self._thread: Thread | None = None
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._answers: SimpleQueue[_Outcome] = SimpleQueue()
        # The thread sends requests to Trio, and the outcome of its job.
        self._post, self._inbox = trio.open_memory_channel[_Request | _Outcome](math.inf)
        self._is_interrupted = False
        self._is_abandoned = self._has_refused = self._is_over = False

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `function` in the thread; return its result or raise its exception.

        Raises:
            trio.Cancelled: The VU was interrupted; the function has ended, or is abandoned.
            RuntimeError: The thread was abandoned before.
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
        """Have the VU's task await ``function(*args)``; called in the thread.

        Raises:
            IterationInterrupted: The VU was interrupted.
        """
        if self._is_interrupted:
            self._refuse()
        self._send(_Request(function, args))
        result: T = self._answers.get().unwrap()
        return result

    def call_soon(self, function: Callable[..., object], /, *args: Any) -> None:
        """Have Trio's thread call ``function(*args)``, without waiting for it."""
        self._token.run_sync_soon(function, *args)

    def close(self) -> None:
        """End the thread after its current job."""
        self._jobs.put(None)

    def abandon(self) -> None:
        """Abandon the running function; does nothing the second time."""
        if not self._is_abandoned and self._thread is not None:
            self._is_interrupted = self._is_abandoned = True
            self._on_abandoned(self._users_line())
            self._raise_in_thread(IterationInterrupted)
            self._answers.put(
                outcome.Error(IterationInterrupted())
            )  # it may have sent a request just now

    def _work(self) -> None:
        while True:
            try:
                if (job := self._jobs.get()) is None:
                    return
                result = outcome.capture(job)
                del job
                self._send(result)
                # A traceback in it would keep all its frames until the next job.
                del result
            except IterationInterrupted:
                if self._is_abandoned or self._is_over:
                    return  # otherwise it was meant for the job that has just ended

    def _send(self, message: _Request | _Outcome) -> None:
        try:
            self._token.run_sync_soon(self._post.send_nowait, message)
        except trio.RunFinishedError:
            self._is_over = True
            raise IterationInterrupted from None

    def _refuse(self) -> NoReturn:
        if self._is_abandoned and self._has_refused:
            # It swallows the exception, and would loop until the process ends.
            Event().wait()
        self._has_refused = self._is_abandoned
        raise IterationInterrupted

    def _raise_in_thread(self, error: type[BaseException] | None) -> None:
        # Raised at its next bytecode; None takes back an exception not raised yet.
        assert self._thread is not None
        assert self._thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident), ctypes.py_object(error) if error else None
        )

    def _users_line(self) -> str:
        assert self._thread is not None
        frame = sys._current_frames().get(self._thread.ident or 0)
        while frame is not None and not is_users(frame.f_code.co_filename):
            frame = frame.f_back
        return format_location(frame.f_code.co_filename, frame.f_lineno) if frame else ""

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
            except BaseException as error:  # noqa: BLE001  # raised in the function that sent the request
                answer = outcome.Error(error)
            self._answers.put(answer)

    async def _interrupt(self) -> None:
        self._is_interrupted = True
        if await self._comes_back(PATIENCE):
            return
        for _ in range(_ATTEMPTS):
            self._raise_in_thread(IterationInterrupted)
            if await self._comes_back(_ATTEMPT):
                self._raise_in_thread(None)
                return
        self.abandon()

    async def _comes_back(self, patience: float) -> bool:
        with trio.move_on_after(patience, shield=True):
            while isinstance(await self._inbox.receive(), _Request):
                self._answers.put(outcome.Error(IterationInterrupted()))
            return True
        return False
