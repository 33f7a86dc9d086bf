"""Calls across threads: answered, refused or given up, but never lost in silence."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress

import pytest
import trio

from pytest_k6api.run.loop_portal import LoopPortal, NotRunningError, UnresponsiveError
from tests.virtual_time import in_real_time


class Loop:
    """A Trio loop in a thread of its own, with the portal that leads there."""

    def __init__(self) -> None:
        self.portal = LoopPortal()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._end = trio.Event()

    def start(self) -> None:
        self.thread.start()
        assert self._ready.wait(5)

    def end(self) -> None:
        assert self._token
        with suppress(trio.RunFinishedError):  # it was told before, and has ended
            self._token.run_sync_soon(self._end.set)

    def do(self, fn: Callable[[], None]) -> None:
        assert self._token
        self._token.run_sync_soon(fn)

    def _run(self) -> None:
        trio.run(self._main)

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self.portal.open(nursery)
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await self._end.wait()
            self.portal.close()
            nursery.cancel_scope.cancel()


@contextmanager
def running_loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    try:
        yield loop
    finally:
        if loop.thread.is_alive():
            loop.end()
            loop.thread.join(5)
        assert not loop.thread.is_alive()


@in_real_time
async def test_a_question_is_answered_in_the_loop_it_is_put_to():
    with running_loop() as loop:
        answer = await loop.portal.call(threading.get_ident, patience=5)
        total = await loop.portal.call(lambda one, two: one + two, 1, 2, patience=5)

        assert answer == loop.thread.ident
        assert total == 3


@in_real_time
async def test_what_goes_wrong_there_is_raised_here():
    def refuse() -> None:
        raise KeyError("no")

    async def refuse_later() -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("no")

    with running_loop() as loop:
        with pytest.raises(KeyError, match="no"):
            await loop.portal.call(refuse, patience=5)
        with pytest.raises(KeyError, match="no"):
            await loop.portal.await_there(refuse_later, patience=5)


@in_real_time
async def test_a_question_that_takes_long_is_waited_for_once_it_was_taken():
    async def ponder() -> str:
        await trio.sleep(0.2)
        return "forty-two"

    with running_loop() as loop:
        assert await loop.portal.await_there(ponder, patience=0.1) == "forty-two"


@in_real_time
async def test_a_loop_that_does_not_move_is_unresponsive_and_carries_it_out_later():
    done = threading.Event()
    blocked = threading.Event()

    def block() -> None:
        blocked.set()
        time.sleep(0.3)

    async def carry_out() -> None:
        await trio.lowlevel.checkpoint()
        done.set()

    with running_loop() as loop:
        loop.do(block)
        assert blocked.wait(5)
        with pytest.raises(UnresponsiveError):
            await loop.portal.call(done.is_set, patience=0.05)
        with pytest.raises(UnresponsiveError):
            await loop.portal.await_there(carry_out, patience=0.05)

        assert not done.is_set()
        assert await trio.to_thread.run_sync(done.wait, 5)


@in_real_time
async def test_there_is_nobody_to_ask_before_the_start_and_after_the_end():
    async def nothing() -> None: ...

    portal = LoopPortal()
    assert not portal.is_open
    with pytest.raises(NotRunningError):
        await portal.call(lambda: 1, patience=5)
    with pytest.raises(NotRunningError):
        await portal.await_there(nothing, patience=5)

    with running_loop() as loop:
        assert loop.portal.is_open
        loop.end()
        loop.thread.join(5)
        assert not loop.portal.is_open
        with pytest.raises(NotRunningError):
            await loop.portal.call(lambda: 1, patience=5)
        with pytest.raises(NotRunningError):
            await loop.portal.await_there(nothing, patience=5)


@in_real_time
async def test_a_loop_that_ends_meanwhile_answers_that_it_did():
    async def forever() -> None:
        await trio.sleep_forever()

    async def end_soon(loop: Loop) -> None:
        await trio.sleep(0.1)
        loop.end()

    with running_loop() as loop, trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_soon, loop)
            with pytest.raises(NotRunningError):
                await loop.portal.await_there(forever, patience=5)


@in_real_time
async def test_a_question_that_comes_when_the_nursery_is_closed_harms_nobody():
    # The loop still runs, but what it was opened with has ended: the moment
    # between the two, made long.
    async def nothing() -> None: ...

    portal = LoopPortal()
    async with trio.open_nursery() as nursery:
        portal.open(nursery)

    with pytest.raises(NotRunningError):
        await portal.await_there(nothing, patience=5)


async def tick(turns: list[float]) -> None:
    while True:
        turns.append(time.monotonic())
        await trio.lowlevel.checkpoint()


@in_real_time
async def test_a_long_answer_is_made_in_steps_between_which_the_loop_goes_on() -> None:
    turns: list[float] = []
    seen: list[int] = []

    def steps() -> Generator[None, None, str]:
        trio.lowlevel.spawn_system_task(tick, turns)
        for _ in range(10):
            time.sleep(0.006)
            seen.append(len(turns))
            yield
        return "done"

    with running_loop() as loop:
        answer = await loop.portal.call_in_steps(steps, patience=10)

    assert answer == "done"
    # At most two steps in a pass, so five passes. Trio shuffles the tasks of a pass, so every
    # second gap between two passes of the answer may be without a tick.
    assert len(set(seen)) >= 3


@in_real_time
async def test_an_error_of_a_step_is_the_answer() -> None:
    def steps() -> Generator[None, None, str]:
        yield
        raise ValueError("broken")

    with running_loop() as loop, pytest.raises(ValueError, match="broken"):
        await loop.portal.call_in_steps(steps, patience=10)


@in_real_time
async def test_steps_that_nobody_waits_for_any_more_are_not_made() -> None:
    made: list[int] = []

    def steps() -> Generator[None, None, str]:
        for number in range(1_000_000):
            time.sleep(0.011)
            made.append(number)
            yield
        return "done"

    with running_loop() as loop:
        with pytest.raises(UnresponsiveError):
            await loop.portal.call_in_steps(steps, patience=0.05)
        loop.end()
        loop.thread.join(5)

    count = len(made)
    assert 0 < count < 100
