"""Ctrl-C inside of a running loop: finish, stop, and at last an exception."""

import signal
import threading

import pytest
import trio

from pytest_k6api.run.interrupts import interrupts
from tests.virtual_time import in_virtual_time


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@in_virtual_time
async def test_the_first_asks_to_finish_the_second_to_stop_the_third_raises():
    heard: list[str] = []

    with interrupts(lambda: heard.append("finish"), lambda: heard.append("stop")) as was_pressed:
        assert not was_pressed()
        press_ctrl_c()
        assert heard == [], "it is told in the loop, not in the signal handler"
        await trio.sleep(1)
        assert heard == ["finish"]
        assert was_pressed()
        press_ctrl_c()
        await trio.sleep(1)
        assert heard == ["finish", "stop"]
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


@in_virtual_time
async def test_afterwards_ctrl_c_is_what_it_was_before():
    before = signal.getsignal(signal.SIGINT)

    with interrupts(lambda: None, lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before

    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_ctrl_c_is_somebody_elses():
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        with interrupts(lambda: None, lambda: None) as was_pressed:
            seen.extend([signal.getsignal(signal.SIGINT), was_pressed()])

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join(10)

    assert seen == [before, False]
