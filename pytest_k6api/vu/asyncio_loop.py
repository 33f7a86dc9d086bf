"""The asyncio loop of a load test, for scenarios that use libraries of asyncio.

It is trio-asyncio's, and runs inside of Trio: `trio_asyncio.aio_as_trio` calls into it.
"""

import asyncio
import sys
import types
import warnings
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any


class WrongLoopError(RuntimeError):
    """Something of Trio is awaited on asyncio's side."""


_ON_ASYNCIO = (
    "vu.http, vu.ws, vu.grpc, vu.sleep and all of trio cannot be awaited on asyncio's side, in what"
    " aio_as_trio, asyncio.gather or asyncio.create_task runs: await them in the scenario itself;"
    " several requests at once are vu.http.batch([...]), or a nursery of trio"
)


@asynccontextmanager
async def asyncio_loop() -> AsyncIterator[None]:
    """Run an asyncio loop beside the block if the suite has imported trio-asyncio.

    Other suites do not have it, or do not use it, and pay nothing.
    """
    trio_asyncio = sys.modules.get("trio_asyncio")
    if trio_asyncio is None:
        yield
    else:
        async with trio_asyncio.open_loop() as loop:
            loop.set_task_factory(_make_task)
            loop.set_exception_handler(_tell_of_error)
            yield


def _tell_of_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log and warn of an error that no task awaits; trio-asyncio would end the load test by it."""
    error = context.get("exception")
    if not isinstance(error, WrongLoopError):  # which says it all
        asyncio.BaseEventLoop.default_exception_handler(loop, context)  # type: ignore[arg-type]  # it is one
    what = f": {type(error).__name__}: {error}" if error is not None else ""
    warnings.warn(f"asyncio: {context.get('message')}{what}", RuntimeWarning, stacklevel=2)


def _make_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return asyncio.Task(_run_off_trio(work), loop=loop, **options)


async def _run_off_trio(work: Coroutine[Any, Any, Any]) -> Any:
    return await _without_traps(work)


@types.coroutine
def _without_traps(work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run `work`; raise in it as soon as it waits for anything but asyncio.

    asyncio would do so a turn later. Meanwhile the task that runs its loop could be woken, which
    breaks both loops: the wait was for Trio, where that task is the current one.
    """
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            waits_for = work.send(value) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value
        value = error = None
        if waits_for is not None and not hasattr(waits_for, "_asyncio_future_blocking"):
            if (take_back := getattr(waits_for, "abort_func", None)) is not None:
                take_back(_nothing)  # as Trio does where a wait is cancelled
            error = WrongLoopError(_ON_ASYNCIO)
            error.__suppress_context__ = True
            continue
        try:
            value = yield waits_for
        except BaseException as raised:  # noqa: BLE001 - also a cancellation is the work's to see
            error = raised


def _nothing() -> None:
    """Stand for Trio's function that raises `trio.Cancelled`."""
