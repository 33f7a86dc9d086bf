"""Tasks that ignore their cancellation are abandoned, and nothing waits for them."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.lowlevel
import trio.testing

from pytest_k6api.vu import Abandoned, StuckTasks
from tests.virtual_time import in_real_time, in_virtual_time

# Code that ignores its end must not end the test by ignoring that too.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


async def swallows_all() -> None:
    while True:
        try:  # noqa: SIM105 - what this is about
            await trio.lowlevel.checkpoint()
        except:  # noqa: E722
            pass


async def waits_shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


async def shields_again_and_again() -> None:
    while True:
        with trio.CancelScope(shield=True):
            try:
                await trio.sleep(0.001)
            except BaseException:  # noqa: BLE001 - what this is about
                continue


async def waits_for_children() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(swallows_all)
        nursery.start_soon(waits_shielded)


async def goes_on_beside_its_children() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_shielded)
        await swallows_all()


@pytest.mark.parametrize(
    ("stubborn", "abandoned"),
    [
        (swallows_all, 1),
        (waits_shielded, 1),
        (shields_again_and_again, 1),
        (waits_for_children, 0),  # only they are; it ends by itself then
        (goes_on_beside_its_children, 1),
    ],
)
def test_a_task_that_ignores_its_cancellation_is_abandoned(
    stubborn: Callable[[], Awaitable[None]], abandoned: int
):
    lines: list[str] = []

    async def main() -> None:
        stuck = StuckTasks()

        async def run() -> None:
            task = trio.lowlevel.current_task()
            with trio.CancelScope() as scope:
                scope.cancel()
                stuck.expect_end(task, lines.append, 0.05)
                await stubborn()

        async with stuck.watched(), trio.open_nursery() as nursery:
            nursery.start_soon(run)

    trio.run(main)

    assert len(lines) == abandoned
    assert all("test_stuck_tasks.py:" in line for line in lines)


@in_virtual_time
async def test_a_task_that_cleans_up_in_time_ends_by_itself():
    stuck = StuckTasks()
    seen: list[str] = []

    async def run() -> None:
        task = trio.lowlevel.current_task()
        try:
            with trio.CancelScope() as scope:
                scope.cancel()
                stuck.expect_end(task, seen.append, 3)
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(2.5)
                    seen.append("cleaned up")
        finally:
            stuck.has_ended(task)
        await trio.sleep(2)

    async with stuck.watched(), trio.open_nursery() as nursery:
        nursery.start_soon(run)

    assert seen == ["cleaned up"]


@in_virtual_time
async def test_abandoning_all_tasks_does_not_wait_for_their_patience():
    stuck = StuckTasks()
    lines: list[str] = []

    async def run() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            stuck.expect_end(trio.lowlevel.current_task(), lines.append, 1000)
            await waits_shielded()

    async with stuck.watched(), trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(1)
        stuck.abandon_all()
        nursery.start_soon(run)  # and who comes later has no patience either

    assert len(lines) == 2
    assert trio.current_time() < 10


@in_virtual_time
async def test_a_call_returns_and_raises_what_the_function_does():
    stuck = StuckTasks()

    async def answer() -> int:
        await trio.sleep(1)
        return 42

    async def fail() -> None:
        raise ValueError("no answer")

    assert await stuck.call(answer) == 42
    with pytest.raises(ValueError, match="no answer"):
        await stuck.call(fail)


@in_real_time
async def test_a_call_that_ignores_its_timeout_is_abandoned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pytest_k6api.vu.stuck_tasks.PATIENCE", 0.05)
    stuck = StuckTasks()

    async with stuck.watched():
        with trio.move_on_after(0.01) as scope:
            await stuck.call(swallows_all)

    assert scope.cancelled_caught
    ((left, times),) = stuck.left.items()
    assert (left.scenario, left.is_thread, times) == ("", False, 1)


def test_what_was_left_is_told_in_sentences():
    stuck = StuckTasks()
    for _ in range(2):
        stuck.note(Abandoned("test_buy", "test_shop.py:7"))
    stuck.note(Abandoned("", "", is_thread=True))

    assert stuck.warnings() == [
        "2 tasks of test_buy did not end when they were interrupted, and were abandoned at"
        " test_shop.py:7; a bare except: catches the interruption too, so write except Exception:",
        "1 thread of setup or teardown did not end when it was interrupted; it is left running, and"
        " its vu.http sends nothing more",
    ]
