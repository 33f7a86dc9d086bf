"""Ctrl-C, SIGTERM and SIGHUP inside of a running loop: finish, stop, abandon, and at last an exception."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
import trio

from pytest_k6api.run.interrupts import interrupts, signals_end_session
from tests.virtual_time import in_virtual_time

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def deaf(_name: str) -> None:
    pass


def steps(heard: list[str]) -> list[Callable[[str], object]]:
    def step(number: int, name: str) -> None:
        heard.append(f"{number} {name}")

    return [partial(step, number) for number in (1, 2, 3)]


@in_virtual_time
async def test_each_signal_is_the_next_step_and_told_in_the_loop():
    heard: list[str] = []

    with interrupts(*steps(heard)):
        signal.raise_signal(signal.SIGTERM)
        assert heard == [], "it is told in the loop, not in the signal handler"
        await trio.sleep(1)
        signal.raise_signal(signal.SIGHUP)
        await trio.sleep(1)
        signal.raise_signal(signal.SIGINT)
        await trio.sleep(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    assert heard == ["1 SIGTERM", "2 SIGHUP", "3 Ctrl-C"]


@in_virtual_time
async def test_where_the_loop_does_not_move_the_third_raises():
    heard: list[str] = []
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)

    with interrupts(*steps(heard)):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            clock.jump(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@in_virtual_time
async def test_a_signal_that_comes_twice_at_once_is_one():
    heard: list[str] = []

    with interrupts(*steps(heard)):
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)  # as `timeout` does it
        await trio.sleep(1)

    assert heard == ["1 SIGTERM"]


@in_virtual_time
async def test_afterwards_signals_are_what_they_were_before():
    before = [signal.getsignal(number) for number in ALL]

    with interrupts(deaf, deaf):
        assert [signal.getsignal(number) for number in ALL] != before

    assert [signal.getsignal(number) for number in ALL] == before


@in_virtual_time
async def test_what_is_ignored_or_handled_by_others_stays_theirs():
    heard: list[str] = []

    def theirs(*_: object) -> None: ...

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGTERM, theirs)
    try:
        with interrupts(*steps(heard)):
            handlers = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])

    assert handlers == (signal.SIG_IGN, theirs)


def test_between_load_tests_they_are_a_keyboard_interrupt_and_within_one_a_step():
    heard: list[str] = []

    async def main() -> None:
        with interrupts(*steps(heard)):
            signal.raise_signal(signal.SIGTERM)
            await trio.lowlevel.checkpoint()

    with signals_end_session():
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)

    assert heard == ["1 SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_forked_child_dies_of_sigterm_as_ever():
    fork = multiprocessing.get_context("fork")
    is_up = fork.Event()

    def serve() -> None:
        is_up.set()
        # Not `signal.pause`: it would sleep through a signal that came just before it.
        while True:
            time.sleep(0.01)

    with signals_end_session():
        child = fork.Process(target=serve, daemon=True)
        child.start()
        assert child.pid
        assert is_up.wait(10)
        os.kill(child.pid, signal.SIGTERM)
        child.join(10)
        child.kill()

    assert child.exitcode == -signal.SIGTERM


def test_in_another_thread_signals_are_not_ours():
    before = [signal.getsignal(number) for number in ALL]
    seen: list[object] = []

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        with interrupts(deaf, deaf):
            seen.extend(signal.getsignal(number) for number in ALL)

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join(10)

    assert seen == before
