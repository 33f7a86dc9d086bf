"""How the functions of one virtual user are called: in Trio's loop, or in the VU's thread.

Scenarios, setup and teardown are alike in this: an async function is awaited, an
ordinary one runs in a thread of its VU. Each gets a VU that suits it.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from pytest_k6api.model import Recorder, TagContext
from pytest_k6api.vu.context import LoadContext
from pytest_k6api.vu.steps import GroupStack
from pytest_k6api.vu.stuck_tasks import Abandoned
from pytest_k6api.vu.thread import VUThread
from pytest_k6api.vu.timing import stopwatch
from pytest_k6api.vu.user_functions import UserFunction
from pytest_k6api.vu.vu import VU, BaseVU, SyncVU, VUContext


class Caller(Protocol):
    """Calls what users wrote, for one virtual user.

    Attributes:
        context: What the VU is made of.
        vu: The VU as its main function sees it.
    """

    context: VUContext
    vu: BaseVU

    def vu_for(self, function: UserFunction) -> BaseVU:
        """Return the VU as `function` is to see it."""

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the ordinary function `function`."""

    def abandon(self) -> bool:
        """Leave alone what still runs; return whether that is a thread, which has been told."""

    def close(self) -> None:
        """Close connections, and let a thread end."""


class LoopCaller:
    """Calls all in Trio's loop: an ordinary function must not block it."""

    __slots__ = ("context", "vu")

    def __init__(self, context: VUContext) -> None:
        self.context = context
        self.vu: BaseVU = VU(context)

    def vu_for(self, _function: UserFunction) -> BaseVU:
        """Return the only VU there is."""
        return self.vu

    async def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function` here; it does not wait."""
        return function(*args, **kwargs)

    def abandon(self) -> bool:
        """Do nothing: there is no thread."""
        return False

    def close(self) -> None:
        """Close connections."""
        self.context.client.close()


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
        """Return the VU with or without ``await``; what it remembers is the same."""
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
        """Leave the thread alone."""
        self._thread.abandon()
        return True

    def close(self) -> None:
        """Close connections, and let the thread end."""
        self.context.client.close()
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
    """Return a new virtual user that suits `function`, with what calls it.

    Args:
        function: What the VU is there to run.
        number: Its number, from 1; 0 in setup and teardown.
        load: The load test.
        tag_context: The tags of its samples outside of all groups.
        scenario: The name of its scenario; empty in setup and teardown.
        env: What its `env` holds.
    """
    recorder = Recorder(load.buffer, tag_context)
    context = VUContext(
        number=number,
        load=load,
        groups=GroupStack(recorder, stopwatch()),
        client=load.make_client(recorder),
        scenario=scenario,
        env=env or {},
    )
    return LoopCaller(context) if function.is_async else ThreadCaller(context)


def target_of(function: UserFunction, caller: Caller) -> Callable[..., Awaitable[object]]:
    """Return what to await with its arguments to run `function`."""
    return function.function if function.is_async else partial(caller.call, function.call)
