"""Calls of a virtual user's functions: in Trio's loop, or in the VU's thread.

The same for scenarios, setup and teardown: an async function is awaited, an ordinary
one runs in a thread of its VU. Each gets the VU with or without ``await``.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from pytest_k6api.model import MarkingBuffer, Metadata, Recorder, TagContext
from pytest_k6api.vu.context import LoadContext
from pytest_k6api.vu.steps import GroupStack
from pytest_k6api.vu.stuck_tasks import Abandoned
from pytest_k6api.vu.thread import VUThread
from pytest_k6api.vu.timing import stopwatch
from pytest_k6api.vu.user_functions import UserFunction
from pytest_k6api.vu.vu import VU, BaseVU, SyncVU, VUContext


class Caller(Protocol):
    """Calls the user's functions for one virtual user.

    Attributes:
        context: Context of the VU.
        vu: The VU that its main function gets.
    """

    context: VUContext
    vu: BaseVU

    def vu_for(self, function: UserFunction) -> BaseVU:
        """Return the VU that `function` gets."""

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the ordinary function `function`."""

    def abandon(self) -> bool:
        """Abandon running code; return whether that is a thread, which was reported."""

    def close(self) -> None:
        """Close connections, and let a thread end."""


class LoopCaller:
    """Calls every function in Trio's loop, which an ordinary one must not block."""

    __slots__ = ("context", "vu")

    def __init__(self, context: VUContext) -> None:
        self.context = context
        self.vu: BaseVU = VU(context)

    def vu_for(self, _function: UserFunction) -> BaseVU:
        """Return the VU."""
        return self.vu

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function`, which does not wait."""
        return function(*args, **kwargs)

    def abandon(self) -> bool:
        """Do nothing: there is no thread."""
        return False

    def close(self) -> None:
        """Close connections."""
        self.vu.close()


class ThreadCaller:
    """Calls ordinary functions in the VU's thread, async ones in Trio's loop."""

    __slots__ = ("_async_vu", "_thread", "context", "vu")

    def __init__(self, context: VUContext) -> None:
        name = (
            f"VU {context.number} of {context.scenario}" if context.number else "setup or teardown"
        )
        self._thread = VUThread(name, self._note)
        self.context = context
        self.vu: BaseVU = SyncVU(context, self._thread)
        self._async_vu: VU | None = None

    def vu_for(self, function: UserFunction) -> BaseVU:
        """Return the VU with or without ``await``; both share their data, tags and RNG."""
        if not function.is_async:
            return self.vu
        if self._async_vu is None:
            self._async_vu = VU(self.context)
            self._async_vu.share_memory(self.vu)
        self._async_vu.iteration = self.vu.iteration
        return self._async_vu

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function` in the VU's thread."""
        return await self._thread.run(function, *args, **kwargs)

    def abandon(self) -> bool:
        """Abandon the thread."""
        self._thread.abandon()
        return True

    def close(self) -> None:
        """Close connections, and let the thread end."""
        for vu in filter(None, (self._async_vu, self.vu)):
            vu.close()
        self._thread.close()

    def _note(self, line: str) -> None:
        self.context.load.stuck.note(Abandoned(self.context.scenario, line, is_thread=True))


def make_caller(
    function: UserFunction,
    number: int,
    *,
    load: LoadContext,
    tag_context: TagContext,
    scenario: str = "",
    env: Mapping[str, str] | None = None,
) -> Caller:
    """Return the caller of a new virtual user for `function`.

    Args:
        function: The function that the VU runs.
        number: Its number, from 1; 0 in setup and teardown.
        load: The load test.
        tag_context: The tags of its samples outside of all groups.
        scenario: The name of its scenario; empty in setup and teardown.
        env: Values of its `env`.
    """
    recorder = Recorder(load.buffer, tag_context)
    context = VUContext(
        number=number,
        load=load,
        groups=GroupStack(recorder, stopwatch()),
        client=load.make_client(recorder, number),
        scenario=scenario,
        env=env or {},
    )
    caller: Caller = LoopCaller(context) if function.is_async else ThreadCaller(context)
    if load.has_metadata:
        recorder.buffer = MarkingBuffer(load.buffer, partial(_metadata, caller.vu))
    return caller


def _metadata(vu: BaseVU) -> Metadata:
    """Return the metadata of a sample that is taken now; k6's setup and teardown have no VU."""
    iteration = {"iter": str(vu.iteration)}
    return {"vu": str(vu.id), **iteration} if vu.id else iteration


def target_of(function: UserFunction, caller: Caller) -> Callable[..., Awaitable[object]]:
    """Return the awaitable function that runs `function` with its arguments."""
    return function.function if function.is_async else partial(caller.call, function.call)
